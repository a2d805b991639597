"""What a run leaves in summary.json for people and programs."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict  # pydantic reads it before Python 3.12


class Interval(TypedDict):
    """A mean and its 95 % interval, as shares."""

    mean: float
    low: float
    high: float


class Accuracy(TypedDict):
    """Of the gating benchmark; None where it was not measured."""

    before: Interval | None
    after: Interval | None
    difference: Interval


class Entropy(TypedDict):
    """Mean over tokens, nats; None where it was not measured.

    Where an engine saw only the most likely tokens, `before` and `after` are lower bounds and the others upper ones.
    """

    before: float | None
    after: float | None
    before_at_most: NotRequired[float | None]
    after_at_most: NotRequired[float | None]


class Summary(TypedDict):
    """The outcome of a run; `report` is where people find its page."""

    run: str
    method: str
    accuracy: Accuracy
    entropy: Entropy
    steps: int
    verdict: str
    decision: str
    reasons: list[str]
    policy_sha256: str
    report: str
    seconds: NotRequired[float]
