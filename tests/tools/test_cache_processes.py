"""Several processes on one cache file: all begin with a file that is not there yet, and one is killed in the middle."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aepo.tools.calls.cache_file import CacheFile

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("cache_writer.py")


def start(path, seed, rounds):
    command = [sys.executable, str(WRITER), str(path), str(seed), str(rounds)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check(path):
    """The totals are those of the answers, and within the bounds."""
    file = CacheFile(path, entries=40, size=60_000)
    entries, size = file.totals()
    counted = file._connection.execute("SELECT count(*), sum(length(answer)) FROM answers").fetchone()
    (state,) = file._connection.execute("PRAGMA integrity_check").fetchone()
    file.close()
    assert state == "ok"
    assert (entries, size) == counted
    assert 0 < entries <= 40
    assert size <= 60_000


@pytest.mark.parametrize("rounds", [25, pytest.param(400, marks=pytest.mark.slow)])
def test_four_at_a_time(tmp_path, rounds):
    path = tmp_path / "tools.sqlite"
    writers = [start(path, seed, rounds) for seed in range(4)]
    assert [writer.communicate(timeout=240)[0].strip() for writer in writers] == ["[]"] * 4
    check(path)


def test_one_that_is_killed_leaves_the_others_and_the_file_whole(tmp_path):
    path = tmp_path / "tools.sqlite"
    other, victim = start(path, 1, 60), start(path, 0, 10**6)
    while not (path.exists() and path.stat().st_size > 0) and other.poll() is None:
        time.sleep(0.01)
    said, _ = other.communicate(timeout=240)
    victim.kill()
    victim.communicate(timeout=60)
    assert said.strip() == "[]"
    check(path)
