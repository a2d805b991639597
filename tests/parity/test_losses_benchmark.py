"""A smoke run of the benchmark of losses: every method has its line, and the table says the same."""

import json
import sys
from pathlib import Path

import pytest
import torch

from aepo.algorithms.methods import METHODS
from benchmarks import losses

RESULTS = Path(losses.__file__).parent / "results" / "losses.jsonl"


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def methods(results):
    return [row["name"].split()[0] for row in results]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["losses.py", "--quick"])
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_quick_run(quick, capsys):
    losses.main()
    printed = capsys.readouterr()
    found = rows(printed.out)
    assert methods(found) == list(METHODS)
    for row in found:
        assert row["unit"] == "s"
        assert row["advantages_s"] > 0
        assert row["loss_s"] > 0
        assert row["trl_loss_s"] > 0
        assert row["trl"] == ("cispo" if row["name"].startswith("cispo") else "dapo")
    assert losses.table(found) in printed.err


def test_the_results_that_are_kept_are_of_methods_that_there_are():
    found = rows(RESULTS.read_text())
    kept = methods(found)
    assert kept == [method for method in METHODS if method in kept]
    assert {"aepo", "aepo-arbitrary", "grpo", "cispo"} <= set(kept)
    assert {row["tokens"] for row in found} == {2**20}
