"""The budget plan of a batch: how each prompt's k trajectories are split, and at which scales.

It comes from the pre-monitor trajectories, one per prompt, before any rollout (arXiv 2510.14545, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from aepo import keys
from aepo.algorithms.budget import FIRST_SCALE, batch_scale, global_rollouts
from aepo.algorithms.parts import Exploration, Regulariser
from aepo.rollout.engine import Statistic
from aepo.trajectories.tree import RolloutTree, Segment


@dataclass(frozen=True)
class Scales:
    """Deviations over a batch, in the statistic's unit.

    `root` is that of H_root − H_tool_avg over prompts, `tool` that of H_t − H_initial over tool results.
    """

    root: float = FIRST_SCALE
    tool: float = FIRST_SCALE


@dataclass(frozen=True)
class PromptPlan:
    """How one prompt is explored.

    Attributes:
        prompt_id: which prompt.
        k: trajectories in all.
        m: global ones among them.
        root_entropy: H_root of the pre-monitor trajectory, in the statistic's unit; None where none was made.
        tool_entropy: H_tool_avg, likewise.
        auxiliary: whether the prompt gets auxiliary trajectories too.
    """

    prompt_id: str
    k: int
    m: int
    root_entropy: float | None = None
    tool_entropy: float | None = None
    auxiliary: bool = False


@dataclass(frozen=True)
class BatchPlan:
    """A batch's plans and what they share.

    Attributes:
        step: the rollout step.
        prompts: one plan per prompt.
        scales: of this batch.
        temperature: of the auxiliary trajectories.
        firsts: the pre-monitor trees by prompt id, which rollout continues.
    """

    step: int
    prompts: tuple[PromptPlan, ...]
    scales: Scales = Scales()
    temperature: float = 1.0
    firsts: dict[str, RolloutTree] = field(default_factory=dict)


def head_entropy(values: Sequence[float], tokens: int, statistic: Statistic = "mean") -> float:
    """H of a turn: mean or, in the published code, sum of what its first `tokens` tokens give; 0 for an empty turn."""
    head = values[:tokens]
    if statistic == "official":
        return sum(head)
    return sum(head) / len(head) if head else 0.0


def head_of(turn: Segment, tokens: int) -> float:
    """H of a recorded turn: as its explorer measured it, or else the mean of its first entropies, nats."""
    return head_entropy(turn.entropies or (), tokens) if turn.head is None else turn.head


def turn_entropies(tree: RolloutTree, tokens: int) -> tuple[float, tuple[float, ...]]:
    """H_root and the H_t of a single trajectory."""
    heads = [head_of(segment, tokens) for segment in tree.segments if segment.source == "policy"]
    return heads[0], tuple(heads[1:])


def make_plan(
    step: int,
    prompt_ids: Sequence[str],
    firsts: Sequence[RolloutTree],
    exploration: Exploration,
    regulariser: Regulariser,
    *,
    seed: int,
    previous: Scales = Scales(),
    temperature: float = 1.0,
) -> BatchPlan:
    """Split the budget of every prompt of a batch.

    Args:
        step: rollout step, part of every key.
        prompt_ids: the batch.
        firsts: their pre-monitor trees, or nothing for methods that need none.
        exploration: the rule.
        regulariser: decides which prompts get auxiliary trajectories.
        seed: of the run.
        previous: scales of the batch before, carried where this one has too few values.
        temperature: of the auxiliary trajectories.
    """
    auxiliary = _auxiliary(prompt_ids, regulariser, seed, step)
    k = exploration.k
    if not firsts:
        m = exploration.fixed_rollouts
        plain = tuple(PromptPlan(prompt, k, m, auxiliary=prompt in auxiliary) for prompt in prompt_ids)
        unscaled = exploration.branching and exploration.entropy_scale == "none"
        return BatchPlan(step, plain, Scales(1.0, 1.0) if unscaled else previous, temperature)
    measured = {tree.prompt_id: turn_entropies(tree, exploration.entropy_tokens) for tree in firsts}
    entropies = {
        prompt: (root, sum(tools) / len(tools) if tools else root) for prompt, (root, tools) in measured.items()
    }
    scales = Scales(1.0, 1.0)
    if exploration.entropy_scale == "batch":
        scales = Scales(
            batch_scale([root - tool for root, tool in entropies.values()], previous.root),
            batch_scale([tool - root for root, tools in measured.values() for tool in tools], previous.tool),
        )
    plans = []
    for prompt in prompt_ids:
        root, tool = entropies[prompt]
        m = exploration.fixed_rollouts
        if exploration.budget == "entropy":
            m = global_rollouts(
                root, tool, budget=k, beta=exploration.beta, scale=scales.root, extra=exploration.extra_global
            )
        plans.append(PromptPlan(prompt, k, m, root, tool, prompt in auxiliary))
    kept = {tree.prompt_id: tree for tree in firsts} if exploration.pre_monitor == "keep" else {}
    return BatchPlan(step, tuple(plans), scales, temperature, kept)


def _auxiliary(prompt_ids: Sequence[str], regulariser: Regulariser, seed: int, step: int) -> set[str]:
    """The share of prompts that get auxiliary trajectories, at least one, chosen by their keys."""
    if regulariser.function != "auxiliary":
        return set()
    ordered = sorted(prompt_ids, key=lambda prompt: keys.uniform(seed, step, prompt, "auxiliary"))
    count = math.floor(regulariser.share * len(ordered) + 0.5)
    return set(ordered[: max(count, 1)])
