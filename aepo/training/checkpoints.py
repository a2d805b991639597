"""Weights and optimizer states as safetensors: bit-exact, and nothing in them is ever executed."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from transformers import PreTrainedModel

from aepo.errors import UserError

WEIGHTS, OPTIMIZER = "model.safetensors", "optimizer.safetensors"


def save_training(folder: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> None:
    """Write into `folder` what training goes on from."""
    save_weights(model, folder / WEIGHTS)
    save_optimizer(optimizer, model, folder / OPTIMIZER)


def load_training(folder: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> None:
    """Restore what `save_training` wrote, in place.

    Raises:
        UserError: a file is damaged, or of another model.
    """
    load_weights(model, folder / WEIGHTS)
    load_optimizer(optimizer, model, folder / OPTIMIZER)


def save_weights(model: PreTrainedModel, path: Path) -> None:
    """Write a model's tensors, tied ones once."""
    save_model(model, str(path))


def load_weights(model: PreTrainedModel, path: Path) -> None:
    """Restore what `save_weights` wrote, in place.

    Raises:
        UserError: the file is damaged, or of another model.
    """
    try:
        load_model(model, path)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise UserError(f"the weights {path} do not fit the model: {error}. Remove the checkpoint.") from error


def save_optimizer(optimizer: torch.optim.Optimizer, model: PreTrainedModel, path: Path) -> None:
    """Write an optimizer's moments and step counts, by the names of the parameters."""
    tensors = {
        f"{name}/{key}": value.contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }
    save_file(tensors, path)


def load_optimizer(optimizer: torch.optim.Optimizer, model: PreTrainedModel, path: Path) -> None:
    """Restore what `save_optimizer` wrote.

    Raises:
        UserError: the file is damaged, or of another model.
    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"the optimizer state {path} cannot be read: {error}. Remove it, or the run.") from error
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        if name not in parameters or value.shape not in (parameters[name].shape, torch.Size([])):
            raise UserError(f"the optimizer state {path} is of another model: {key} does not fit.")
        optimizer.state[parameters[name]][entry] = value
