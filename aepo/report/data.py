"""What a report is made of. Nothing here knows about HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aepo.evaluation.statistics import Interval
from aepo.trajectories import RolloutTree

Statistic = Literal["exact", "lower bound", "official"]
"""H of a turn: mean entropy, what is known of it at least, or the sum that the published code takes for it."""


@dataclass(frozen=True)
class AccuracyRow:
    """What one policy reached on one benchmark.

    Attributes:
        policy: "warm start", "candidate" or "champion".
        benchmark: name of the benchmark.
        pass_at_1: share of samples that are right, with its interval.
        pass_at_k: share of questions with a right one among k samples; None when it was not measured.
        k: the k of `pass_at_k`.
        questions: how many questions were asked.
        samples: samples per question.
        unscored: samples that no scorer could judge.
    """

    policy: str
    benchmark: str
    pass_at_1: Interval
    pass_at_k: Interval | None
    k: int
    questions: int
    samples: int
    unscored: int


@dataclass(frozen=True)
class ReportData:
    """One report.

    Attributes:
        title: headline of the page.
        run: name of the run.
        method: id of the method.
        method_title: the method in words.
        facts: a few name → value lines for the header.
        history: measurements per rollout step; keys may be missing and values may be NaN.
        accuracy: evaluation results; the first benchmark is the one that gates.
        difference: paired accuracy difference, candidate minus warm start.
        verdict: state of the entropy, e.g. "healthy", "collapsed", "exploding".
        decision: what became of the candidate, e.g. "promote".
        reasons: why, a sentence each.
        collapse_floor: entropy below which a policy may be collapsed, nats.
        explosion_bound: entropy above which a policy counts as exploding, nats.
        target_entropy: what the method steers the entropy to, nats.
        trees: a few rollout trees to draw.
        token_text: token id → its text.
        config_yaml: the resolved configuration.
        statistic: what exploration takes for the entropy of a turn.
    """

    title: str
    run: str
    method: str
    method_title: str
    facts: Mapping[str, str]
    history: Sequence[Mapping[str, float]]
    accuracy: Sequence[AccuracyRow]
    difference: Interval | None
    verdict: str
    decision: str
    reasons: Sequence[str]
    collapse_floor: float
    explosion_bound: float
    target_entropy: float | None
    trees: Sequence[RolloutTree]
    token_text: Callable[[int], str]
    config_yaml: str
    statistic: Statistic = "exact"
