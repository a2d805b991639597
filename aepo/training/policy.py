"""The policy: building the model, and the log-probs and entropies of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from aepo.algorithms.entropy import token_entropy
from aepo.environments.lookup.tokenizer import build_tokenizer
from aepo.errors import UserError
from aepo.paths import user_path
from aepo.training.model_folder import load_policy
from aepo.training.packing import MicroBatch, pack, unroll
from aepo.training.settings import ModelSettings
from aepo.training.tree_packing import pack_tree
from aepo.trajectories.tree import RolloutTree

MICROBATCH_TOKENS = 8192
INITIALIZER_RANGE = 0.05
"""Of the small decoder: at this width, transformers' .02 delays copying from the context by hundreds of steps."""


def build_policy(settings: ModelSettings, *, context: int, seed: int) -> tuple[PreTrainedModel, Any]:
    """The model and its tokenizer: those at `settings.path`, or a small decoder with random weights.

    Raises:
        UserError: see `load_policy`; or the model's own context is shorter.
    """
    if settings.path is not None:
        model, tokenizer = load_policy(user_path(settings.path))
        longest = getattr(model.config, "max_position_embeddings", None)
        if longest is not None and longest < context:
            raise UserError(
                f"model {settings.path} reads at most {longest} tokens, fewer than rollout.context = {context}: "
                "lower rollout.context, or take another model."
            )
        return model, tokenizer
    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=context + 1,
        tie_word_embeddings=True,
        initializer_range=INITIALIZER_RANGE,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config), tokenizer


@dataclass(frozen=True)
class TokenStatistics:
    """Of the policy tokens on one trajectory, (n,) each, nats, differentiable."""

    logprobs: Tensor
    entropies: Tensor


def occurrences(model: PreTrainedModel, batch: MicroBatch, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Log-probs and entropies of a micro-batch's occurrences, (M,) each, nats, differentiable.

    The head is applied to the positions that predict policy tokens only.
    """
    hidden = model.get_decoder()(input_ids=batch.token_ids, use_cache=False).last_hidden_state
    return _head(model, hidden[batch.source[:, 0], batch.source[:, 1]], batch.target, temperature)


def _head(model: PreTrainedModel, hidden_MH: Tensor, target_M: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = model.get_output_embeddings()(hidden_MH).float()
    logprobs = torch.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)
    return logprobs.gather(-1, target_M[:, None])[:, 0], token_entropy(logprobs)


def token_statistics(
    model: PreTrainedModel,
    trees: Sequence[RolloutTree],
    *,
    packing: Literal["tree", "flat"] = "tree",
    temperature: float = 1.0,
) -> list[list[TokenStatistics]]:
    """Per tree, per leaf: log-probs and entropies of the policy tokens on the leaf's path, differentiable.

    Args:
        model: the policy.
        trees: what to look at.
        packing: `tree` computes every shared token once, `flat` once per trajectory; values and gradients agree.
        temperature: of the distribution that log-probs and entropies are of.
    """
    if packing == "tree":
        return [_tree_statistics(model, tree, temperature) for tree in trees]
    return _flat_statistics(model, trees, temperature)


def _tree_statistics(model: PreTrainedModel, tree: RolloutTree, temperature: float) -> list[TokenStatistics]:
    packed = pack_tree(tree)
    hidden = model.get_decoder()(
        input_ids=packed.token_ids, attention_mask=packed.mask, position_ids=packed.positions, use_cache=False
    ).last_hidden_state
    logprobs, entropies = _head(model, hidden[0, packed.source], packed.target, temperature)
    return [TokenStatistics(logprobs[leaf], entropies[leaf]) for leaf in packed.leaves]


def _flat_statistics(
    model: PreTrainedModel, trees: Sequence[RolloutTree], temperature: float
) -> list[list[TokenStatistics]]:
    trajectories = unroll(trees)
    found: list[TokenStatistics | None] = [None] * len(trajectories)
    for batch in pack(trajectories, MICROBATCH_TOKENS):
        logprobs, entropies = occurrences(model, batch, temperature)
        for row, index in enumerate(batch.rows.tolist()):
            mine = batch.place[:, 0] == row
            found[index] = TokenStatistics(logprobs[mine], entropies[mine])
    iterator = iter(found)
    return [[entry for _ in tree.leaves if (entry := next(iterator)) is not None] for tree in trees]
