"""The whole pipeline on this machine, through Kubeflow's local runner: what a user gets from `aepo run`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from aepo.artifacts import read_artifact, read_manifest
from aepo.cli import main, stages_of
from aepo.config import load_config
from aepo.telemetry.events import read_events
from tests.pipeline.processes import children_sessions, relations

ENDLESS = ("warm_start.steps=1000000", "warm_start.check_every=1000000")


def arguments(command, runs, name, *settings):
    listed = [part for setting in (f"storage.root={runs}", *settings) for part in ("--set", setting)]
    return [command, "--config", "tiny", "--name", name, *listed]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def outcome(runs):
    """The output of a finished run, and its folder."""
    result = CliRunner().invoke(main, arguments("run", runs, "through-kubeflow"))
    assert result.exit_code == 0, result.output
    return result.output, runs / "through-kubeflow"


class TestRun:
    def test_every_stage_ran_and_said_so(self, outcome):
        _, folder = outcome
        finished = [event["stage"] for event in read_events(folder / "events.jsonl") if "seconds" in event]
        expected = stages_of(load_config(str(folder / "config.yaml")))
        decision = json.loads((folder / "summary.json").read_text())["decision"]
        if decision == "keep":
            expected.remove("promote")
        assert sorted(finished) == sorted(expected)
        assert finished.count("rollout") == 2

    def test_the_artifacts_are_sealed(self, outcome):
        _, folder = outcome
        found = {
            name: [read_artifact(path.parent, kind) for path in folder.glob(f"pipeline/*/**/{name}/manifest.json")]
            for name, kind in {
                "prompts": "prompts",
                "plan": "plan",
                "rollouts": "rollouts",
                "policy": "policy",
                "trained": "policy",
                "scores": "scores",
            }.items()
        }
        assert {name: len(artifacts) for name, artifacts in found.items()} == {
            "prompts": 1,
            "plan": 1,
            "rollouts": 2,
            "policy": 1,
            "trained": 1,
            "scores": 1,
        }
        (first,), (trained,) = found["policy"], found["trained"]
        assert trained.metadata["parent"] == first.metadata["sha256"]
        assert trained.metadata["rollout_step"] == 5
        assert {shard.metadata["shard"] for shard in found["rollouts"]} == {0, 1}

    def test_the_report_and_the_summary_are_in_the_runs_folder(self, outcome):
        output, folder = outcome
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["verdict"] in ("healthy", "collapsed", "exploding")
        assert "<html" in (folder / "report.html").read_text()
        assert str(folder / "report.html") in output
        assert summary["policy_sha256"] in output
        (page,) = folder.glob("pipeline/*/report/page")
        assert page.read_text() == (folder / "report.html").read_text()

    def test_the_champion_is_who_passed_the_gate(self, outcome, runs):
        _, folder = outcome
        summary = json.loads((folder / "summary.json").read_text())
        pointer = runs / "champions" / "lookup.json"
        if summary["decision"] == "promote":
            champion = json.loads(pointer.read_text())
            assert champion["policy"]["sha256"] == summary["policy_sha256"]
        else:
            assert not pointer.exists()

    def test_how_it_ended_and_where_the_time_went(self, outcome):
        output, folder = outcome
        assert json.loads((folder / "status.json").read_text())["status"] == "SUCCEEDED"
        assert "wall time" in output
        assert "orchestration" in output

    def test_the_runners_chatter_goes_to_its_log_only(self, outcome):
        output, folder = outcome
        assert "Executing task" in (folder / "pipeline.log").read_text()
        assert "Executing task" not in output
        assert "KFP" not in output

    def test_a_finished_run_is_shown_and_not_run_again(self, outcome, runs):
        _, folder = outcome
        result = CliRunner().invoke(main, arguments("run", runs, "through-kubeflow"))
        assert result.exit_code == 0
        assert "is finished; choose another --name" in result.output
        assert json.loads((folder / "summary.json").read_text())["policy_sha256"] in result.output

    def test_without_kubeflow_every_artifact_is_the_same_to_the_bit(self, outcome, tmp_path):
        _, folder = outcome
        result = CliRunner().invoke(main, arguments("train", tmp_path, "in-process"))
        assert result.exit_code == 0, result.output
        through_kubeflow, in_process = digests(folder), digests(tmp_path / "in-process")
        assert through_kubeflow == in_process
        assert sorted(kind for kind, *_ in in_process) == sorted(
            ["prompts", "policy", "plan", "rollouts", "rollouts", "policy", "scores"]
        )

    def test_a_run_that_was_killed_goes_on_and_ends_the_same(self, outcome, tmp_path):
        _, undisturbed = outcome
        folder = tmp_path / "killed"
        command = [Path(sys.executable).with_name("aepo"), *arguments("run", tmp_path, "killed")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not progressed(folder, "train"):
                time.sleep(0.05)
            (session,) = children_sessions(process.pid)
            second = CliRunner().invoke(main, arguments("run", tmp_path, "killed"))
            assert second.exit_code == 2
            assert f"is being worked on by process {process.pid}: wait until it has ended" in second.stderr
            process.kill()
        while time.monotonic() < deadline and any(its == session for _, its in relations().values()):
            time.sleep(0.1)
        assert session not in {its for _, its in relations().values()}, "the pipeline went on without its owner"
        again = CliRunner().invoke(main, arguments("run", tmp_path, "killed"))
        assert again.exit_code == 0, again.output
        assert f"going on with {folder}: " in again.output
        assert "train (steps 1-5)  goes on at" in again.output
        assert digests(folder) == digests(undisturbed)


def test_a_stage_that_fails_says_why_in_its_own_words(tmp_path):
    settings = ("environment.name=qa", "environment.source=nowhere.jsonl", "environment.tools=[calculator]")
    result = CliRunner().invoke(main, arguments("run", tmp_path, "failing", *settings))
    folder = tmp_path / "failing"
    assert result.exit_code == 2
    assert "aepo: stage prepare failed: nowhere.jsonl: there is no such file" in result.stderr
    assert str(folder / "pipeline.log") in result.stderr
    assert "Traceback" not in result.output + (folder / "pipeline.log").read_text()
    assert json.loads((folder / "status.json").read_text())["status"] == "FAILED"


def test_a_stage_that_is_killed_is_named(tmp_path):
    folder = tmp_path / "killed"
    command = [Path(sys.executable).with_name("aepo"), *arguments("run", tmp_path, "killed", *ENDLESS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not progressed(folder, "warm_start"):
            time.sleep(0.1)
        living = relations()
        (runner,) = children_sessions(process.pid)
        (stage,) = [each for each, (parent, _) in living.items() if parent in living and living[parent][0] == runner]
        os.kill(stage, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("aepo: stage warm-start ended without a word: it was most likely killed")
    assert json.loads((folder / "status.json").read_text())["status"] == "FAILED"


@pytest.mark.parametrize(
    ("sent", "moment"),
    [(signal.SIGINT, "while it starts"), (signal.SIGTERM, "while a stage works")],
    ids=["ctrl-c", "terminate"],
)
def test_an_interrupt_ends_every_process(sent, moment, tmp_path):
    folder = tmp_path / "interrupted"
    command = [Path(sys.executable).with_name("aepo"), *arguments("run", tmp_path, "interrupted", *ENDLESS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (sessions := children_sessions(process.pid)):
            time.sleep(0.05)
        while time.monotonic() < deadline and moment == "while a stage works" and not progressed(folder, "warm_start"):
            time.sleep(0.1)
        os.kill(process.pid, sent)
        asked = time.monotonic()
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        assert time.monotonic() - asked < 10
    assert process.returncode == 130
    assert errors == f"aepo: interrupted; the same command goes on from what is in {folder}\n"
    (session,) = sessions
    assert [its for _, its in relations().values() if its == session] == []
    assert json.loads((folder / "status.json").read_text())["status"] == "CANCELLED"


def digests(folder):
    """Kind, digest and step of every kept artifact, but for its clock times; each policy by its weights."""
    found = []
    for path in (folder / "stages").glob("*/manifest.json"):
        artifact = read_manifest(path.parent)
        sha256 = artifact.metadata["sha256"] if artifact.kind == "policy" else artifact.sha256
        found.append((artifact.kind, sha256, artifact.metadata.get("rollout_step")))
    return sorted(found, key=str)


def progressed(folder, stage):
    """Whether a stage is at work."""
    events = read_events(folder / "events.jsonl")
    return any(event["event"] == "progress" and event["stage"] == stage for event in events)
