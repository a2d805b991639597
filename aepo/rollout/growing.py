"""Segments and trajectories while their tree grows."""

from __future__ import annotations

from dataclasses import dataclass, field

from aepo.environments.base import Step
from aepo.rollout.engine import Generation
from aepo.trajectories.tree import Leaf, Source


@dataclass(eq=False)
class Node:
    """A segment; ids are given at the end."""

    parent: Node | None
    source: Source
    token_ids: tuple[int, ...]
    text: str
    generation: Generation | None = None
    head: float | None = None


@dataclass(eq=False)
class Path:
    """A trajectory.

    Attributes:
        index: place among the tree's trajectories.
        family: index of the root it goes back to.
        tip: its last segment.
        tokens: all its tokens.
        born: depth at which it branched off; 0 for a root.
        decided: deepest tool result at which it was decided whether it branches; a child's is that of its birth.
        branches: whether it may branch.
        streak: l, consecutive branchings.
        steps: its tool calls.
        results: per tool result: its segment, the tokens and the steps up to it.
        heads: depth → H of the turn after that many tool results.
        own: segments that it has grown itself.
        leaf: its end, once it has one.
    """

    index: int
    family: int
    tip: Node
    tokens: tuple[int, ...]
    born: int = 0
    decided: int = 0
    branches: bool = True
    streak: int = 0
    steps: tuple[Step, ...] = ()
    results: list[tuple[Node, tuple[int, ...], tuple[Step, ...]]] = field(default_factory=list)
    heads: dict[int, float] = field(default_factory=dict)
    own: list[Node] = field(default_factory=list)
    leaf: Leaf | None = None

    @property
    def depth(self) -> int:
        """Tool results so far."""
        return len(self.results)

    def grow(self, node: Node) -> None:
        """Go on with a segment."""
        self.tip = node
        self.tokens += node.token_ids
        self.own.append(node)

    def fork(self, index: int, depth: int) -> Path:
        """A child that starts at the end of tool result `depth` and shares everything up to it."""
        tip, tokens, steps = self.results[depth - 1]
        return Path(
            index=index,
            family=self.family,
            tip=tip,
            tokens=tokens,
            born=depth,
            decided=depth,
            streak=self.streak,
            steps=steps,
            results=self.results[:depth],
        )
