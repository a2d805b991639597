"""Shows a run while it goes, by tailing its event log, and its outcome when it has ended.

On a terminal: the stages with their times, a bar for those at work, and small curves of their numbers.
Elsewhere: one line per event, but for progress that follows too closely.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aepo.telemetry.run_state import RunState, StageRun, Tail, TimeSplit
from aepo.telemetry.summary import Interval, Summary

NUMBERS = ("reward", "accuracy", "entropy", "loss")
"""Numbers of a stage's progress that are shown."""

INTERVAL = 0.25
"""Seconds between two looks at the log."""

PACE = 2.0
"""Seconds, at least, between two lines about the progress of a stage."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_MARKS = {"running": ("▸", "bold cyan"), "done": ("✓", "green"), "failed": ("✗", "bold red"), "restored": ("✓", "dim")}


@contextmanager
def watching(
    events: Path, *, title: str = "", expected: Sequence[str] = (), console: Console | None = None
) -> Iterator[None]:
    """Show what is appended to an event log from now on, for as long as the context lasts.

    Args:
        events: the log; it need not exist yet.
        title: what the run is called.
        expected: names of the stages it will have, in order.
        console: where to show it; standard output by default.
    """
    console = console or Console()
    state, tail, began = RunState(expected), Tail(events, from_end=True), _now()
    if not console.is_terminal:
        printed: dict[str, float] = {}
        with _polling(lambda: _print_news(console, state, tail, printed)):
            yield
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:

        def refresh() -> None:
            for event in tail.new_events():
                state.apply(event)
            live.update(render(state, title, began, _now()), refresh=True)

        try:
            with _polling(refresh):
                yield
        except BaseException:
            state.stop(_now())
            refresh()
            raise


@contextmanager
def _polling(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` again and again in the background, and once more at the end."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(INTERVAL):
            look()

    thread = threading.Thread(target=loop, name="aepo-display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        look()


def render(state: RunState, title: str, began: float, now: float) -> Group:
    """The live picture of a run at one moment; `began` is when it was started."""
    head = Text(title, style="bold")
    head.append(f"  {duration(now - began)}", style="default")
    if not state.stages:
        head.append("  starting", style="dim")
    elif (left := state.left(now)) is not None and state.current is not None:
        head.append(f"  about {duration(left)} left", style="dim")
    table = Table.grid(padding=(0, 2))
    for run in state.stages:
        mark, style = _MARKS[run.state]
        table.add_row(Text(mark, style), _name(run), duration(run.elapsed(now)), _progress(run, now))
    for stage in state.pending():
        table.add_row(Text("·", "dim"), Text(stage.replace("_", " "), "dim"))
    return Group(head, table, *_curves(state))


def _name(run: StageRun) -> Text:
    name = Text(run.stage.replace("_", " "))
    return name.append(f"  {run.detail}", "dim") if run.detail else name


def _progress(run: StageRun, now: float) -> Table | str:
    """Bar, count and time left of a stage at work."""
    if run.state == "restored":
        return "finished before"
    if run.state != "running" or not run.total:
        return ""
    left = run.left(now)
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=run.total, completed=run.done, width=20),
        f"{run.done}/{run.total}",
        Text(f"{duration(left)} left" if left is not None else "", "dim"),
    )
    return row


def _curves(state: RunState) -> list[Text]:
    """The numbers of the newest stage that has any, over all its runs, so that iterations continue each other."""
    newest = next((run.stage for run in reversed(state.stages) if run.history), None)
    lines = []
    for name in NUMBERS:
        values = [
            value
            for run in state.stages
            if run.stage == newest
            for value in run.history.get(name, ())
            if math.isfinite(value)
        ]
        if values:
            line = Text(f"   {name:<9}", "dim").append(sparkline(values), "cyan")
            lines.append(line.append(f"  {values[0]:.3f} → {values[-1]:.3f}", "dim"))
    return lines


def _print_news(console: Console, state: RunState, tail: Tail, printed: dict[str, float]) -> None:
    """Print what is new as lines; `printed` is when a stage's last progress was printed."""
    for event in tail.new_events():
        run = state.apply(event)
        if run is None:
            continue
        if event["event"] == "progress":
            if run.done < run.total and event["time"] - printed.get(run.stage, -math.inf) < PACE:
                continue
            printed[run.stage] = event["time"]
        console.print(plain_line(event, run), markup=False, highlight=False, soft_wrap=True)


def plain_line(event: Mapping[str, Any], run: StageRun) -> str:
    """One event as a line of text."""
    moment = datetime.fromtimestamp(event["time"], UTC).astimezone().strftime("%H:%M:%S")
    name = f"{run.stage} ({run.detail})" if run.detail else run.stage
    match event["event"]:
        case "progress":
            what = "  ".join(part for part in (f"{run.done}/{run.total}", _numbers(event["metrics"])) if part)
        case "stage_finished":
            what = f"finished in {duration(run.seconds)}"
        case "stage_resumed":
            what = f"goes on at {event['done']}/{event['total']}"
        case "stage_restored":
            what = "was finished before"
        case "tool_failed":
            what = f"tool {event['tool']} failed ({event['times']} times): {event['error']}"
        case "stage_failed":
            what = f"failed: {event['error']}"
        case _:
            what = "started"
    return f"{moment}  {name}  {what}"


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print the outcome of a run.

    Args:
        summary: the content of its summary.json.
        console: where to print; standard output by default.
    """
    console = console or Console()
    accuracy, entropy = summary["accuracy"], summary["entropy"]
    table = Table("", "before", "after", "difference", title=f"{summary['run']} ({summary['method']})")
    table.add_row(
        "accuracy", _interval(accuracy["before"]), _interval(accuracy["after"]), _interval(accuracy["difference"], True)
    )
    table.add_row(
        "entropy",
        _nats(entropy["before"], entropy.get("before_at_most")),
        _nats(entropy["after"], entropy.get("after_at_most")),
    )
    console.print(table)
    lines = [f"verdict   {summary['verdict']}", f"decision  {summary['decision']}"]
    lines += [f"          {reason}" for reason in summary["reasons"]]
    lines.append(f"policy    sha256 {summary['policy_sha256']}")
    if "seconds" in summary:
        lines.append(f"time      {duration(summary['seconds'])}")
    lines.append(f"report    {summary['report']}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_time_split(split: TimeSplit, console: Console | None = None) -> None:
    """Print where the wall time of a run went."""
    parts = {"stages": split.stages, "imports": split.imports, "orchestration": split.rest}
    shares = ", ".join(f"{name} {duration(seconds)}" for name, seconds in parts.items())
    (console or Console()).print(f"wall time {duration(split.wall)}: {shares}", highlight=False, soft_wrap=True)


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve of block characters, at most `width` of them; a longer series is averaged in groups."""
    groups = min(width, len(values))
    if not groups:
        return ""
    edges = [round(group * len(values) / groups) for group in range(groups + 1)]
    means = [sum(values[low:high]) / (high - low) for low, high in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def duration(seconds: float) -> str:
    """1.2 s, 42 s, 3:05 min or 1:02:03 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def _numbers(metrics: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} {metrics[name]:.3f}" for name in NUMBERS if name in metrics and math.isfinite(metrics[name])
    )


def _interval(interval: Interval | None, difference: bool = False) -> str:
    """A mean with its 95 % interval, in percent; a difference in points, with its sign."""
    if interval is None:
        return "not measured"
    sign, unit = ("+", " points") if difference else ("", " %")
    low, high = (f"{100 * end:{sign}.1f}" for end in (interval["low"], interval["high"]))
    return f"{100 * interval['mean']:{sign}.1f}{unit}  [{low}, {high}]"


def _nats(entropy: float | None, at_most: float | None = None) -> str:
    if entropy is None:
        return "not measured"
    return f"{entropy:.3f} nats" if at_most is None else f"{entropy:.3f} to {at_most:.3f} nats"


def _now() -> float:
    return datetime.now(UTC).timestamp()
