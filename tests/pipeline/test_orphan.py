"""A run whose pipeline outlives `aepo run`, for a moment or because it hangs, is nobody else's yet."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from aepo.cli import main
from pipelines import local
from tests.pipeline.processes import children_sessions, command_of


@pytest.fixture
def arguments(tmp_path):
    return ["run", "--config", "tiny", "--name", "orphan", "--set", f"storage.root={tmp_path}"]


@pytest.fixture
def orphan(arguments):
    """The number of a killed `aepo run`, whose runner is stopped and therefore does not end."""
    with subprocess.Popen([Path(sys.executable).with_name("aepo"), *arguments], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (runners := [each for each in children_sessions(process.pid) if "orchestrator" in command_of(each)]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (runner,) = runners
        os.kill(runner, signal.SIGSTOP)
        process.kill()
    yield process.pid
    os.killpg(runner, signal.SIGKILL)


def test_it_is_refused_to_a_second_command(orphan, arguments, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(local, "run_local", lambda *_: begun.append(1))
    second = CliRunner().invoke(main, arguments)
    assert not begun
    assert second.exit_code == 2
    assert f"is being worked on by process {orphan}: wait until it has ended" in second.stderr
