"""Regularisers: control of entropy, or of the distance to the first policy, beside the surrogate.

Arbitrary entropy (arXiv 2510.08141):

    J = J_GRPO + α · (1/N_aux) Σ_i 1[R_i = 1] · (1/|o_i|) Σ_t min(r, clip(r, 1 − ε, 1 + ε))

over auxiliary samples drawn at a temperature that rises when entropy is below its target and falls when it is
above. Only positives enter: negatives re-collapse entropy. The mean is over all auxiliary samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aepo.algorithms.surrogates import log_ratio


def auxiliary_temperature(
    entropy: float | None, *, target: float, low: float = 0.8, high: float = 1.2, rule: str = "continuous"
) -> float:
    """The temperature of the next auxiliary samples.

    Args:
        entropy: H of the previous update, nats; None at step 0, which gives 1.
        target: H̄, nats.
        low: lowest temperature.
        high: highest temperature.
        rule: `continuous`, clip(1 + H̄ − H, low, high) (v7); `two-point`, high below the target, else low (v1–v6);
            `none`, always 1.
    """
    if entropy is None or rule == "none":
        return 1.0
    if rule == "two-point":
        return high if entropy < target else low
    return min(high, max(low, 1 + target - entropy))


def positive_reinforce(
    logprobs: Tensor, old_logprobs: Tensor, *, clip_low: float = 0.2, clip_high: float = 0.2
) -> Tensor:
    """−min(r, clip(r, 1 − ε_low, 1 + ε_high)), the per-token loss of a positive sample with advantage 1."""
    ratio = log_ratio(logprobs, old_logprobs).exp()
    return -torch.minimum(ratio, ratio.clamp(1 - clip_low, 1 + clip_high))


def is_positive(rewards_N: Tensor, threshold: float | None) -> Tensor:
    """Which samples are positives: reward ≥ threshold; None means 1 and needs rewards in {−1, 0, 1}.

    Raises:
        ValueError: no threshold was given and some reward is none of −1, 0, 1.
    """
    if threshold is None:
        odd = rewards_N[(rewards_N != -1) & (rewards_N != 0) & (rewards_N != 1)]
        if len(odd):
            raise ValueError(
                f"a reward of {float(odd[0]):g} is none of −1, 0, 1: set regulariser.positive_threshold to say "
                "which rewards count as positive"
            )
        threshold = 1.0
    return rewards_N >= threshold


def adapted_coefficient(
    coefficient: float, entropy: float | None, *, target: float, adaptation: float = 0.005, limit: float = 1.0
) -> float:
    """The next weight c of an entropy bonus: raised while the entropy is below its target, lowered otherwise.

    Args:
        coefficient: c of the previous update.
        entropy: H of the previous update, nats; None before the first, which leaves c as it is.
        target: H̄, nats.
        adaptation: how much c moves.
        limit: largest c; the smallest is 0.
    """
    moved = coefficient
    if entropy is not None:
        moved += adaptation if entropy < target else -adaptation
    return min(limit, max(0.0, moved))


def k3(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """exp(d) − d − 1 with d = logπ_ref − logπ: an estimate of KL(π‖π_ref) per token that is never negative.

    http://joschu.net/blog/kl-approx.html; d is clamped as log-ratios are.
    """
    difference = log_ratio(reference_logprobs, logprobs)
    return difference.exp() - difference - 1
