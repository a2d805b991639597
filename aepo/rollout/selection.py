"""Dynamic sampling: prompts whose trajectories all have the same reward teach nothing (arXiv 2503.14476, eq. 11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aepo.trajectories.tree import RolloutTree


def informative(tree: RolloutTree) -> bool:
    """Whether the rewards of a tree's scored trajectories differ."""
    return len({leaf.reward for leaf in tree.leaves if leaf.reward is not None}) > 1


def selected(trees: Iterable[RolloutTree], order: Sequence[str], wanted: int) -> list[RolloutTree]:
    """The first `wanted` informative main trees in the order of their prompts, and every auxiliary tree.

    Args:
        trees: what was drawn, in any order.
        order: ids of the prompts that were drawn.
        wanted: main trees to learn from.
    """
    places = {prompt: place for place, prompt in enumerate(order)}
    ordered = sorted(trees, key=lambda tree: (tree.role != "main", places[tree.prompt_id]))
    main = [tree for tree in ordered if tree.role == "main" and informative(tree)]
    return main[:wanted] + [tree for tree in ordered if tree.role != "main"]
