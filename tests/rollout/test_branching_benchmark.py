"""Smoke runs of the branching benchmark, and its stored results: every rule is measured in every world."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RULES = {"ours", "oldest first", "no penalty", "penalty .25", "aepo-official"}
SIMULATED = {"simulated 2 calls", "simulated 8 calls"}


def read(text):
    """World → rule → what was found over seeds."""
    found = {}
    for line in map(json.loads, text.splitlines()):
        if "name" in line:
            _, world, rule = line["name"].split(", ")
            found.setdefault(world, {})[rule] = line
    return found


def measure(part):
    command = [sys.executable, str(BENCHMARKS / "branching.py"), part, "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def make_sense(found):
    for world, rules in found.items():
        assert set(rules) == RULES, world
        for rule, line in rules.items():
            mean = {name: value["mean"] for name, value in line["value"].items()}
            assert 0 < mean["three families"] <= 1, rule
            assert 0 < mean["branched trajectories"] <= mean["branches"], rule
            assert mean["m"] + mean["branches"] <= 16 + 1e-3, rule
            assert sum(mean[name] for name in mean if name.startswith("depth")) == pytest.approx(1, abs=1e-3)
        assert rules["ours"]["minus_ours"]["three families"] == {"mean": 0.0, "error": 0.0}


def test_simulated():
    done = measure("simulated")
    found = read(done.stdout)
    make_sense(found)
    assert set(found) == SIMULATED
    assert all(f"| {rule} |" in done.stderr for rule in RULES), "the table is for people"


@pytest.mark.slow
def test_lookup():
    found = read(measure("lookup").stdout)
    make_sense(found)
    assert set(found) == {"lookup"}


def test_stored_results_are_of_at_least_five_seeds():
    found = read((BENCHMARKS / "results" / "branching.jsonl").read_text())
    make_sense(found)
    assert set(found) == SIMULATED | {"lookup"}
    assert all(line["seeds"] >= 5 for rules in found.values() for line in rules.values())
