"""Surrogate losses, elementwise over tensors of any shape; each returns the per-token loss.

r = exp(logprobs − old_logprobs), its logarithm clamped to ±20. The gradient coefficient c of dL/dlogπ = −A·c
at ε = .2 and dual clip 3 (algorithms.md, 1.3):

                         A>0, r ≤ 1.2   A>0, r > 1.2   A<0, r < .8   A<0, .8 ≤ r ≤ 3   A<0, r > 3
  ppo_clip               r              0              0             r                 0
  entropy_balanced_clip  r              1.2            0             r                 0
  gppo                   r              1.2            .8            r                 0
  cispo, .8 to 1.2       clip(r)        1.2            .8            clip(r)           1.2

The first three have the same values: only gradients tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LARGEST_LOG_RATIO = 20.0


def log_ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """logπ − logπ_old, clamped to ±20 so that its exponential stays finite."""
    return (logprobs - old_logprobs).clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


def ppo_clip(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = 3.0,
) -> Tensor:
    """−min(r·A, clip(r, 1 − ε_low, 1 + ε_high)·A) (arXiv 1707.06347, eq. 7), dual clip of arXiv 1912.09729."""
    ratio = log_ratio(logprobs, old_logprobs).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return _pessimistic(ratio, clipped, advantages, dual_clip)


def entropy_balanced_clip(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = 3.0,
) -> Tensor:
    """PPO's loss whose upper bound keeps its gradient (arXiv 2510.14545, entropy-balanced clipping).

    Above 1 + ε_high the ratio is replaced by ((1 + ε_high)/sg(r))·r: the value of the bound, the gradient of a
    ratio. It is computed as (1 + ε_high)·exp(logπ − sg(logπ)), which cannot overflow.
    """
    ratio = log_ratio(logprobs, old_logprobs).exp()
    upper = (1 + clip_high) * (logprobs - logprobs.detach()).exp()
    clipped = torch.where(ratio > 1 + clip_high, upper, ratio.clamp(min=1 - clip_low))
    # Above the bound the clipped branch is the smaller objective for A > 0 only; for A < 0 the plain ratio is.
    return _pessimistic(ratio, clipped, advantages, dual_clip)


def gppo(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = 3.0,
) -> Tensor:
    """PPO's loss of which both bounds keep their gradient (arXiv 2508.07629, gradient-preserving clipping).

    The clipped ratio is sg(clip(r))·exp(logπ − sg(logπ)): its value, with the gradient of a ratio everywhere.
    """
    ratio = log_ratio(logprobs, old_logprobs).exp()
    clipped = ratio.detach().clamp(1 - clip_low, 1 + clip_high) * (logprobs - logprobs.detach()).exp()
    return _pessimistic(ratio, clipped, advantages, dual_clip)


def cispo(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, *, cap: float = 5.0, floor: float | None = None
) -> Tensor:
    """−sg(clip(r, floor, cap))·A·logπ (arXiv 2506.13585, eq. 4): every token keeps a gradient, of bounded weight.

    Args:
        logprobs: differentiable, nats.
        old_logprobs: nats.
        advantages: of each token.
        cap: largest weight.
        floor: smallest weight; None, the published one-sided form, for none.
    """
    weight = log_ratio(logprobs, old_logprobs).exp().clamp(min=floor, max=cap).detach()
    return -weight * advantages * logprobs


def _pessimistic(ratio: Tensor, clipped: Tensor, advantages: Tensor, bound: float | None) -> Tensor:
    """−min(r·A, clip(r)·A), and at most −bound·A where A < 0: a bad sample whose ratio has exploded stops pulling."""
    loss = torch.maximum(-ratio * advantages, -clipped * advantages)
    if bound is None:
        return loss
    return torch.where(advantages < 0, torch.minimum(loss, -bound * advantages), loss)


SURROGATES: dict[str, Callable[..., Tensor]] = {
    "ppo_clip": ppo_clip,
    "entropy_balanced_clip": entropy_balanced_clip,
    "gppo": gppo,
    "cispo": cispo,
}
