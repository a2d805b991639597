"""A rollout is a tree of token segments: a prompt, what the policy said, what a tool answered.

A trajectory is a path from the prompt to a leaf. A token that several trajectories share is stored once: the
children of a segment are the ways in which it went on. Segment ids count from 0 in creation order, so a
parent always stands before its children and `segments[i].id == i`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Source = Literal["prompt", "policy", "tool"]
Role = Literal["main", "auxiliary"]
SOURCES: tuple[Source, ...] = ("prompt", "policy", "tool")
ROLES: tuple[Role, ...] = ("main", "auxiliary")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of tokens from one source.

    Attributes:
        id: position in the tree's creation order.
        parent: id of the segment this one continues; None for the prompt.
        source: who wrote it.
        token_ids: the tokens as sampled or encoded, never re-encoded.
        logprobs: per token, nats, under the distribution really sampled (policy segments only).
        entropies: per token, nats, of the full distribution at temperature 1 (policy segments only); lower bounds
            where the engine saw only the most likely tokens.
        text: the decoded tokens, where someone wants to read them.
        head: H of its first tokens, the statistic by which its explorer decided (policy segments only).
        upper_entropies: upper bounds, where `entropies` are lower ones (policy segments only).
    """

    id: int
    parent: int | None
    source: Source
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None = None
    entropies: tuple[float, ...] | None = None
    text: str | None = None
    head: float | None = None
    upper_entropies: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"segment {self.id}: source {self.source!r} is none of {', '.join(SOURCES)}")
        if (self.parent is None) != (self.source == "prompt"):
            raise ValueError(f"segment {self.id}: exactly the prompt has no parent")
        if self.head is not None and self.source != "policy":
            raise ValueError(f"segment {self.id}: only policy segments have head")
        for name in ("logprobs", "entropies", "upper_entropies"):
            values = getattr(self, name)
            if values is None:
                continue
            if self.source != "policy":
                raise ValueError(f"segment {self.id}: only policy segments have {name}")
            if len(values) != len(self.token_ids):
                raise ValueError(
                    f"segment {self.id}: {len(values)} {name} for {len(self.token_ids)} tokens; one each is needed"
                )


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of one trajectory: its last segment, its reward (None = unscored), and how it ended."""

    segment: int
    reward: float | None
    outcome: str
    finish_reason: str


@dataclass(frozen=True)
class RolloutTree:
    """All trajectories of one prompt.

    Attributes:
        prompt_id: which prompt.
        segments: in creation order; the prompt first.
        leaves: one per trajectory, in the order in which the trajectories were created.
        role: `main` trees are learned from; `auxiliary` ones only feed a regulariser.
        temperature: at which policy segments were sampled.
    """

    prompt_id: str
    segments: tuple[Segment, ...]
    leaves: tuple[Leaf, ...]
    role: Role = "main"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.segments or self.segments[0].source != "prompt":
            raise ValueError(f"tree {self.prompt_id!r}: the first segment must be the prompt")
        for position, segment in enumerate(self.segments):
            if segment.id != position:
                raise ValueError(f"tree {self.prompt_id!r}: segment {segment.id} stands at position {position}")
            if position and not 0 <= (segment.parent if segment.parent is not None else -1) < position:
                raise ValueError(
                    f"tree {self.prompt_id!r}: segment {position} has parent {segment.parent}, not an earlier one"
                )
        ends = [leaf.segment for leaf in self.leaves]
        if len(set(ends)) != len(ends) or any(not 0 < end < len(self.segments) for end in ends):
            raise ValueError(f"tree {self.prompt_id!r}: every leaf must end in a segment of its own")
        parents = {segment.parent for segment in self.segments}
        if continued := [end for end in ends if end in parents]:
            raise ValueError(f"tree {self.prompt_id!r}: segment {continued[0]} is a leaf and yet is continued")
        if self.role not in ROLES:
            raise ValueError(f"tree {self.prompt_id!r}: role {self.role!r} is none of {', '.join(ROLES)}")

    @cached_property
    def children(self) -> dict[int, tuple[int, ...]]:
        """Segment id → ids of the segments that continue it, in creation order."""
        found: dict[int, list[int]] = {segment.id: [] for segment in self.segments}
        for segment in self.segments[1:]:
            found[segment.parent].append(segment.id)  # type: ignore[index]
        return {parent: tuple(ids) for parent, ids in found.items()}

    def path(self, segment: int) -> tuple[int, ...]:
        """Segment ids from the prompt to `segment`, both included."""
        ids: list[int] = []
        step: int | None = segment
        while step is not None:
            ids.append(step)
            step = self.segments[step].parent
        return tuple(reversed(ids))

    def paths(self) -> tuple[tuple[int, ...], ...]:
        """Each trajectory as segment ids, in the order of `leaves`."""
        return tuple(self.path(leaf.segment) for leaf in self.leaves)

    def leaf_weights(self) -> tuple[float, ...]:
        """1/(number of roots) · Π 1/(children at each branch point), per leaf (algorithms.md, 1.1).

        Branching over-weights prefixes of high entropy; with these weights a mean over leaves estimates what
        independent trajectories would give. They sum to 1.
        """
        width = {parent: max(len(ids), 1) for parent, ids in self.children.items()}
        weights = []
        for path in self.paths():
            weight = 1.0
            for segment in path[:-1]:
                weight /= width[segment]
            weights.append(weight)
        return tuple(weights)

    def depth(self, segment: int) -> int:
        """Number of tool results on the path to `segment`, itself included."""
        return sum(self.segments[step].source == "tool" for step in self.path(segment))

    def branches_by_depth(self) -> Counter[int]:
        """Depth → number of extra children grown there; roots (depth 0) are not branches."""
        extra: Counter[int] = Counter()
        for parent, ids in self.children.items():
            if parent and len(ids) > 1:
                extra[self.depth(parent)] += len(ids) - 1
        return extra

    @property
    def roots(self) -> int:
        """Trajectories that were started from the prompt itself."""
        return len(self.children[0])
