"""What lies in runs' folders and is not what it should be: it is passed over or made again, never trusted."""

import pytest

from aepo.telemetry.events import read_events
from tests.bad_input.case import TRAIN
from tests.bad_input.test_commands import policy

GARBAGE = [b"", b"\xff\xfe\x00", b"[1]", b"{", b"a: 1\na: 2\n", b"[" * 3000]
NAMELESS = tuple(part for part in TRAIN if part not in ("--name", "one"))


def kinds(folder):
    return [event["event"] for event in read_events(folder / "events.jsonl")]


def test_another_run_with_garbage_in_it(place, aepo):
    for number, garbage in enumerate(GARBAGE):
        folder = place.folder / "runs" / f"old{number}"
        folder.mkdir(parents=True)
        for name in ("config.yaml", "events.jsonl", "summary.json"):
            (folder / name).write_bytes(garbage)
    result = aepo(*NAMELESS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "going on" not in result.stdout


@pytest.mark.parametrize("garbage", GARBAGE[:3])
def test_a_finished_run_whose_summary_was_lost_writes_it_again(garbage, place, aepo):
    assert aepo(*TRAIN).exit_code == 0
    summary = place.folder / "runs/one/summary.json"
    before = summary.read_bytes()
    summary.write_bytes(garbage)
    again = aepo(*TRAIN)
    assert (again.exit_code, again.stderr) == (0, "")
    assert summary.read_bytes() == before
    assert kinds(summary.parent).count("stage_restored") == 6


def test_a_run_whose_own_configuration_was_lost_starts_anew(place, aepo):
    assert aepo(*TRAIN).exit_code == 0
    digest = policy(place.folder, "one")
    (place.folder / "runs/one/config.yaml").write_bytes(b"\xff")
    again = aepo(*TRAIN)
    assert (again.exit_code, again.stderr) == (0, "")
    assert "starting runs/one anew" in again.stdout
    assert policy(place.folder, "one") == digest


def test_a_log_with_garbage_in_it_is_read_past_it(place, aepo):
    assert aepo(*TRAIN).exit_code == 0
    log = place.folder / "runs/one/events.jsonl"
    log.write_bytes(b"\xff\n[1]\n{\n" + b"[" * 9000 + b'\n{"event": 3}\n' + log.read_bytes() + b"\xff\xfe")
    again = aepo(*TRAIN)
    assert (again.exit_code, again.stderr) == (0, "")
    assert "is finished" in again.stdout
