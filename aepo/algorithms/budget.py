"""Entropy pre-monitoring: how many of a prompt's k rollouts are global (arXiv 2510.14545, section 3.1).

    m = floor(k · σ(β · (H_root − H_tool_avg) / s) + ½), clamped to [1, k]

H_root is the mean entropy of the first tokens of the answer to the question, H_tool_avg the mean over tool
results of the same after each result. s is the deviation of the difference over the batch: the paper publishes
neither β nor the unit of H, and without s a large vocabulary makes the mechanism inert.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

FIRST_SCALE = 0.1
"""Nats; the scale before any batch had enough values."""
FEWEST_VALUES = 8
SMALLEST_SCALE = 1e-3


def global_rollouts(
    root_entropy: float, tool_entropy: float, *, budget: int, beta: float = 1.0, scale: float = 1.0, extra: float = 0.0
) -> int:
    """m, the number of global rollouts out of `budget` = k; the rest are branches.

    Args:
        root_entropy: H_root, nats.
        tool_entropy: H_tool_avg, nats; equal to H_root where no tool was called, which gives k/2.
        budget: k ≥ 1.
        beta: steepness.
        scale: deviation of the difference over the batch, nats.
        extra: added before rounding; ½ gives the published code's floor(k · σ(…)) + 1.
    """
    if budget < 1:
        raise ValueError(f"the rollout budget k is {budget}; it must be at least 1")
    exponent = max(-700.0, min(700.0, beta * (root_entropy - tool_entropy) / scale))
    share = 1 / (1 + math.exp(-exponent))
    return max(1, min(budget, math.floor(budget * share + extra + 0.5)))


def batch_scale(values: Sequence[float], previous: float = FIRST_SCALE) -> float:
    """Standard deviation of `values`, nats; `previous` for fewer than 8 values or a deviation below 1e-3."""
    if len(values) < FEWEST_VALUES:
        return previous
    deviation = statistics.stdev(values)
    return deviation if deviation >= SMALLEST_SCALE else previous
