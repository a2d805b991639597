"""A user's own questions and a user's own model: a random one learns nothing, and the run says so."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from aepo.config import load_config
from pipelines.local import run_local

GSM8K = Path(__file__).parents[2] / ".." / "shared" / "data" / "gsm8k.jsonl"


@pytest.fixture
def questions(tmp_path):
    """Rows in the form of GSM8K, and the real ones where they are at hand."""
    if GSM8K.exists():
        return GSM8K.resolve()
    path = tmp_path / "questions.jsonl"
    rows = [{"question": f"What is {n} plus {2 * n}?", "answer": f"It is {3 * n}.\n#### {3 * n}"} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def model(tmp_path, questions):
    """A Hugging Face folder: a Qwen3 with random weights and a byte-level tokenizer of its own."""
    folder = tmp_path / "model"
    bpe = ByteLevelBPETokenizer()
    lines = questions.read_text().splitlines()[:200]
    bpe.train_from_iterator(lines, vocab_size=600, special_tokens=["<eos>", "<pad>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<eos>", pad_token="<pad>")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=768,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_random_model_on_real_questions_reports_an_honest_zero(tmp_path, questions, model):
    config = load_config(
        "tiny",
        [
            "run=honest",
            f"storage.root={tmp_path / 'runs'}",
            "environment.name=math",
            "environment.hops=mixed",
            f"environment.source={questions}",
            f"model.path={model}",
            "warm_start.steps=0",
            "rollout.context=640",
            "rollout.turn_tokens=24",
            "rollout.slots=16",
            "rollout.prefill_tokens=64",
            "rollout.prompts=4",
            "rollout.shards=1",
            "training.online_steps=1",
            "evaluation.questions=8",
        ],
    )
    folder = tmp_path / "runs" / "honest"
    folder.mkdir(parents=True)
    run_local(config, folder)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["accuracy"]["before"]["mean"] == summary["accuracy"]["after"]["mean"] == 0.0
    assert summary["steps"] == 2
    assert summary["entropy"]["after"] > 4, "a random policy is as good as uniform"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    steps = [event["metrics"] for event in events if event["event"] == "progress" and event["stage"] == "train"]
    assert all(step["malformed"] > 0.5 for step in steps)
