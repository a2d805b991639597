"""The display of a run: folded from recorded events, drawn on a terminal, printed elsewhere."""

import io
import json
import math
import time

import pytest
from rich.console import Console

from aepo.telemetry.display import duration, plain_line, print_summary, print_time_split, render, sparkline, watching
from aepo.telemetry.events import EventLog
from aepo.telemetry.run_state import RunState, Tail, TimeSplit, time_split

EXPECTED = ["prepare", "warm_start", "rollout", "rollout", "train", "evaluate", "finish"]


def event(moment, kind, stage, **fields):
    return {"time": 1000.0 + moment, "event": kind, "stage": stage, **fields}


def step(moment, done, entropy):
    metrics = {"step": float(done), "reward": 0.1 * done, "accuracy": 0.05 * done, "entropy": entropy}
    return event(moment, "progress", "train", done=done, total=4, metrics=metrics)


RECORDED = [
    event(0, "stage_started", "prepare", detail=""),
    event(1, "stage_finished", "prepare", detail="", seconds=1.0, imports=0.5),
    event(2, "stage_started", "warm_start", detail=""),
    event(12, "progress", "warm_start", done=50, total=100, metrics={"loss": 1.5, "accuracy": math.nan}),
    event(22, "stage_finished", "warm_start", detail="", seconds=20.0, imports=0.5),
    event(23, "stage_started", "rollout", detail="shard 1 of 2"),
    event(23, "stage_started", "rollout", detail="shard 2 of 2"),
    event(25, "stage_finished", "rollout", detail="shard 2 of 2", seconds=2.0, imports=0.5),
    event(26, "stage_finished", "rollout", detail="shard 1 of 2", seconds=3.0, imports=0.5),
    event(27, "stage_started", "train", detail="steps 1-4"),
    step(37, 1, 0.5),
    step(47, 2, 0.4),
    event(48, "unheard_of", "train"),
]


@pytest.fixture
def state():
    state = RunState(EXPECTED)
    for entry in RECORDED:
        state.apply(entry)
    return state


def drawn(renderable, width=110):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


class TestState:
    def test_stages_follow_their_events(self, state):
        assert [(run.stage, run.state) for run in state.stages] == [
            ("prepare", "done"),
            ("warm_start", "done"),
            ("rollout", "done"),
            ("rollout", "done"),
            ("train", "running"),
        ]
        assert [run.seconds for run in state.stages[2:4]] == [3.0, 2.0]  # each shard has its own
        assert state.pending() == ["evaluate", "finish"]
        assert state.current.metrics["entropy"] == 0.4
        assert state.current.history["entropy"] == [0.5, 0.4]

    def test_a_stage_needs_as_long_again_for_its_second_half(self, state):
        assert state.current.left(1047.0) == pytest.approx(20.0)

    def test_the_run_needs_at_least_what_its_stages_need_and_less_as_they_go_on(self, state):
        before = state.left(1047.0)
        assert before > state.current.left(1047.0)
        state.apply(step(57, 3, 0.4))
        assert state.left(1057.0) < before

    def test_a_run_of_known_stages_is_estimated_by_them(self):
        state = RunState(["train", "train"])
        state.apply(event(0, "stage_started", "train", detail="1"))
        state.apply(event(30, "stage_finished", "train", detail="1", seconds=30.0, imports=0.0))
        assert state.left(1030.0) == pytest.approx(30.0)
        state.apply(event(30, "stage_started", "train", detail="2"))
        assert state.left(1040.0) == pytest.approx(20.0)

    def test_nothing_is_claimed_before_anything_is_known(self):
        state = RunState(EXPECTED)
        assert state.left(1000.0) is None
        for entry in RECORDED[:3]:
            state.apply(entry)
        assert state.left(1003.0) is None

    def test_what_runs_when_the_run_ends_has_failed(self, state):
        state.stop(1050.0)
        assert (state.stages[-1].state, state.current) == ("failed", None)

    def test_a_failed_stage_is_told_from_others(self, state):
        run = state.apply(event(50, "stage_failed", "train", error="out of luck"))
        assert (run.state, run.elapsed(1099.0)) == ("failed", 23.0)


class TestTimeSplit:
    def test_parallel_stages_count_once_and_nothing_is_lost(self):
        split = time_split(RECORDED, 990.0, 1030.0)
        assert split.stages == pytest.approx(1 + 20 + 3)
        assert split.imports == pytest.approx(10 + 0.5 + 0.5 + 0.5)  # the first ten seconds, and three more stages
        assert split.stages + split.imports + split.rest == pytest.approx(split.wall) == 40.0

    def test_a_run_without_finished_stages_is_all_rest(self):
        assert time_split(RECORDED[:1], 1000.0, 1005.0) == TimeSplit(5.0, 0.0, 0.0)


class TestTail:
    def test_each_event_is_read_once_and_only_when_complete(self, tmp_path):
        path = tmp_path / "events.jsonl"
        tail = Tail(path)
        assert tail.new_events() == []
        log = EventLog(path)
        log.emit("stage_started", stage="train", detail="")
        with path.open("a") as file:
            file.write('{"event": "prog')
        assert [entry["event"] for entry in tail.new_events()] == ["stage_started"]
        with path.open("a") as file:
            file.write('ress"}\nno event\n')
        assert [entry["event"] for entry in tail.new_events()] == ["progress"]
        assert tail.new_events() == []


class TestDrawing:
    def test_the_picture_of_a_run(self, state):
        lines = drawn(render(state, "mine  aepo", 990.0, 1047.0)).splitlines()
        assert lines[0].startswith("mine  aepo  57 s  about ")
        stages = [line.split("  ")[0:2] for line in lines[1:8]]
        assert [mark for mark, *_ in stages] == ["✓", "✓", "✓", "✓", "▸", "·", "·"]
        train = lines[5]
        for part in ("train  steps 1-4", "20 s", "2/4", "20 s left"):
            assert part in train
        assert "nan" not in "".join(lines)
        assert [line.split() for line in lines[8:]] == [
            ["reward", "▁█", "0.100", "→", "0.200"],
            ["accuracy", "▁█", "0.050", "→", "0.100"],
            ["entropy", "█▁", "0.500", "→", "0.400"],
        ]

    def test_it_fits_a_small_terminal(self, state):
        assert len(drawn(render(state, "mine  aepo", 990.0, 1047.0), width=80).splitlines()) == 1 + len(EXPECTED) + 3

    def test_before_the_first_event(self):
        lines = drawn(render(RunState(["prepare"]), "mine", 990.0, 1000.0)).splitlines()
        assert lines[0].split() == ["mine", "10", "s", "starting"]
        assert lines[1].split() == ["·", "prepare"]

    @pytest.mark.parametrize(
        ("values", "curve"),
        [([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"), ([5, 5], "▁▁"), ([0, 0, 9, 9], "▁▁██"), ([], ""), ([3], "▁")],
    )
    def test_curves(self, values, curve):
        assert sparkline(values) == curve

    def test_a_long_curve_is_averaged_to_the_width(self):
        assert sparkline([0.0, 2.0] * 50 + [9.0] * 100, width=4) == "▁▁██"

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1:00 min"), (3725, "1:02:05 h")],
    )
    def test_durations(self, seconds, text):
        assert duration(seconds) == text


class TestWatching:
    def test_without_a_terminal_every_event_is_one_line(self, tmp_path):
        console = Console(file=io.StringIO(), width=40)
        log = EventLog(tmp_path / "events.jsonl")
        with watching(tmp_path / "events.jsonl", expected=["train"], console=console), log.stage("train", "1") as stage:
            stage.progress(1, 2, {"reward": 0.5, "tokens": 3.0})
        lines = [line.partition("  ")[2] for line in console.file.getvalue().splitlines()]
        assert lines[:2] == ["train (1)  started", "train (1)  1/2  reward 0.500"]
        assert lines[2].startswith("train (1)  finished in ")

    def test_fast_progress_is_thinned_out_but_its_end_is_told(self, tmp_path):
        console = Console(file=io.StringIO())
        events = [event(0, "stage_started", "train", detail="")]
        events += [event(0.5 * done, "progress", "train", done=done, total=10, metrics={}) for done in range(1, 11)]
        (tmp_path / "events.jsonl").write_text(json.dumps(event(0, "stage_started", "before", detail="")) + "\n")
        with watching(tmp_path / "events.jsonl", console=console), (tmp_path / "events.jsonl").open("a") as log:
            log.write("".join(json.dumps(entry) + "\n" for entry in events))
        lines = [line.split()[-1] for line in console.file.getvalue().splitlines()]
        assert lines == ["started", "1/10", "5/10", "9/10", "10/10"]

    def test_a_failure_is_one_line_too(self, state):
        failed = event(50, "stage_failed", "train", error="out of luck")
        assert plain_line(failed, state.apply(failed)).endswith("train (steps 1-4)  failed: out of luck")

    def test_a_terminal_shows_the_last_state_even_of_a_run_that_broke(self, tmp_path):
        console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
        log = EventLog(tmp_path / "events.jsonl")

        def breaks():
            with watching(tmp_path / "events.jsonl", title="mine", console=console):
                log.emit("stage_started", stage="train", detail="")
                time.sleep(0.3)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            breaks()
        picture = console.file.getvalue()
        assert "▸  train" in picture
        assert "✗  train" in picture.rpartition("mine")[2]


SUMMARY = {
    "run": "mine",
    "method": "aepo",
    "accuracy": {
        "before": {"mean": 0.362, "low": 0.31, "high": 0.415},
        "after": {"mean": 0.6, "low": 0.55, "high": 0.65},
        "difference": {"mean": 0.238, "low": 0.18, "high": 0.296},
    },
    "entropy": {"before": 0.31, "after": None},
    "verdict": "healthy",
    "decision": "promote",
    "reasons": ["It is better [by far]."],
    "policy_sha256": "0" * 64,
    "report": "/somewhere/with a very long name that no terminal of forty columns could hold/report.html",
    "seconds": 312.0,
}


class TestSummary:
    def test_it_says_what_came_out_with_intervals_and_where_the_report_is(self):
        console = Console(file=io.StringIO(), width=90)
        print_summary(json.loads(json.dumps(SUMMARY)), console)
        text = console.file.getvalue()
        for part in (
            "36.2 %  [31.0, 41.5]",
            "60.0 %  [55.0, 65.0]",
            "+23.8 points  [+18.0, +29.6]",
            "0.310 nats",
            "not measured",
            "healthy",
            "promote",
            "It is better [by far].",
            "5:12 min",
            SUMMARY["report"],
        ):
            assert part in text

    def test_an_entropy_that_is_known_within_bounds_is_shown_with_both(self):
        console = Console(file=io.StringIO(), width=90)
        bounds = {"before": 0.31, "before_at_most": 0.42, "after": 0.1, "after_at_most": None}
        print_summary(json.loads(json.dumps(SUMMARY | {"entropy": bounds})), console)
        assert "0.310 to 0.420 nats" in console.file.getvalue()
        assert "0.100 nats" in console.file.getvalue()

    def test_the_time_split_adds_up(self):
        console = Console(file=io.StringIO(), width=90)
        print_time_split(TimeSplit(100.0, 80.0, 15.0), console)
        assert console.file.getvalue() == "wall time 1:40 min: stages 1:20 min, imports 15 s, orchestration 5.0 s\n"
