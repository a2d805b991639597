"""A run that ended before its time goes on, a changed one starts anew, and trouble with the disk is explained."""

import contextlib
import json
import subprocess

import pytest
from click.testing import CliRunner

from aepo.artifacts import read_manifest
from aepo.cli import main
from aepo.stages import loop, run
from aepo.stages.run import claimed
from aepo.telemetry.events import read_events
from tests.stages.conftest import SMALL


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def train(root):
    """Runs `aepo train` on the smallest run there is."""

    def invoke(*arguments, into=root):
        settings = [part for setting in (*SMALL, f"storage.root={into}") for part in ("--set", setting)]
        return CliRunner().invoke(main, ["train", "--config", "tiny", *settings, *arguments])

    return invoke


@contextlib.contextmanager
def failing(monkeypatch, stage, error):
    """Within the context a stage of the loop ends before it begins."""

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(loop, stage, fail)
        yield


def _killed(*_):
    raise KeyboardInterrupt


def digest(folder):
    return read_manifest(folder / "artifacts" / "policy-1").metadata["sha256"]


def stages_of(folder, kind):
    return [event["stage"] for event in read_events(folder / "events.jsonl") if event["event"] == kind]


def runs(root):
    return [path for path in root.iterdir() if (path / "config.yaml").exists()]


def only(root):
    (found,) = runs(root)
    return found


class TestGoingOn:
    def test_the_same_command_goes_on_and_says_so(self, train, root, monkeypatch):
        assert train("--name", "whole", "--set", "gate.margin=0").exit_code == 0
        with failing(monkeypatch, "evaluate", KeyboardInterrupt()):
            stopped = train()
        assert stopped.exit_code == 130
        assert "interrupted; the same command goes on from what is in" in stopped.stderr
        again = train()
        assert again.exit_code == 0, again.output
        (folder,) = root.glob("tiny-*")
        assert f"going on with {folder}: 7 stages are finished" in again.stdout
        assert "train (steps 1-3)  was finished before" in again.stdout
        assert stages_of(folder, "stage_restored") == [
            "prepare",
            "warm_start",
            "pre_monitor",
            "rollout",
            "rollout",
            "train",
        ]
        assert stages_of(folder, "stage_finished").count("train") == 1
        assert digest(folder) == digest(root / "whole")

    def test_a_run_that_failed_goes_on_too(self, train, root, monkeypatch):
        with failing(monkeypatch, "report", OSError("printer on fire")):
            assert train().exit_code == 1
        assert train().exit_code == 0
        assert stages_of(only(root), "stage_finished").count("evaluate") == 1

    def test_a_run_that_ends_after_its_promotion_is_still_compared_with_the_champion_before_it(
        self, train, root, monkeypatch
    ):
        assert train("--name", "first", "--set", "gate.margin=1.0").exit_code == 0
        second = ("--name", "second", "--set", "gate.margin=1.0", "--set", "seed=1")
        with failing(monkeypatch, "finish", KeyboardInterrupt()):
            assert train(*second).exit_code == 130
        summary = json.loads((root / "second" / "summary.json").read_text())
        assert any("champion" in reason for reason in summary["reasons"])
        assert train(*second).exit_code == 0
        assert json.loads((root / "second" / "summary.json").read_text()) == summary
        assert stages_of(root / "second", "stage_finished").count("evaluate") == 1

    def test_a_kill_while_the_folder_was_made_leaves_a_name_that_can_be_used(self, train, root):
        (root / "early").mkdir(parents=True)
        (root / "early" / ".config.yaml.0123abcd.part").write_text("run: ea")
        (root / "early" / "before-1").mkdir()
        assert train("--name", "early").exit_code == 0

    def test_a_run_whose_store_was_moved_goes_on(self, train, root, monkeypatch, tmp_path):
        with failing(monkeypatch, "evaluate", KeyboardInterrupt()):
            assert train("--name", "one").exit_code == 130
        elsewhere = root.rename(tmp_path / "elsewhere")
        assert train("--name", "one", into=elsewhere).exit_code == 0
        assert stages_of(elsewhere / "one", "stage_finished").count("train") == 1
        moved = elsewhere.rename(tmp_path / "champions-move-too")
        again = train("--name", "two", "--set", "seed=1", into=moved)
        assert again.exit_code == 0, again.output

    def test_a_finished_run_is_not_run_again(self, train, root):
        assert train("--name", "once").exit_code == 0
        before = (root / "once" / "events.jsonl").read_bytes()
        again = train("--name", "once")
        assert again.exit_code == 0
        assert f"the run {root / 'once'} is finished; choose another --name" in again.stdout
        assert "accuracy" in again.stdout
        assert (root / "once" / "events.jsonl").read_bytes() == before

    def test_without_a_name_a_finished_run_is_left_alone_and_a_new_one_can_be_asked_for(self, train, root, monkeypatch):
        assert train("--name", "finished").exit_code == 0
        with failing(monkeypatch, "evaluate", KeyboardInterrupt()):
            assert train().exit_code == 130
            assert len(runs(root)) == 2
            assert "going on" in train().stdout
            assert "going on" not in train("--new").stdout
        assert len(runs(root)) == 3

    def test_only_a_run_of_the_same_configuration_goes_on(self, train, root, monkeypatch):
        with failing(monkeypatch, "pre_monitor", KeyboardInterrupt()):
            assert train("--name", "first").exit_code == 130
            assert train("--name", "second", "--set", "seed=1").exit_code == 130
            third = train("--set", "seed=1")
        assert f"going on with {root / 'second'}: 2 stages are finished" in third.stdout


class TestStartingAnew:
    def test_a_changed_configuration_is_not_mixed_with_the_old_one(self, train, root):
        assert train("--name", "changing").exit_code == 0
        old = (root / "changing" / "summary.json").read_bytes()
        changed = train("--name", "changing", "--set", "training.learning_rate=0.02", "--set", "seed=3")
        assert changed.exit_code == 0
        kept = root / "changing" / "before-1"
        assert "anew (seed: 0 → 3, training.learning_rate: 0.01 → 0.02; the report and the log" in changed.stdout
        assert (kept / "summary.json").read_bytes() == old
        assert {path.name for path in kept.iterdir()} == {
            "config.yaml",
            "events.jsonl",
            "report.html",
            "status.json",
            "summary.json",
        }
        assert stages_of(root / "changing", "stage_restored") == []
        assert train("--name", "fresh", "--set", "training.learning_rate=0.02", "--set", "seed=3").exit_code == 0
        assert digest(root / "changing") == digest(root / "fresh")

    def test_changed_questions_are_prepared_again(self, train, tmp_path, root, monkeypatch):
        questions = tmp_path / "questions.jsonl"
        settings = [
            "--name",
            "math",
            "--set",
            "environment.name=math",
            "--set",
            f"environment.source={questions}",
            "--set",
            "environment.heldout_prompts=2",
            "--set",
            "environment.train_prompts=0",
        ]
        for answer in (1, 2):
            questions.write_text("".join(json.dumps({"question": f"{n}?", "answer": answer}) + "\n" for n in range(6)))
            assert "needs a language model" in train(*settings).output
        assert stages_of(root / "math", "stage_finished").count("prepare") == 2

    def test_a_kill_while_the_old_one_is_set_aside_leaves_a_run_that_starts_anew(self, train, root, monkeypatch):
        assert train("--name", "changing").exit_code == 0
        old = (root / "changing" / "summary.json").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(run, "_write_config", _killed)
            assert train("--name", "changing", "--set", "seed=5").exit_code == 130
        again = train("--name", "changing", "--set", "seed=5")
        assert again.exit_code == 0, again.output
        assert "anew (seed: 0 → 5" in again.stdout
        assert (root / "changing" / "before-1" / "summary.json").read_bytes() == old


class TestDamage:
    def test_a_kept_opponent_that_cannot_be_read_is_chosen_again(self, train, root, monkeypatch):
        with failing(monkeypatch, "report", KeyboardInterrupt()):
            assert train("--name", "one").exit_code == 130
        (kept,) = (root / "one" / "opponents").iterdir()
        kept.write_text('{"x')
        again = train("--name", "one")
        assert again.exit_code == 0, again.output

    @pytest.mark.parametrize("content", ["", "[]", '{"report": "x"}', '{"report": 5, "accuracy": {}}'])
    def test_a_summary_that_cannot_be_read_is_written_again(self, content, train, root):
        assert train("--name", "one").exit_code == 0
        summary = (root / "one" / "summary.json").read_bytes()
        (root / "one" / "summary.json").write_text(content)
        again = train("--name", "one")
        assert again.exit_code == 0, again.output
        assert (root / "one" / "summary.json").read_bytes() == summary


class TestRefused:
    def test_the_folder_of_a_run_in_another_store(self, train, root):
        (root / "far").mkdir(parents=True)
        (root / "far" / "config.yaml").write_text("storage: {root: 's3://bucket/p', endpoint: null}\n")
        result = train("--name", "far")
        assert result.exit_code == 2
        assert f"{root / 'far'} is the folder of a run in another store" in result.stderr
        assert [path.name for path in (root / "far").iterdir() if path.name != ".lock"] == ["config.yaml"]

    def test_an_empty_name(self, train, root):
        result = train("--name", "")
        assert (result.exit_code, result.stderr) == (
            2,
            "aepo: --name is empty: give the run a name, or leave it out.\n",
        )

    def test_two_processes_on_one_run(self, train, root):
        (root / "busy").mkdir(parents=True)
        with claimed(root / "busy"):
            result = train("--name", "busy")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"aepo: the run {root / 'busy'} is being worked on by process ")
        assert "wait until it has ended" in result.stderr

    def test_a_folder_of_something_else(self, train, root):
        (root / "precious").mkdir(parents=True)
        (root / "precious" / "thesis.txt").write_text("text")
        result = train("--name", "precious")
        assert result.exit_code == 2
        assert "is no run's folder (it holds thesis.txt)" in result.stderr
        assert (root / "precious" / "thesis.txt").read_text() == "text"


class TestDisk:
    @pytest.mark.parametrize("size", ["60k", "300k"])
    def test_a_full_disk_is_one_message_and_with_more_room_the_run_goes_on(self, size, train, root, small_disk):
        disk = small_disk(f"size={size}")
        full = train("--name", "one", into=disk)
        assert full.exit_code == 2, full.output
        assert full.stderr.startswith("aepo: ")
        assert "the disk is full: free some space, or set storage.root" in full.stderr
        assert "Traceback" not in full.output
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        again = train("--name", "one", into=disk)
        assert again.exit_code == 0, again.output
        assert train("--name", "one").exit_code == 0
        assert digest(disk / "one") == digest(root / "one")

    def test_a_read_only_folder_is_one_message(self, train, small_disk):
        disk = small_disk("ro")
        result = train("--name", "one", into=disk)
        assert result.exit_code == 2
        assert "one: the file system is read-only: set storage.root to a folder that can be written" in result.stderr
        assert "Traceback" not in result.output
