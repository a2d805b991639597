"""The objective of a mini-batch: any method's surrogate and regulariser over occurrences.

An occurrence is a policy token on a trajectory. Occurrences are laid out as N trajectories × T policy tokens;
how the tokens were packed for the forward pass is of no concern here. Statistics and denominators are those of
the GLOBAL mini-batch; a micro-batch is some of its rows, and the losses of any split add up to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from aepo.algorithms.advantages import entropy_balanced, group_relative
from aepo.algorithms.aggregation import token_mean
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from aepo.algorithms.regularisers import is_positive, k3, positive_reinforce
from aepo.algorithms.surrogates import SURROGATES, log_ratio

POSITIVE_ADVANTAGE = 0.05
"""Smallest group advantage of a positive when positives are chosen by advantage (arXiv 2510.08141)."""


@dataclass(frozen=True)
class Batch:
    """Trajectories of a mini-batch, all scored.

    Attributes:
        rewards_N: rewards.
        groups_N: prompt of each trajectory.
        weights_N: loss weight of each trajectory, 1 on average.
        auxiliary_N: bool; trajectories that only feed the regulariser.
        mask_NT: 1 on policy tokens.
        advantages_NT: of the method's estimator (`estimate`); 0 on auxiliary trajectories and outside the mask.
        old_logprobs_NT: of the trainer's policy before the updates, nats.
        importance_NT: truncated importance weights of trainer against sampler, 1 where not corrected.
        old_entropies_NT: of the trainer's policy before the updates, nats; None where no pass computed them.
        reference_logprobs_NT: of the first policy, nats; None where nothing needs them.
    """

    rewards_N: Tensor
    groups_N: Tensor
    weights_N: Tensor
    auxiliary_N: Tensor
    mask_NT: Tensor
    advantages_NT: Tensor
    old_logprobs_NT: Tensor
    importance_NT: Tensor
    old_entropies_NT: Tensor | None = None
    reference_logprobs_NT: Tensor | None = None

    @property
    def main_mask(self) -> Tensor:
        """1 on the policy tokens of main trajectories."""
        return self.mask_NT * (~self.auxiliary_N)[:, None]

    def rows(self, index: Tensor) -> Batch:
        """The trajectories at `index`."""
        chosen: dict[str, Any] = {name: None if it is None else it[index] for name, it in vars(self).items()}
        return Batch(**chosen)


def entropy_aware(batch: Batch, settings: Advantage, entropies_NT: Tensor | None = None) -> Tensor:
    """The mini-batch's advantages A·(1 + a·z), (N, T); as they are where a = 0.

    Raises:
        ValueError: the entropy-aware term is on and nobody computed entropies.
    """
    if settings.entropy_weight == 0:
        return batch.advantages_NT
    entropies_NT = batch.old_entropies_NT if entropies_NT is None else entropies_NT
    if entropies_NT is None:
        raise ValueError(
            "advantage.entropy_weight > 0 needs token entropies and the batch has none: the entropy-aware "
            "advantage would be skipped silently"
        )
    return entropy_balanced(batch.advantages_NT, entropies_NT, batch.main_mask, scale=settings.entropy_weight)


def auxiliary_weights(batch: Batch, settings: Regulariser) -> Tensor:
    """(N,) α · 1[positive] / (N_aux · |o_i|) on auxiliary trajectories, 0 elsewhere: the weight of each token."""
    weights = torch.zeros_like(batch.rewards_N)
    auxiliary = batch.auxiliary_N
    if settings.function != "auxiliary" or not auxiliary.any():
        return weights
    rewards = batch.rewards_N[auxiliary]
    match settings.positive:
        case "reward":
            positive = is_positive(rewards, settings.positive_threshold)
        case "advantage":
            positive = group_relative(rewards, batch.groups_N[auxiliary]) > POSITIVE_ADVANTAGE
        case "all":
            positive = torch.ones_like(rewards, dtype=torch.bool)
    lengths = batch.mask_NT[auxiliary].sum(-1).clamp(min=1)
    weights[auxiliary] = settings.coefficient * positive.to(weights.dtype) / (len(rewards) * lengths)
    return weights


@dataclass(frozen=True)
class Targets:
    """What the loss needs beside the policy: computed once per global mini-batch, then split by rows.

    Attributes:
        batch: the trajectories.
        advantages_NT: of each token.
        auxiliary_weights_N: of each token of an auxiliary trajectory.
        bonus: c of the entropy bonus.
        kl: weight of the divergence from the first policy.
        denominator: main policy tokens of the global mini-batch.
    """

    batch: Batch
    advantages_NT: Tensor
    auxiliary_weights_N: Tensor
    bonus: float
    kl: float
    denominator: Tensor

    def rows(self, index: Tensor) -> Targets:
        """The trajectories at `index`, with the global denominator."""
        return replace(
            self,
            batch=self.batch.rows(index),
            advantages_NT=self.advantages_NT[index],
            auxiliary_weights_N=self.auxiliary_weights_N[index],
        )


def targets(
    batch: Batch,
    advantage: Advantage,
    regulariser: Regulariser,
    entropies_NT: Tensor | None = None,
    *,
    coefficient: float | None = None,
) -> Targets:
    """What the global mini-batch's loss needs.

    Args:
        batch: the global mini-batch.
        advantage: decides whether advantages are entropy-aware.
        regulariser: which term stands beside the surrogate.
        entropies_NT: of the current policy, where those of the old one are not to be used.
        coefficient: of the entropy bonus, where a controller has set it.
    """
    own = regulariser.coefficient if coefficient is None else coefficient
    return Targets(
        batch=batch,
        advantages_NT=entropy_aware(batch, advantage, entropies_NT),
        auxiliary_weights_N=auxiliary_weights(batch, regulariser),
        bonus=own if regulariser.function == "entropy" else 0.0,
        kl=regulariser.kl,
        denominator=batch.main_mask.sum().clamp(min=1),
    )


def loss(
    targets: Targets, surrogate: Surrogate, logprobs_NT: Tensor, entropies_NT: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """A micro-batch's share of the mini-batch's loss, and sums for metrics.

    Args:
        targets: of these rows.
        surrogate: which loss.
        logprobs_NT: differentiable log-probs of the policy, nats.
        entropies_NT: differentiable entropies, nats; for an entropy bonus.

    Returns:
        scalar loss; sums over tokens (divide by the mini-batch's counts to get fractions).
    """
    batch = targets.batch
    per_token = surrogate_loss(surrogate, logprobs_NT, batch.old_logprobs_NT, targets.advantages_NT)
    weights_NT = batch.main_mask * batch.importance_NT * batch.weights_N[:, None]
    total = token_mean(per_token, weights_NT, denominator=targets.denominator)
    total = total + _regularisation(targets, surrogate, logprobs_NT, entropies_NT)
    return total, _diagnostics(targets, surrogate, logprobs_NT.detach())


def surrogate_loss(surrogate: Surrogate, logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor) -> Tensor:
    """The per-token loss that the settings name, for tensors of any shape."""
    if surrogate.function == "cispo":
        chosen = {"cap": surrogate.cap, "floor": surrogate.floor}
    else:
        chosen = surrogate.model_dump(include={"clip_low", "clip_high", "dual_clip"})
    return SURROGATES[surrogate.function](logprobs, old_logprobs, advantages, **chosen)


def _regularisation(targets: Targets, surrogate: Surrogate, logprobs_NT: Tensor, entropies_NT: Tensor | None) -> Tensor:
    """The terms beside the surrogate; importance weights and tree weights do not apply to them."""
    batch, total = targets.batch, logprobs_NT.new_zeros(())
    positives = torch.nonzero(targets.auxiliary_weights_N)[:, 0]
    if len(positives):
        reinforce = positive_reinforce(
            logprobs_NT[positives],
            batch.old_logprobs_NT[positives],
            clip_low=surrogate.clip_low,
            clip_high=surrogate.clip_high,
        )
        weights_NT = batch.mask_NT[positives] * targets.auxiliary_weights_N[positives, None]
        total = total + (reinforce * weights_NT).sum()
    if targets.bonus > 0:
        if entropies_NT is None:
            raise ValueError("an entropy bonus needs the policy's entropies, and none were given")
        total = total - targets.bonus * token_mean(entropies_NT, batch.main_mask, denominator=targets.denominator)
    if targets.kl > 0:
        if batch.reference_logprobs_NT is None:
            raise ValueError("regulariser.kl > 0 needs log-probs of the first policy, and the batch has none")
        divergence = k3(logprobs_NT, batch.reference_logprobs_NT)
        total = total + targets.kl * token_mean(divergence, batch.main_mask, denominator=targets.denominator)
    return total


def _diagnostics(targets: Targets, surrogate: Surrogate, logprobs_NT: Tensor) -> dict[str, Tensor]:
    """How many tokens there were, and how many of them lay beyond the surrogate's bounds."""
    main = targets.batch.main_mask.bool()
    delta = log_ratio(logprobs_NT, targets.batch.old_logprobs_NT)
    ratio, nothing = delta.exp(), delta.new_zeros(())
    positive, negative = (main & sign for sign in (targets.advantages_NT > 0, targets.advantages_NT < 0))
    low, high = 1 - surrogate.clip_low, 1 + surrogate.clip_high
    if surrogate.function == "cispo":
        low, high = surrogate.floor or 0.0, surrogate.cap
    sums = {
        "tokens": main.sum(),
        "positive_tokens": positive.sum(),
        "clipped_high": (positive & (ratio > high)).sum(),
        "clipped_low": (negative & (ratio < low)).sum(),
        "kl": torch.where(main, ratio - 1 - delta, nothing).sum(),
    }
    if (reference_NT := targets.batch.reference_logprobs_NT) is not None:
        sums["kl_first"] = torch.where(main, k3(logprobs_NT, reference_NT), nothing).sum()
    return sums
