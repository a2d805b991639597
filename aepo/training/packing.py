"""Trees → padded micro-batches, one row per trajectory (flat packing).

The learner sees occurrences: policy tokens on trajectories, as N trajectories × T policy tokens. Rows are
padded on the right, where causal attention never looks, so no mask is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aepo.trajectories.tree import RolloutTree, Segment

SEGMENT_BITS = 32


@dataclass(frozen=True)
class Trajectory:
    """One path of a tree, unrolled.

    Attributes:
        token_ids: (L,) all tokens.
        policy: (n,) positions of the policy tokens, ascending, all > 0.
        logprobs: (n,) of the sampler, nats; NaN where it gave none.
        turns: (n,) the turn of each policy token, counted from 0.
        segments: (n,) the segment of each policy token; no two trees have one in common.
        observed: per turn, the text of the turn before it and the tool's answer; empty texts for the first.
        reward: of the leaf; None = unscored.
        weight: leaf weight.
        tree: index of the tree it belongs to.
        auxiliary: whether the tree only feeds a regulariser.
    """

    token_ids: np.ndarray
    policy: np.ndarray
    logprobs: np.ndarray
    turns: np.ndarray
    segments: np.ndarray
    observed: tuple[tuple[str, str], ...]
    reward: float | None
    weight: float
    tree: int
    auxiliary: bool


def unroll(trees: Sequence[RolloutTree]) -> list[Trajectory]:
    """Every trajectory of every tree, in the order of trees and leaves."""
    return [trajectory for index, tree in enumerate(trees) for trajectory in _unroll(index, tree)]


def _unroll(index: int, tree: RolloutTree) -> Iterator[Trajectory]:
    for path, leaf, weight in zip(tree.paths(), tree.leaves, tree.leaf_weights(), strict=True):
        segments = [tree.segments[step] for step in path]
        lengths = [len(segment.token_ids) for segment in segments]
        starts = np.cumsum([0, *lengths[:-1]])
        sampled = [
            (start, segment) for start, segment in zip(starts, segments, strict=True) if segment.source == "policy"
        ]
        counts = [len(segment.token_ids) for _, segment in sampled]
        yield Trajectory(
            token_ids=np.concatenate([np.asarray(segment.token_ids, dtype=np.int64) for segment in segments]),
            policy=np.concatenate([start + np.arange(len(segment.token_ids)) for start, segment in sampled]),
            logprobs=np.concatenate(
                [
                    np.full(len(segment.token_ids), np.nan)
                    if segment.logprobs is None
                    else np.asarray(segment.logprobs)
                    for _, segment in sampled
                ]
            ),
            turns=np.repeat(np.arange(len(sampled)), counts),
            segments=np.repeat([(index << SEGMENT_BITS) + segment.id for _, segment in sampled], counts),
            observed=_observed(segments),
            reward=leaf.reward,
            weight=weight,
            tree=index,
            auxiliary=tree.role == "auxiliary",
        )


def _observed(path: Sequence[Segment]) -> tuple[tuple[str, str], ...]:
    """What stood before each policy turn of a path."""
    texts = [str(segment.token_ids) if segment.text is None else segment.text for segment in path]
    turns = [place for place, segment in enumerate(path) if segment.source == "policy"]
    return tuple(("", "") if place == turns[0] else (texts[place - 2], texts[place - 1]) for place in turns)


@dataclass(frozen=True)
class MicroBatch:
    """Some trajectories, padded.

    Attributes:
        rows: (B,) their indices in the batch that was packed.
        token_ids: (B, L).
        source: (M, 2) row and position of the token before each occurrence: whose output predicts it.
        target: (M,) the occurrence's token.
        place: (M, 2) row in this micro-batch and column among the trajectory's policy tokens.
    """

    rows: Tensor
    token_ids: Tensor
    source: Tensor
    target: Tensor
    place: Tensor


def pack(trajectories: Sequence[Trajectory], budget: int) -> list[MicroBatch]:
    """Micro-batches of at most `budget` padded tokens each (or one trajectory), of similar lengths.

    The order of equal lengths is that of `trajectories`, so packing is a function of its input alone.
    """
    order = sorted(range(len(trajectories)), key=lambda index: len(trajectories[index].token_ids), reverse=True)
    batches: list[list[int]] = []
    for index in order:
        if batches and (len(batches[-1]) + 1) * len(trajectories[batches[-1][0]].token_ids) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return [_micro_batch(trajectories, rows) for rows in batches]


def _micro_batch(trajectories: Sequence[Trajectory], rows: list[int]) -> MicroBatch:
    longest = len(trajectories[rows[0]].token_ids)
    tokens = np.zeros((len(rows), longest), dtype=np.int64)
    source, target, place = [], [], []
    for row, index in enumerate(rows):
        trajectory = trajectories[index]
        tokens[row, : len(trajectory.token_ids)] = trajectory.token_ids
        count = len(trajectory.policy)
        source.append(np.stack([np.full(count, row), trajectory.policy - 1], axis=1))
        target.append(trajectory.token_ids[trajectory.policy])
        place.append(np.stack([np.full(count, row), np.arange(count)], axis=1))
    return MicroBatch(
        rows=torch.tensor(rows),
        token_ids=torch.from_numpy(tokens),
        source=torch.from_numpy(np.concatenate(source)),
        target=torch.from_numpy(np.concatenate(target)),
        place=torch.from_numpy(np.concatenate(place)),
    )
