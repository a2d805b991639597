"""What a batch of rollouts looked like: rewards, branches, entropies, tokens. Means use leaf weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from aepo.rollout.plan import BatchPlan
from aepo.trajectories.tree import Leaf, RolloutTree

DEPTHS = 4
"""Branches are counted per depth up to here."""
TOP_FAMILIES = 3


def accuracy(trees: Sequence[RolloutTree]) -> float:
    """Leaf-weighted share of correct trajectories among the scored ones."""
    return _weighted_mean(trees, lambda leaf: float(leaf.outcome == "correct"))


def plan_metrics(plan: BatchPlan) -> dict[str, float]:
    """Metrics of a budget plan: mean m; scales, root and tool entropy and auxiliary temperature where they count."""
    metrics = {"global_rollouts": sum(row.m for row in plan.prompts) / max(1, len(plan.prompts))}
    if any(row.auxiliary for row in plan.prompts):
        metrics["temperature"] = plan.temperature
    measured = [row for row in plan.prompts if row.root_entropy is not None]
    if measured:
        metrics |= {"scale_root": plan.scales.root, "scale_tool": plan.scales.tool}
        metrics["root_entropy"] = sum(row.root_entropy or 0.0 for row in measured) / len(measured)
        metrics["tool_entropy"] = sum(row.tool_entropy or 0.0 for row in measured) / len(measured)
    return metrics


def tree_metrics(trees: Sequence[RolloutTree]) -> dict[str, float]:
    """Metrics of a batch's main trees; sampled tokens count auxiliary ones too.

    `top_families` is the mean over the trees that branched, and missing where none has; so are the bounds of the
    sampled tokens' entropy, nats, where it is known exactly.
    """
    main = [tree for tree in trees if tree.role == "main"]
    leaves = [leaf for tree in main for leaf in tree.leaves]
    count = max(1, len(leaves))
    depths: Counter[int] = Counter()
    for tree in main:
        depths.update(tree.branches_by_depth())
    concentrations = [share for tree in main if (share := top_families(tree)) is not None]
    policy = [segment for tree in trees for segment in tree.segments if segment.source == "policy"]
    return {
        "reward": _weighted_mean(main, lambda leaf: leaf.reward or 0.0),
        "accuracy": accuracy(main),
        "malformed": _weighted_mean(main, lambda leaf: float(leaf.outcome == "malformed")),
        "unscored": sum(leaf.reward is None for leaf in leaves) / count,
        "trajectories": float(len(leaves)),
        "branches": sum(depths.values()) / count,
        "branched_trajectories": sum(map(branched_trajectories, main)) / max(1, len(main)),
        **({"top_families": sum(concentrations) / len(concentrations)} if concentrations else {}),
        "tool_calls": sum(tree.depth(leaf.segment) for tree in main for leaf in tree.leaves) / count,
        "sampled_tokens": float(sum(len(segment.token_ids) for segment in policy)),
        **{f"branches_depth_{depth}": depths[depth] / count for depth in range(1, DEPTHS + 1)},
        **_entropy_bounds(main),
    }


def top_families(tree: RolloutTree) -> float | None:
    """Share of a tree's branches that fall on its three most-branched families; None where nothing branched.

    A family is every trajectory that goes back to one root. All of it but the root itself are branches.
    """
    families = Counter(path[1] for path in tree.paths())
    branches = sorted((size - 1 for size in families.values()), reverse=True)
    return sum(branches[:TOP_FAMILIES]) / sum(branches) if sum(branches) else None


def branched_trajectories(tree: RolloutTree) -> int:
    """Trajectories that branched at least once.

    A fork after a tool result was made by the trajectory that called the tool: the oldest that goes through it.
    """
    seen, count = {0}, 0
    for path in tree.paths():
        own = set(path) - seen
        seen |= own
        count += any(len(tree.children[segment]) > 1 for segment in own)
    return count


def _entropy_bounds(trees: Sequence[RolloutTree]) -> dict[str, float]:
    """Leaf-weighted means over policy tokens of what engines know within bounds only."""
    lower = upper = count = 0.0
    for tree in trees:
        for path, weight in zip(tree.paths(), tree.leaf_weights(), strict=True):
            for segment in (tree.segments[step] for step in path):
                if segment.upper_entropies is not None:
                    lower += weight * sum(segment.entropies or ())
                    upper += weight * sum(segment.upper_entropies)
                    count += weight * len(segment.token_ids)
    return {"entropy_lower": lower / count, "entropy_upper": upper / count} if count else {}


def _weighted_mean(trees: Sequence[RolloutTree], value: Callable[[Leaf], float]) -> float:
    total = weight_sum = 0.0
    for tree in trees:
        for leaf, weight in zip(tree.leaves, tree.leaf_weights(), strict=True):
            if leaf.reward is not None:
                total += weight * value(leaf)
                weight_sum += weight
    return total / weight_sum if weight_sum else 0.0
