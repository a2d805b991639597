"""Model folders that cannot be used."""

import json

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from aepo.environments.lookup.tokenizer import build_tokenizer
from tests.bad_input.case import TRAIN, Case, Place, with_settings

WORDS = len(build_tokenizer())
TINY = {"vocab_size": WORDS, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "head_dim": 8}
TINY |= {"num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 256}
COMMAND = (*TRAIN, "--set", "model.path=model")
GET_IT = "get the model again"


def case(name, spoil, *says, mend=None):
    """A model folder with something wrong."""
    return Case(name, COMMAND, says, spoil, mend)


def changed(name, change):
    """Changes the bytes of a file of a good model."""

    def spoil(place):
        path = place.model() / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def removed(*names):
    def spoil(place):
        folder = place.model()
        for name in names:
            (folder / name).unlink()

    return spoil


def described(**entries):
    """Changes entries of a good model's config.json; None removes one."""

    def change(content):
        tree = json.loads(content) | entries
        return json.dumps({key: value for key, value in tree.items() if value is not None}).encode()

    return changed("config.json", change)


def tensors(change):
    """Changes the tensors of a good model."""

    def spoil(place):
        path = place.model() / "model.safetensors"
        found = load_file(path)
        change(found)
        save_file(found, path, metadata={"format": "pt"})

    return spoil


def pickled(place):
    folder = place.model()
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def shard_lost(place):
    folder = place.model()
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = load_file(folder / "model-00001-of-00002.safetensors")
    where = {name: f"model-0000{1 + (index == 0)}-of-00002.safetensors" for index, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def other(model, config, tokenizer=True):
    """A small random model of another kind."""

    def spoil(place):
        model(config).save_pretrained(place.folder / "model")
        if tokenizer:
            build_tokenizer().save_pretrained(place.folder / "model")

    return spoil


def questions(place):
    place.write("q.jsonl", '{"question": "a", "answer": 1}\n{"question": "b", "answer": 2}\n')


QA = with_settings("environment.name=qa", "environment.source=q.jsonl", "environment.tools=[calculator]")
UP = "model.layers.0.mlp.up_proj.weight"
SUPPORTED = "give one of the Llama, Qwen2 or Qwen3 families"
CONFIG_BROKEN = "its config.json cannot be used"
COPY = "copy the model's tokenizer.json"
GPT2 = GPT2Config(vocab_size=WORDS, n_embd=8, n_layer=1, n_head=1, n_positions=256, bos_token_id=1, eos_token_id=1)
BERT = BertConfig(vocab_size=WORDS, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
T5 = T5Config(vocab_size=WORDS, d_model=8, d_kv=8, d_ff=8, num_layers=1, num_heads=1)

MODELS = [
    case(
        "no folder",
        lambda place: None,
        "has no config.json",
        "model model",
        "give the folder of a Hugging Face model",
        mend=Place.model,
    ),
    case("no config.json", removed("config.json"), "has no config.json", "model model", "give the folder of"),
    case(
        "config.json cut off", changed("config.json", lambda data: data[:40]), CONFIG_BROKEN, "model model:", SUPPORTED
    ),
    case(
        "config.json is a list",
        changed("config.json", lambda _: b"[1]"),
        CONFIG_BROKEN,
        "model model:",
        SUPPORTED,
        mend=Place.model,
    ),
    case(
        "config.json is binary", changed("config.json", lambda _: b"\xff\xfe"), CONFIG_BROKEN, "model model:", SUPPORTED
    ),
    case("no model type", described(model_type=None, architectures=None), CONFIG_BROKEN, "model model:", SUPPORTED),
    case("an unknown model type", described(model_type="zork"), "`zork`", "model model: its config.json", SUPPORTED),
    case(
        "code of its own",
        described(model_type="zork", auto_map={"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}),
        *("custom code", "model model: its config.json", SUPPORTED),
    ),
    case("a GPT-2", other(GPT2LMHeadModel, GPT2), "is a gpt2", "model model is", SUPPORTED, mend=Place.model),
    case("a BERT", other(BertForMaskedLM, BERT), "is a bert", "model model is", SUPPORTED),
    case("a T5", other(T5ForConditionalGeneration, T5), "is a t5", "model model is", SUPPORTED),
    case(
        "a sliding window",
        other(MistralForCausalLM, MistralConfig(**TINY, sliding_window=16)),
        *("attends within a sliding window", "model model attends", "set sliding_window to null"),
    ),
    case(
        "no tokenizer",
        removed("tokenizer.json", "tokenizer_config.json"),
        *("no usable tokenizer (none of its files is there)", "model model has", COPY),
    ),
    case(
        "no tokenizer, where transformers makes an empty one",
        other(Qwen3ForCausalLM, Qwen3Config(**TINY), tokenizer=False),
        *("no usable tokenizer (none of its files is there)", "model model has", COPY),
        mend=Place.model,
    ),
    case(
        "a tokenizer that is no JSON", changed("tokenizer.json", lambda _: b"?"), "no usable", "model model has", COPY
    ),
    case("a tokenizer that is empty", changed("tokenizer.json", lambda _: b"{}"), "no usable", "model model has", COPY),
    case(
        "a tokenizer of another model",
        other(Qwen3ForCausalLM, Qwen3Config(**TINY | {"vocab_size": WORDS - 5})),
        *(f"but the model knows {WORDS - 5}", "model model: its tokenizer", "Copy the model's own tokenizer files"),
    ),
    case("no weights", removed("model.safetensors"), "has no *.safetensors", "model model", "Convert others with"),
    case(
        "pickled weights only",
        pickled,
        "nothing in it is ever executed",
        "model model has no",
        "Convert others with",
        mend=Place.model,
    ),
    case(
        "a shard of the weights is lost",
        shard_lost,
        "model-00002-of-00002",
        "model model: its weights",
        GET_IT,
        mend=Place.model,
    ),
    case(
        "weights cut off",
        changed("model.safetensors", lambda data: data[:-99]),
        "cannot be read",
        "model model:",
        GET_IT,
        mend=Place.model,
    ),
    case(
        "weights cut off early",
        changed("model.safetensors", lambda data: data[:20]),
        "cannot be",
        "model model:",
        GET_IT,
    ),
    case("empty weights", changed("model.safetensors", lambda _: b""), "cannot be read", "model model:", GET_IT),
    case("weights of garbage", changed("model.safetensors", lambda _: bytes(999)), "cannot be", "model model:", GET_IT),
    case(
        "a tensor is missing",
        tensors(lambda found: found.pop(UP)),
        "1 of its tensors are missing",
        UP,
        GET_IT.capitalize(),
        mend=Place.model,
    ),
    case(
        "a tensor of another shape",
        tensors(lambda found: found.update({UP: torch.zeros(3, 3)})),
        *("1 of its tensors have another shape", UP, "a config.json that belongs to its weights"),
    ),
    case(
        "a tensor that is not a number",
        tensors(lambda found: found[UP].fill_(float("nan"))),
        *("1 of its tensors hold NaN or infinity", UP, "Get the model again"),
    ),
    Case(
        "a model of a short context",
        (*COMMAND, "--set", "rollout.context=300"),
        ("reads at most 256 tokens", "model model reads", "lower rollout.context"),
        Place.model,
        mended=COMMAND,
    ),
    Case(
        "a home that nobody has",
        (*TRAIN, "--set", "model.path=~nobody-of-this-name/model"),
        ("home is not known", "~nobody-of-this-name/model", "write the whole path"),
        mended=TRAIN,
    ),
    Case(
        "no model for questions of people",
        (*TRAIN, *QA),
        ("environment qa needs a language model", "environment qa", "set model.path to the folder"),
        questions,
        mended=TRAIN,
    ),
    Case(
        "demonstrations of an environment without any",
        (*COMMAND, *QA, *with_settings("rollout.context=128", "warm_start.steps=3")),
        ("environment qa has no demonstrator", "environment qa", "set warm_start.steps to 0"),
        lambda place: (place.model(), questions(place)),
        mended=COMMAND,
    ),
]
