"""A good model folder, a place for each case, and the command line."""

import pytest
from click.testing import CliRunner

from aepo.cli import main
from aepo.environments.lookup.tokenizer import build_tokenizer
from tests.bad_input.case import Place


@pytest.fixture(scope="session")
def good_model(tmp_path_factory):
    """A Llama of one layer with random weights, over the words of the lookup world."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder, tokenizer = tmp_path_factory.mktemp("models") / "model", build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def place(tmp_path, good_model, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path, good_model, patch)


@pytest.fixture
def aepo():
    """Runs a command line in this process."""
    return lambda *arguments: CliRunner().invoke(main, arguments)
