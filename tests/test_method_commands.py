"""Every method by its id, from the command line: it trains, and the whole pipeline runs."""

import json

import pytest
from click.testing import CliRunner

from aepo.algorithms.methods import METHODS
from aepo.cli import main
from tests.bad_input.case import SMALLEST, with_settings


def aepo(*arguments):
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.mark.parametrize("method", METHODS)
def test_train(method, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = with_settings(*SMALLEST, f"method={method}", "training.online_steps=1", "training.learning_rate=0.01")
    done = aepo("train", "--config", "tiny", "--name", "one", *settings)
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "runs" / "one" / "summary.json").read_text())
    assert summary["steps"] == 2
    assert json.loads((tmp_path / "runs" / "one" / "status.json").read_text())["status"] == "SUCCEEDED"


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_run(method, tmp_path, monkeypatch):
    """The preset as it is, through the local Kubeflow runner."""
    monkeypatch.chdir(tmp_path)
    done = aepo("run", "--config", "tiny", "--name", "one", *with_settings(f"method={method}"))
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "runs" / "one" / "summary.json").read_text())
    assert summary["steps"] == 5
