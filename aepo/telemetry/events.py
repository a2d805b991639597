"""The event log: one JSON object a line, appended by every stage, read by the progress display.

Events: `stage_started` {stage, detail}; `stage_resumed` {stage, detail, done, total}; `progress` {stage, detail,
done, total, metrics}; `stage_finished` {stage, detail, seconds, imports}; `stage_restored` {stage, detail};
`stage_failed` {stage, error}; `tool_failed` {stage, detail, tool, error, times}, the first time, the tenth, ...;
`tools_called` {stage, detail, metrics}, what calls of tools came to.
`seconds` is the stage's own work; `imports` what the process spent before it began.
A resumed stage goes on from what an interrupted one had done; a restored one was finished before and did nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

EVENTS = "events.jsonl"
"""Its name in a run's folder."""


class EventLog:
    """Appends events to a file."""

    _worked: ClassVar[bool] = False
    """Whether this process has begun a stage: only the first one waited for imports."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def emit(self, event: str, **fields: Any) -> None:
        """Append one event; one write call a line, so that parallel stages do not interleave."""
        line = json.dumps({"time": time.time(), "event": event, **fields})
        with self._path.open("ab+") as file:
            # A stage that was killed may have left half a line: the next one starts afresh.
            torn = file.tell() > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write(("\n" * torn + line + "\n").encode())

    @contextmanager
    def stage(self, name: str, detail: str = "") -> Iterator[StageLog]:
        """Bracket a stage with its start and finish events."""
        imports = 0.0 if EventLog._worked else _process_age()
        EventLog._worked = True
        started = time.perf_counter()
        self.emit("stage_started", stage=name, detail=detail)
        yield StageLog(self, name, detail)
        seconds = time.perf_counter() - started
        self.emit("stage_finished", stage=name, detail=detail, seconds=seconds, imports=imports)


class StageLog:
    """Progress of one stage."""

    def __init__(self, log: EventLog, stage: str, detail: str = "") -> None:
        self._log = log
        self._stage = stage
        self._detail = detail

    def progress(self, done: int, total: int, metrics: Mapping[str, float] | None = None) -> None:
        """Say how far the stage is; `metrics` are the numbers worth watching."""
        numbers = dict(metrics or {})
        self._log.emit("progress", stage=self._stage, detail=self._detail, done=done, total=total, metrics=numbers)

    def resumed(self, done: int, total: int) -> None:
        """Say that the stage goes on from work that was done before."""
        self._log.emit("stage_resumed", stage=self._stage, detail=self._detail, done=done, total=total)

    def tool_failed(self, tool: str, error: str, times: int) -> None:
        """Say what a tool has raised, for the so-manieth time; the stage goes on."""
        self._log.emit("tool_failed", stage=self._stage, detail=self._detail, tool=tool, error=error, times=times)

    def tools_called(self, metrics: Mapping[str, float]) -> None:
        """Say what calls of tools came to, since this was said last."""
        self._log.emit("tools_called", stage=self._stage, detail=self._detail, metrics=dict(metrics))

    def counting(self, total: int) -> Counter:
        """Progress of many small things."""
        return Counter(self, total)


class Counter:
    """Counts up to a total, and says so about a hundred times on the way."""

    def __init__(self, log: StageLog, total: int, before: int = 0) -> None:
        self._log = log
        self._total = total
        self._before = before
        self._step = max(1, total // 100)

    def after(self, before: int) -> Counter:
        """The same count for a part of the things, which comes after so many others."""
        return Counter(self._log, self._total, before)

    def start(self, done: int) -> None:
        """So many were done before."""
        if done:
            self._log.resumed(self._before + done, self._total)

    def reach(self, done: int) -> None:
        """So many are done now."""
        reached = self._before + done
        if reached % self._step == 0 or reached == self._total:
            self._log.progress(reached, self._total)


def read_events(path: Path) -> list[dict[str, Any]]:
    """All complete events of a log; an unfinished last line is left for the next time, a torn one left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [event for line in lines if (event := parse_event(line)) is not None]


def parse_event(line: bytes) -> dict[str, Any] | None:
    """The event of a line; None for a line that is none, such as one that a killed stage has half written."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _process_age() -> float:
    """Seconds since this process was started, where the system tells (Linux), else 0."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return 0.0
