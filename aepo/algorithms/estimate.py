"""From rewards to advantages as a method's settings say, over a whole rollout batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from torch import Tensor

from aepo.algorithms.advantages import (
    gigpo,
    group_relative,
    overlong_penalty,
    reinforce_plus_plus,
    reinforce_plus_plus_baseline,
    shared_mean,
)
from aepo.algorithms.parts import Advantage


@dataclass(frozen=True)
class Experience:
    """What the advantages of N scored trajectories of at most T policy tokens depend on.

    Attributes:
        rewards_N: rewards.
        groups_N: prompt of each trajectory.
        mask_NT: 1 on policy tokens.
        turns_NT: the turn of each policy token, counted from 0; −1 elsewhere.
        segments_NT: the segment of each policy token, a number that no other one has; −1 elsewhere.
        anchors: per trajectory and turn, what was observed before it; needed by estimators that compare steps alone.
    """

    rewards_N: Tensor
    groups_N: Tensor
    mask_NT: Tensor
    turns_NT: Tensor
    segments_NT: Tensor
    anchors: Sequence[Sequence[Hashable]] = ()


def estimate(its: Experience, settings: Advantage, *, context: int) -> Tensor:
    """Advantages, (N, T), 0 outside the mask.

    Args:
        its: the batch.
        settings: which estimator.
        context: most tokens of a trajectory: its full length, where the settings name none.
    """
    rewards_N = its.rewards_N
    if settings.overlong_factor > 0:
        full = settings.overlong_tokens or context
        rewards_N = rewards_N + overlong_penalty(
            its.mask_NT.sum(-1), full=full, buffer=settings.overlong_buffer * full, factor=settings.overlong_factor
        )
    advantages_NT = ESTIMATORS[settings.estimator](rewards_N, its, settings)
    return shared_mean(advantages_NT, its.segments_NT) if settings.sharing == "hard" else advantages_NT


def _group_relative(rewards_N: Tensor, its: Experience, settings: Advantage) -> Tensor:
    advantages_N = group_relative(rewards_N, its.groups_N, normalise_std=settings.normalise_std)
    return advantages_N[:, None] * its.mask_NT


def _reinforce_plus_plus(rewards_N: Tensor, its: Experience, _: Advantage) -> Tensor:
    return reinforce_plus_plus(rewards_N, its.mask_NT)


def _reinforce_plus_plus_baseline(rewards_N: Tensor, its: Experience, _: Advantage) -> Tensor:
    return reinforce_plus_plus_baseline(rewards_N, its.groups_N, its.mask_NT)


def _gigpo(rewards_N: Tensor, its: Experience, settings: Advantage) -> Tensor:
    return gigpo(
        rewards_N,
        its.groups_N,
        its.turns_NT,
        its.anchors,
        gamma=settings.discount,
        omega=settings.step_weight,
        normalise_std=settings.normalise_std,
    )


ESTIMATORS: dict[str, Callable[[Tensor, Experience, Advantage], Tensor]] = {
    "group_relative": _group_relative,
    "reinforce_plus_plus": _reinforce_plus_plus,
    "reinforce_plus_plus_baseline": _reinforce_plus_plus_baseline,
    "gigpo": _gigpo,
}
