"""Loads a folder of Hugging Face's form, a user's or our own, and refuses what would train something else.

transformers gives random values to tensors that a file lacks, and an empty vocabulary to a model without tokenizer
files, and only warns of it. Here both are refused, and so is an architecture of which the engine and the learner
would compute wrong numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging as transformers_logging

from aepo.errors import UserError, explain, reason, shorten

transformers_logging.disable_progress_bar()  # stages have progress displays of their own
transformers_logging.set_verbosity_error()  # what it warns of is refused here, in one message

SCALED_HEADS = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Configuration entries of models whose logits are more than the head's product."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def load_policy(folder: Path) -> tuple[PreTrainedModel, Any]:
    """A Hugging Face causal model and its tokenizer, in float32, from a local folder of safetensors.

    Raises:
        UserError: the folder is missing, incomplete, damaged, or of an architecture that is not supported.
    """
    config = _config(folder)
    tokenizer = _tokenizer(folder)
    model = _model(folder, config)
    highest, rows = max(tokenizer.get_vocab().values()), model.get_input_embeddings().num_embeddings
    if highest >= rows:
        raise UserError(
            f"model {folder}: its tokenizer has tokens up to number {highest}, but the model knows {rows}: they are of "
            "different models. Copy the model's own tokenizer files there."
        )
    return model, tokenizer


def _config(folder: Path) -> PreTrainedConfig:
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"model {folder} has no config.json: give the folder of a Hugging Face model.")
    try:
        if not isinstance(json.loads(path.read_bytes()), dict):
            raise ValueError("it is no JSON object")
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
    except Exception as error:  # whatever transformers makes of a broken file
        raise explain(error) or UserError(
            f"model {folder}: its config.json cannot be used ({reason(error)}). Get the model again, or give one of "
            "the Llama, Qwen2 or Qwen3 families."
        ) from error
    _check_architecture(folder, config)
    return config


def _check_architecture(folder: Path, config: PreTrainedConfig) -> None:
    scaled = [name for name in SCALED_HEADS if getattr(config, name, None)]
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or scaled or not hasattr(config, "num_key_value_heads"):
        raise UserError(
            f"model {folder} is a {config.model_type}: only decoders with standard attention and an "
            "unscaled head are supported; give one of the Llama, Qwen2 or Qwen3 families."
        )
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if config.model_type == "mistral" else None
    if kinds != {"full_attention"} or window:
        raise UserError(
            f"model {folder} attends within a sliding window, which is not supported: where the run's context is "
            "shorter, set sliding_window to null (and layer_types to full_attention) in its config.json."
        )


def _tokenizer(folder: Path) -> Any:
    try:
        if not any((folder / name).is_file() for name in TOKENIZER_FILES):
            raise ValueError("none of its files is there")
        return AutoTokenizer.from_pretrained(folder, **_LOCAL)
    except Exception as error:  # whatever transformers and tokenizers make of a broken file
        raise explain(error) or UserError(
            f"model {folder} has no usable tokenizer ({reason(error)}): copy the model's tokenizer.json and "
            "tokenizer_config.json there."
        ) from error


def _model(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"model {folder} has no *.safetensors, the only form of weights that is read: nothing in it is ever "
            "executed. Convert others with `save_pretrained` of transformers."
        )
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are in the report
            **_LOCAL,
        )
    except Exception as error:  # whatever transformers and safetensors make of a broken file
        raise explain(error) or UserError(
            f"model {folder}: its weights cannot be read ({reason(error)}). They are damaged: get the model again, "
            "or run the stage that wrote it again."
        ) from error
    model, report = loaded
    missing = sorted(report["missing_keys"])
    misshapen = sorted(name for name, *_ in report["mismatched_keys"])
    broken = [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]
    for names, what in ((missing, "are missing"), (misshapen, "have another shape"), (broken, "hold NaN or infinity")):
        if names:
            raise UserError(
                f"model {folder}: {len(names)} of its tensors {what} ({shorten(', '.join(names), 150)}). Get the "
                "model again, with a config.json that belongs to its weights."
            )
    return model
