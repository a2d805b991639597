"""Processes that end in the middle of a transfer: nothing half-done is found, and what was done is not repeated."""

import re
import signal
import subprocess
import time

import pytest
from fault_proxy import error, slow
from storage_helpers import PART, child, contents

from aepo.storage import StorageSettings, open_store


def nth_part(n):
    seen = []

    def chosen(request):
        seen.append(1) if request.is_part else None
        return request.is_part and len(seen) == n

    return chosen


def finishing(request):
    return request.method == "POST" and "uploadId" in request.query


def sealing(request):
    return request.method == "PUT" and request.is_manifest


class TestKilledUpload:
    @pytest.mark.parametrize(
        ("moment", "parts_there"),
        [(nth_part(3), 1), (finishing, 3), (sealing, 3)],
        ids=["among its parts", "before it puts them together", "before its manifest"],
    )
    def test_it_is_not_there_and_the_next_sends_only_what_is_missing(
        self, s3, proxy, settings, sealed, moment, parts_there
    ):
        folder = sealed(**{"large.bin": 3 * PART, "small.bin": 1000})

        def kill(request):
            if moment(request):
                victim.kill()
                victim.wait()
                return error(503, "SlowDown")  # the server never sees the request
            return None

        proxy.faults.append(kill)
        proxy.twists.append(lambda request, _: time.sleep(0.02))
        victim = child(settings, folder, "parallel.WORKERS = 2; store.upload(folder, 'k')")
        assert victim.wait(30) == -signal.SIGKILL
        proxy.faults.clear()
        time.sleep(0.2)  # what the server has received it may still store
        assert not s3.sealed("k")
        proxy.requests.clear()
        s3.upload(folder, "k")
        sent = sum(request.is_part for request in proxy.requests)
        assert sent <= 3 - parts_there
        assert (sent > 0) == (parts_there < 3)
        small = [
            request for request in proxy.requests if request.method == "PUT" and request.name.endswith("small.bin")
        ]
        assert not small
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_a_killed_download_is_not_there_and_is_gone_on_with(self, s3, proxy, settings, sealed, tmp_path):
        folder = sealed(**{"large.bin": 4 * 2**20})
        s3.upload(folder, "k")
        proxy.twists.append(slow(lambda request: request.name.endswith("large.bin"), 0.05))
        victim = child(settings, folder, "store.fetch('k', 'weights')")
        wait_for(lambda: [path for path in (tmp_path / "scratch").rglob("*.part") if path.stat().st_size >= 2**20])
        victim.kill()
        victim.wait()
        assert not list((tmp_path / "scratch").rglob("manifest.json"))
        proxy.twists.clear()
        proxy.requests.clear()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        asked = next(request.headers["Range"] for request in proxy.requests if request.name.endswith("large.bin"))
        assert int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) >= 2**20

    def test_a_killed_copy_into_a_folder_is_not_there(self, tmp_path, sealed):
        settings = StorageSettings(root=str(tmp_path / "runs"))
        folder = sealed(**{f"{n}.bin": 100_000 for n in range(4)})
        code = """
        import os, shutil, signal
        copies = []
        def copyfile(source, target):
            copies.append(target)
            Path(target).write_bytes(Path(source).read_bytes()[: 50_000 if len(copies) == 3 else None])
            if len(copies) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        shutil.copyfile = copyfile
        store.upload(folder, "k")"""
        victim = child(settings, folder, code)
        assert victim.wait(30) == -signal.SIGKILL
        store = open_store(settings)
        assert not store.sealed("k")
        there = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "k").glob("*.bin")}
        assert sorted(there) == ["0.bin", "1.bin"]
        store.upload(folder, "k")
        fetched = store.fetch("k", "weights").folder
        assert contents(fetched) == contents(folder)
        assert {name: (fetched / name).stat().st_mtime_ns for name in there} == there


class TestProcessesAtOnce:
    def test_two_that_upload_the_same_folder_both_succeed(self, s3, proxy, settings, sealed):
        folder = sealed(**{"large.bin": 2 * PART, **{f"{n}.bin": 1000 for n in range(3)}})
        proxy.twists.append(lambda *_: time.sleep(0.05))
        processes = [child(settings, folder, "print(store.upload(folder, 'k'))") for _ in range(2)]
        outcomes = [process.communicate(timeout=60) for process in processes]
        assert outcomes == [(s3.uri("k") + "\n", "")] * 2
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_of_two_that_replace_a_text_one_does(self, s3, proxy, settings, tmp_path):
        proxy.twists.append(lambda *_: time.sleep(0.1))
        s3.write_text("champion", "old")
        codes = [f"print(store.replace_text('champion', 'old', '{name}'))" for name in ("a", "b")]
        processes = [child(settings, tmp_path, code) for code in codes]
        won = [process.communicate(timeout=30)[0] for process in processes]
        assert sorted(won) == ["False\n", "True\n"]
        assert s3.read_text("champion") == "ab"[won.index("True\n")]


class TestInterrupts:
    @pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
    def test_a_silent_store_does_not_hold_an_upload_up(self, s3, proxy, settings, sealed, signal_):
        folder = sealed(**{"large.bin": 4 * PART})
        stuck = []
        proxy.twists.append(lambda request, _: (stuck.append(1), time.sleep(8)) if request.is_part else None)
        process = child(settings, folder, "store.upload(folder, 'k')")
        wait_for(lambda: stuck)
        self.ends_soon(process, signal_)
        assert not s3.sealed("k")

    def test_a_slow_store_does_not_hold_a_download_up(self, s3, proxy, settings, sealed):
        folder = sealed(**{f"{n}.bin": 2**20 for n in range(8)})
        s3.upload(folder, "k")
        begun = []
        proxy.twists += [lambda request, _: begun.append(1), slow(lambda request: request.name.endswith(".bin"), 1)]
        process = child(settings, folder, "store.fetch('k', 'weights')")
        wait_for(lambda: len(begun) > 2)
        self.ends_soon(process, signal.SIGTERM)

    def test_waits_between_attempts_do_not_hold_it_up(self, s3, proxy, settings, sealed):
        proxy.faults.append(lambda _: error(503, "SlowDown", **{"Retry-After": "20"}))
        process = child(settings, sealed(), "store.upload(folder, 'k')")
        wait_for(lambda: proxy.requests)
        time.sleep(0.3)
        self.ends_soon(process, signal.SIGTERM)

    def ends_soon(self, process, signal_):
        begun = time.monotonic()
        process.send_signal(signal_)
        try:
            _, failure = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert time.monotonic() - begun < 3
        assert (process.returncode, failure) == (1, "KeyboardInterrupt()\n")


def wait_for(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")
