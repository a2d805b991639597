"""Smoke runs of the tools' benchmark: every part of it is measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tools.py"


def test_overhead():
    command = [sys.executable, str(SCRIPT), "overhead", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["name"], line["unit"], line["bar"], line["calls"]) == ("tool_overhead", "ms a call", 1.0, 200)
    assert set(line["ways"]) == {"not cacheable", "single flight", "not in the cache", "in the cache"}
    assert line["value"] == max(way["median"] for way in line["ways"].values()) > 0
    assert line["holds"] == (line["value"] <= 1)


@pytest.mark.slow
def test_sandbox_and_search():
    command = [sys.executable, str(SCRIPT), "sandbox", "search", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {name for name in found if name.startswith("sandbox")} == {"sandbox_bubblewrap_1", "sandbox_landlock_1"}
    for name in ("sandbox_bubblewrap_1", "sandbox_landlock_1"):
        assert found[name]["value"] > 0
        assert found[name]["ratio"] > 1, "a fresh interpreter has to import numpy and sympy"
    assert found["search_build_200"]["passages"] == 200
    assert set(found["search_queries_200"]["callers"]) == {"1", "4", "16"}
