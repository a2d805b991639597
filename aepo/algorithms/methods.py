"""METHODS, the table of methods. A method is a row of data that names small pure functions.

A configuration starts from the row of its method and may change any field, so every mechanism can be switched alone.
"""

from __future__ import annotations

from aepo.algorithms.parts import Advantage, Exploration, Part, Regulariser, Surrogate


class Method(Part):
    """A row: what it is, where it comes from, and its four parts."""

    id: str
    title: str
    paper: str
    exploration: Exploration = Exploration()
    advantage: Advantage = Advantage()
    surrogate: Surrogate = Surrogate()
    regulariser: Regulariser = Regulariser()


PARTS = ("exploration", "advantage", "surrogate", "regulariser")

_BALANCED = Exploration(budget="entropy", branching=True)
_STEERED = Regulariser(function="auxiliary")

_ROWS = (
    Method(
        id="aepo",
        title="Agentic Entropy-Balanced Policy Optimization",
        paper="arXiv 2510.14545",
        exploration=_BALANCED,
        advantage=Advantage(entropy_weight=0.2),
        surrogate=Surrogate(function="entropy_balanced_clip"),
    ),
    Method(
        id="aepo-official",
        title="Agentic Entropy-Balanced Policy Optimization as its published code runs",
        paper="arXiv 2510.14545",
        exploration=Exploration(
            budget="entropy",
            beta=0.5,
            extra_global=0.5,
            statistic="official",
            entropy_scale="none",
            pre_monitor="discard",
            branching=True,
            entropy_turn="before",
            streak_of="prompt",
            hand_out="oldest",
            refill="one_by_one",
        ),
        surrogate=Surrogate(function="entropy_balanced_clip"),
    ),
    Method(
        id="aepo-arbitrary",
        title="Arbitrary Entropy Policy Optimization",
        paper="arXiv 2510.08141",
        regulariser=_STEERED,
    ),
    Method(
        id="aepo-unified",
        title="Both: entropy-balanced rollouts and losses, steered to an arbitrary entropy",
        paper="arXiv 2510.14545, arXiv 2510.08141",
        exploration=_BALANCED,
        advantage=Advantage(entropy_weight=0.2),
        surrogate=Surrogate(function="entropy_balanced_clip"),
        regulariser=_STEERED,
    ),
    Method(
        id="grpo",
        title="Group Relative Policy Optimization",
        paper="arXiv 2402.03300",
    ),
    Method(
        id="grpo-entropy",
        title="Group Relative Policy Optimization with an entropy bonus",
        paper="arXiv 2510.08141",
        regulariser=Regulariser(function="entropy", coefficient=1e-3, target=0.2),
    ),
    Method(
        id="reinforce++",
        title="REINFORCE with returns whitened over the batch",
        paper="arXiv 2501.03262",
        advantage=Advantage(estimator="reinforce_plus_plus"),
    ),
    Method(
        id="reinforce++-baseline",
        title="REINFORCE++ with the group's mean as baseline",
        paper="arXiv 2501.03262",
        advantage=Advantage(estimator="reinforce_plus_plus_baseline"),
    ),
    Method(
        id="dapo",
        title="Decoupled Clip and Dynamic Sampling Policy Optimization",
        paper="arXiv 2503.14476",
        exploration=Exploration(dynamic_sampling=True),
        advantage=Advantage(overlong_factor=1.0),
        surrogate=Surrogate(clip_high=0.28),
    ),
    Method(
        id="cispo",
        title="Clipped Importance Sampling Policy Optimization",
        paper="arXiv 2506.13585",
        surrogate=Surrogate(function="cispo"),
    ),
    Method(
        id="gppo",
        title="Gradient-Preserving Clipping Policy Optimization",
        paper="arXiv 2508.07629",
        surrogate=Surrogate(function="gppo"),
    ),
    Method(
        id="arpo",
        title="Agentic Reinforced Policy Optimization",
        paper="arXiv 2507.19849",
        exploration=Exploration(branching=True, penalty=0.0),
    ),
    Method(
        id="gigpo",
        title="Group-in-Group Policy Optimization",
        paper="arXiv 2505.10978",
        advantage=Advantage(estimator="gigpo", normalise_std=False),
    ),
)

METHODS: dict[str, Method] = {row.id: row for row in _ROWS}
