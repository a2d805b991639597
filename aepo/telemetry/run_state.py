"""What a run is doing, folded from its events: stages, their progress, the time that is left, and where time went.

Everything here is a function of the events and the clock; nothing is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aepo.telemetry.events import parse_event

TYPICAL_SECONDS = {"warm_start": 60.0, "train": 90.0, "evaluate": 40.0, "rollout": 5.0, "pre_monitor": 3.0}
"""How long stages take relative to each other, for the first estimate of the time left; others take a second."""


@dataclass
class StageRun:
    """One execution of a stage.

    Attributes:
        stage: its name.
        detail: which one of several.
        started, ended: wall-clock times; `ended` is None while it runs.
        state: running, done, failed, or restored from an earlier attempt.
        seconds: its own work, once it is done.
        imports: what its process spent before it began.
        done, total: progress, in the stage's own unit; total is 0 while unknown.
        before: how much of it an earlier attempt had done.
        metrics: the newest value of each number it reported.
        history: all values of each number, in order.
    """

    stage: str
    detail: str
    started: float
    ended: float | None = None
    state: Literal["running", "done", "failed", "restored"] = "running"
    seconds: float = 0.0
    imports: float = 0.0
    done: int = 0
    total: int = 0
    before: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def elapsed(self, now: float) -> float:
        """Seconds since it started, until it ended."""
        return (now if self.ended is None else self.ended) - self.started

    def left(self, now: float) -> float | None:
        """Seconds it still needs if it goes on like this; None while nothing can be said."""
        if self.state != "running" or self.done <= self.before or not self.total:
            return None
        return self.elapsed(now) * (self.total - self.done) / (self.done - self.before)


class RunState:
    """A run as its events tell it.

    Args:
        expected: names of the stages that the run will have, in order.
    """

    def __init__(self, expected: Sequence[str] = ()) -> None:
        self.expected = tuple(expected)
        self.stages: list[StageRun] = []

    def apply(self, event: Mapping[str, Any]) -> StageRun | None:
        """Take one event in; returns the stage it is about, None for an event that is not known."""
        kind, name = event.get("event"), event.get("stage", "")
        if kind == "stage_started":
            self.stages.append(StageRun(name, event.get("detail", ""), event["time"]))
            return self.stages[-1]
        if kind == "stage_restored":
            moment = event["time"]
            self.stages.append(StageRun(name, event.get("detail", ""), moment, ended=moment, state="restored"))
            return self.stages[-1]
        run = self._running(name, event.get("detail"))
        if run is None:
            return None
        if kind == "progress":
            run.done, run.total = event["done"], event["total"]
            for metric, value in event["metrics"].items():
                run.metrics[metric] = value
                run.history.setdefault(metric, []).append(value)
        elif kind == "stage_resumed":
            run.done = run.before = event["done"]
            run.total = event["total"]
        elif kind == "stage_finished":
            run.state, run.ended = "done", event["time"]
            run.seconds, run.imports = event["seconds"], event.get("imports", 0.0)
        elif kind == "stage_failed":
            run.state, run.ended = "failed", event["time"]
        elif kind != "tool_failed":
            return None
        return run

    def stop(self, now: float) -> None:
        """The run has ended before its time: no stage works on."""
        for run in self.stages:
            if run.state == "running":
                run.state, run.ended = "failed", now

    @property
    def current(self) -> StageRun | None:
        """The stage that started last and still runs."""
        return next((run for run in reversed(self.stages) if run.state == "running"), None)

    def pending(self) -> list[str]:
        """Expected stages that have not started."""
        waiting = list(self.expected)
        for run in self.stages:
            if run.stage in waiting:
                waiting.remove(run.stage)
        return waiting

    def left(self, now: float) -> float | None:
        """Seconds the run still needs, roughly; None while nothing can be said.

        A stage that is to come takes as long as those of its name took, or else its typical time, scaled by how
        fast this machine was so far.
        """
        known = [run for run in self.stages if run.state == "done" or run.left(now) is not None]
        lengths = {run.stage: run.elapsed(now) + (run.left(now) or 0.0) for run in known}
        if not any(stage in TYPICAL_SECONDS for stage in lengths):
            return None
        pace = sum(lengths.values()) / sum(_typical(stage) for stage in lengths)
        to_come = sum(lengths.get(stage, pace * _typical(stage)) for stage in self.pending())
        running = sum(
            max(0.0, lengths.get(run.stage, pace * _typical(run.stage)) - run.elapsed(now))
            for run in self.stages
            if run.state == "running"
        )
        return running + to_come

    def _running(self, name: str, detail: str | None) -> StageRun | None:
        """The running stage that an event is about; progress names no detail and is that of the newest."""
        found = [run for run in self.stages if run.stage == name and run.state == "running"]
        exact = [run for run in found if run.detail == detail]
        return next(iter([*exact, *reversed(found)]), None)


@dataclass(frozen=True)
class TimeSplit:
    """Where a run's wall time went, seconds: stages at work, imports before them, and all the rest."""

    wall: float
    stages: float
    imports: float

    @property
    def rest(self) -> float:
        """Orchestration: what was neither work nor imports."""
        return max(0.0, self.wall - self.stages - self.imports)


def time_split(events: Iterable[Mapping[str, Any]], began: float, ended: float) -> TimeSplit:
    """Split the time between two moments of the wall clock.

    Parallel stages count once. All that comes before the first stage is counted as imports.
    """
    finished = sorted(
        (event["time"] - event["seconds"], event["time"], event.get("imports", 0.0))
        for event in events
        if event["event"] == "stage_finished"
    )
    if not finished:
        return TimeSplit(ended - began, 0.0, 0.0)
    work, until = 0.0, began
    for start, end, _ in finished:
        work += max(0.0, end - max(start, until))
        until = max(until, end)
    imports = max(0.0, finished[0][0] - began) + sum(imports for _, _, imports in finished[1:])
    return TimeSplit(ended - began, work, min(imports, ended - began - work))


class Tail:
    """Reads what was appended to an event log since the last look.

    Args:
        path: the log; it need not exist yet.
        from_end: pass over what is there already.
    """

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._offset = path.stat().st_size if from_end and path.exists() else 0

    def new_events(self) -> list[dict[str, Any]]:
        """The complete new lines; one that is no event (half written by a killed stage) is passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [event for line in complete.splitlines() if (event := parse_event(line)) is not None]


def _typical(stage: str) -> float:
    return TYPICAL_SECONDS.get(stage, 1.0)
