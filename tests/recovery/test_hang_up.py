"""A terminal that is closed (SIGHUP) ends a run in order, as SIGTERM does."""

import os
import signal
import sys
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from aepo.cli import main
from aepo.config import load_config
from aepo.stages import loop
from components.runtime import run
from pipelines import local

pytestmark = pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM], ids=["hang up", "terminate"])


@pytest.fixture(autouse=True)
def outlived(sent):
    """A signal that nobody handles is left for the test to notice; by default it would end the tests."""
    before = signal.signal(sent, lambda *_: None)
    yield
    signal.signal(sent, before)


@pytest.fixture
def signalled(sent):
    """Work that is interrupted."""

    def work(*_, **__):
        os.kill(os.getpid(), sent)
        time.sleep(0.1)

    return work


@pytest.mark.parametrize(
    ("command", "module", "name"), [("run", local, "run_local"), ("train", loop, "prepare")], ids=["run", "train"]
)
def test_a_command(command, module, name, signalled, tmp_path, monkeypatch):
    monkeypatch.setattr(module, name, signalled)
    result = CliRunner().invoke(main, [command, "--name", "one", "--set", f"storage.root={tmp_path}"])
    assert result.exit_code == 130
    assert result.stderr.endswith(f"aepo: interrupted; the same command goes on from what is in {tmp_path / 'one'}\n")


def test_a_stage(signalled, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aepo.stages.verdict", SimpleNamespace(verdict=signalled))
    with pytest.raises(SystemExit) as ended:
        run("verdict", load_config("tiny").model_dump_json(), policy=None)
    assert ended.value.code == 143
    assert capsys.readouterr().err == "verdict: terminated; started again, it goes on from what is saved.\n"
