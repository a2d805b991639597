"""The worked examples of algorithms.md, section 4.

One prompt, four responses of five tokens. A 0 inside a row of the mask is a tool result. What stands on masked
tokens must not matter, so the example holds nonsense there. `None` in a gradient marks a masked token. And for
advantages of steps, one prompt, three trajectories of three, two and four steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

NONSENSE = 7.25


def tensor(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


MASK = tensor([1, 1, 1, 0, 0], [1, 1, 0, 1, 1], [1, 1, 1, 1, 0], [1, 0, 0, 1, 0])
REWARDS = tensor(1, 0, -1, 1.1)
GROUPS = torch.zeros(4, dtype=torch.long)

_ = NONSENSE
LOGPROBS = tensor([0.3, -0.3, 0.1, _, _], [0.05, 0.4, _, -0.5, 0.2], [1.3, -0.1, 0, 0.25, _], [0.5, _, _, -0.4, _])
OLD_LOGPROBS = (MASK - 1) * NONSENSE
ENTROPIES = tensor([0.1, 0.5, 2, _, _], [0.2, 0.3, _, 1, 0.4], [0, 0.7, 0.1, 1.5, _], [3, _, _, 0.6, _])

GRPO = tensor(0.736442, -0.279340, -1.295121, 0.838020)
GRPO_WITHOUT_STD = tensor(0.725, -0.275, -1.275, 0.825)
REINFORCE_PLUS_PLUS = tensor(1.030558, -0.104802, -1.240163, 1.144094)
ENTROPY_AWARE = (
    (0.619577, 0.686357, 0.936781, None, None),
    (-0.241344, -0.247677, None, -0.292005, -0.254010),
    (-1.060241, -1.265761, -1.089601, -1.500642, None),
    (1.255970, None, None, 0.800024, None),
)

PPO_LOSS = 0.42152443
PPO_GRADIENT = (
    (0, -0.041967, -0.062607, None, None),
    (0.022589, 0.032056, None, 0, 0.026245),
    (0, 0.090144, 0.099625, 0.127921, None),
    (0, None, None, -0.043211, None),
)
BALANCED_GRADIENT = (
    (-0.067979, -0.041967, -0.062607, None, None),
    PPO_GRADIENT[1],
    PPO_GRADIENT[2],
    (-0.077356, None, None, -0.043211, None),
)
BALANCED_ENTROPY_LOSS = 0.32145061
BALANCED_ENTROPY_GRADIENT = (
    (-0.057192, -0.039113, -0.079639, None, None),
    (0.019517, 0.028422, None, 0, 0.023865),
    (0, 0.088101, 0.083815, 0.148220, None),
    (-0.115936, None, None, -0.041252, None),
)

STEP_REWARDS = tensor(1, 0, 1)
STEP_ANCHORS = ((0, 1, 2), (0, 1), (0, 3, 1, 2))
STEP_RETURNS = ((0.9025, 0.95, 1), (0, 0), (0.857375, 0.9025, 0.95, 1))
GIGPO = {
    "mean": ((0.649208, 0.65, 0.333333), (-1.253292, -1.3), (0.604083, 0.333333, 0.65, 0.333333)),
    "mean-std": ((1.198498, 1.154698, 0.577349), (-2.308260, -2.309397), (1.109762, 0.577349, 1.154698, 0.577349)),
}


def unmasked(rows: tuple[tuple[float | None, ...], ...]) -> Tensor:
    """The rows as a tensor, 0 on masked tokens."""
    return tensor(*[[0.0 if value is None else value for value in row] for row in rows])
