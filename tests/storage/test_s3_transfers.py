"""Large files: in parts, streamed, resumed, and never sent twice."""

import hashlib
import ssl
import threading
import time
from unittest import mock

import pytest
from fault_proxy import cut, error, lost, slow, times, when, without
from storage_helpers import PART, child, contents
from urllib3 import exceptions

from aepo.artifacts import DamagedArtifact
from aepo.errors import UserError
from aepo.storage import open_store
from aepo.storage.s3 import download, http, parallel, upload


def is_part(request):
    return request.is_part


class TestUpload:
    def test_a_large_file_travels_in_parts(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 7 * PART + 1, "small.bin": 10})
        s3.upload(folder, "k")
        parts = sorted(int(request.query["partNumber"][0]) for request in proxy.requests if request.is_part)
        assert parts == list(range(1, 9))
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_parts_travel_side_by_side(self, s3, proxy, sealed):
        together = threading.Barrier(4, timeout=10)

        def meet(request):
            if request.is_part:
                together.wait()

        proxy.faults.append(meet)
        s3.upload(sealed(**{"large.bin": 4 * PART}), "k")
        assert not together.broken

    def test_a_whole_upload_is_not_repeated(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 2 * PART, "small.bin": 10})
        s3.upload(folder, "k")
        before = proxy.bytes_put()
        s3.upload(folder, "k")
        assert proxy.bytes_put() == before

    def test_files_that_arrived_are_not_sent_again(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 2 * PART, "small.bin": 10, "tiny.bin": 3})
        proxy.faults.append(when(lambda request: request.is_manifest and request.method == "PUT", error(400, "Stop")))
        with pytest.raises(UserError, match="Stop"):
            s3.upload(folder, "k")
        assert not s3.sealed("k")
        proxy.faults.clear()
        before = proxy.bytes_put()
        s3.upload(folder, "k")
        assert proxy.bytes_put() - before == (folder / "manifest.json").stat().st_size

    def test_a_file_of_the_same_size_but_another_content_is_sent(self, s3, sealed):
        first = sealed(**{"a.bin": b"1"})
        s3.upload(first, "k")
        s3.delete("k/manifest.json")
        second = sealed("second", **{"a.bin": b"2"})
        s3.upload(second, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(second)

    def test_only_the_missing_parts_of_a_large_file_are_sent(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 5 * PART})
        proxy.faults.append(when(lambda request: request.query.get("partNumber") == ["4"], error(400, "Stop")))
        with pytest.raises(UserError, match="Stop"):
            s3.upload(folder, "k")
        proxy.faults.clear()
        time.sleep(0.2)  # what was under way then arrives
        there = {request.query["partNumber"][0] for request in proxy.requests if request.is_part} - {"4"}
        proxy.requests.clear()
        s3.upload(folder, "k")
        sent = {request.query["partNumber"][0] for request in proxy.requests if request.is_part}
        assert sent == {"1", "2", "3", "4", "5"} - there
        assert len(there) >= 3
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_an_unfinished_upload_of_another_content_is_not_taken_up(self, s3, proxy, sealed):
        proxy.faults.append(when(lambda request: request.query.get("partNumber") == ["3"], error(400, "Stop")))
        with pytest.raises(UserError, match="Stop"):
            s3.upload(sealed(**{"large.bin": b"1" * 3 * PART}), "k")
        proxy.faults.clear()
        second = sealed("second", **{"large.bin": b"2" * 3 * PART})
        s3.upload(second, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(second)

    def test_an_upload_that_began_with_the_same_bytes_does_not_lend_its_digest(self, s3, proxy, sealed, direct, bucket):
        proxy.faults.append(when(lambda request: request.query.get("partNumber") == ["2"], error(400, "Stop")))
        with pytest.raises(UserError, match="Stop"):
            s3.upload(sealed(**{"large.bin": b"1" * 2 * PART}), "k")
        proxy.faults.clear()
        second = sealed("second", **{"large.bin": b"1" * PART + b"2" * PART})
        s3.upload(second, "k")
        noted = direct.stat_object(bucket, "team a/k/large.bin").metadata["x-amz-meta-sha256"]
        assert noted == hashlib.sha256((second / "large.bin").read_bytes()).hexdigest()
        assert contents(s3.fetch("k", "weights").folder) == contents(second)

    def test_no_unfinished_upload_is_left_behind(self, s3, proxy, sealed, direct, bucket):
        for content in (b"1", b"2"):
            proxy.faults.append(when(lambda request: request.query.get("partNumber") == ["2"], error(400, "Stop")))
            with pytest.raises(UserError, match="Stop"):
                s3.upload(sealed(f"of {content}", **{"large.bin": content * 2 * PART}), "k")
            proxy.faults.clear()
        assert len(direct._list_multipart_uploads(bucket, prefix="team a/k/large.bin").uploads) == 2
        s3.upload(sealed(**{"large.bin": b"3" * 2 * PART}), "k")
        assert not direct._list_multipart_uploads(bucket, prefix="team a/k/large.bin").uploads

    def test_deleting_a_folder_ends_its_unfinished_uploads(self, s3, proxy, sealed, direct, bucket):
        proxy.faults.append(when(lambda request: request.query.get("partNumber") == ["2"], error(400, "Stop")))
        for key in ("k", "kk"):
            with pytest.raises(UserError, match="Stop"):
                s3.upload(sealed(**{"large.bin": 2 * PART}), key)
        s3.delete("k")
        left = direct._list_multipart_uploads(bucket, prefix="team a/").uploads
        assert [found.object_name for found in left] == ["team a/kk/large.bin"]

    def test_deleting_begins_with_the_manifests(self, s3, proxy, sealed):
        for key in ("k", "k/below"):
            s3.upload(sealed(), key)
        proxy.faults.append(
            when(lambda request: request.method == "DELETE" and not request.is_manifest, error(400, "Stop"))
        )
        with pytest.raises(UserError, match="Stop"):
            s3.delete("k")
        assert not s3.sealed("k")
        assert not s3.sealed("k/below")
        assert s3.read_text("k/config.json") == "{}"

    def test_an_upload_that_another_process_ends_meanwhile_is_begun_anew(self, s3, proxy, sealed, direct, bucket):
        def abort(request):
            if request.query.get("partNumber") == ["2"]:
                direct._abort_multipart_upload(bucket, "team a/k/large.bin", request.query["uploadId"][0])
                return error(404, "NoSuchUpload")
            return None

        proxy.faults.append(times(1, abort))
        folder = sealed(**{"large.bin": 3 * PART})
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        proxy.faults[:] = [abort]
        with pytest.raises(UserError, match=r"k2/large\.bin: other processes kept replacing or aborting this upload"):
            s3.upload(folder, "k2")

    def test_a_finish_whose_answer_was_lost_counts(self, s3, proxy, sealed):
        proxy.twists.append(times(1, lost(lambda request: request.method == "POST" and "uploadId" in request.query)))
        folder = sealed(**{"large.bin": 2 * PART})
        s3.upload(folder, "k")
        assert proxy.count(is_part) == 2
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_a_failure_reported_with_status_200_is_no_success(self, s3, proxy, sealed):
        finishing = when(
            lambda request: request.method == "POST" and "uploadId" in request.query,
            lambda: error(200, "InternalError"),
        )
        proxy.faults.append(times(1, finishing))
        folder = sealed(**{"large.bin": 2 * PART})
        s3.upload(folder, "k")
        assert proxy.count(is_part) == 2
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_parts_grow_with_files_that_would_need_too_many(self, tmp_path, monkeypatch, quick):
        monkeypatch.setattr(upload, "MAX_PARTS", 4)
        path = tmp_path / "sparse"
        with path.open("wb") as file:
            file.truncate(25 * 2**20 + 1)
        assert (upload._part_size(path), upload._count(path)) == (7 * 2**20, 4)

    def test_a_store_that_encrypts_gives_no_md5(self, s3, proxy, sealed):
        def encrypt(request, answer):
            if request.method == "PUT":
                answer.headers |= {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}

        proxy.twists.append(encrypt)
        folder = sealed()
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)


class TestCorruption:
    def test_what_arrives_damaged_is_sent_again(self, s3, proxy, sealed):
        proxy.faults.append(times(2, damage))
        folder = sealed(**{"large.bin": 2 * PART, "small.bin": 100})
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert proxy.count(lambda request: request.method == "PUT") > 4

    @pytest.mark.parametrize("size", [100, 2 * PART])
    def test_what_arrives_damaged_again_and_again_is_never_sealed(self, s3, proxy, sealed, size):
        proxy.faults.append(damage)
        with pytest.raises(UserError, match=r"k/some\.bin arrived damaged 3 times"):
            s3.upload(sealed(**{"some.bin": size}), "k")
        assert not s3.sealed("k")


def damage(request):
    """A fault: another byte arrives than was sent, and the store does not notice."""
    if request.method != "PUT" or request.is_manifest:
        return None
    answer = error(200, "")
    changed = bytes([request.body[0] ^ 1]) + request.body[1:]
    answer.headers = {"ETag": f'"{hashlib.md5(changed).hexdigest()}"'}
    return answer


class TestDownload:
    def test_a_fetched_folder_is_not_fetched_again(self, s3, proxy, sealed, settings):
        s3.upload(sealed(**{"large.bin": PART}), "k")
        first = s3.fetch("k", "weights")
        proxy.requests.clear()
        assert open_store(settings).fetch("k", "weights") == first
        assert [(request.method, request.is_manifest) for request in proxy.requests] == [("GET", True)]

    def test_a_file_damaged_on_this_machine_is_fetched_again(self, s3, proxy, sealed):
        folder = sealed(**{"a.bin": 1000, "b.bin": 1000})
        s3.upload(folder, "k")
        local = s3.fetch("k", "weights").folder
        (local / "a.bin").write_bytes(b"rotten")
        proxy.requests.clear()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert proxy.count(lambda request: request.name.endswith("b.bin")) == 0
        (local / "a.bin").unlink()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_a_file_is_in_place_only_once_it_is_verified(self, s3, proxy, sealed, settings, tmp_path):
        s3.upload(sealed(**{"a.bin": 10, "b.bin": 10}), "k")
        proxy.faults.append(when(lambda request: request.name.endswith("b.bin"), error(400, "Stop")))
        with pytest.raises(UserError, match="Stop"):
            s3.fetch("k", "weights")
        assert "manifest.json" not in {path.name for path in (tmp_path / "scratch").rglob("*")}

    @pytest.mark.parametrize("resumable", [True, False])
    def test_a_connection_cut_in_the_body_is_resumed_where_it_broke(self, s3, proxy, server, sealed, resumable):
        folder = sealed(**{"large.bin": 8 * 2**20})
        s3.upload(folder, "k")
        is_large = lambda request: request.method == "GET" and request.name.endswith("large.bin")  # noqa: E731
        proxy.twists += [times(3, cut(is_large, 2**21 + 5))]
        if not resumable:
            proxy.faults.append(without(server, "Range"))
        begun = proxy.count(is_large)
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        ranges = [request.headers.get("Range") for request in proxy.requests if is_large(request)][begun:]
        assert len(ranges) == 4
        if resumable:
            starts = [int(header.removeprefix("bytes=").rstrip("-")) for header in ranges[1:]]
            assert starts == sorted({*starts})
            assert starts[-1] >= 6 * 2**20

    def test_an_interrupted_download_is_resumed_by_the_next(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 8 * 2**20})
        s3.upload(folder, "k")
        is_large = lambda request: request.method == "GET" and request.name.endswith("large.bin")  # noqa: E731
        proxy.twists += [times(1, cut(is_large, 3 * 2**20))]
        proxy.faults += [when(lambda request: is_large(request) and "Range" in request.headers, error(400, "Stop"))]
        with pytest.raises(UserError, match="Stop"):
            s3.fetch("k", "weights")
        proxy.faults.clear()
        proxy.requests.clear()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        header = next(request.headers["Range"] for request in proxy.requests if is_large(request))
        assert int(header.removeprefix("bytes=").rstrip("-")) >= 2 * 2**20

    def test_a_whole_part_is_not_asked_for_again(self, s3, proxy, sealed, monkeypatch):
        folder = sealed(**{"large.bin": 2**20})
        s3.upload(folder, "k")
        with (
            mock.patch.object(download.Path, "replace", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            s3.fetch("k", "weights")
        proxy.requests.clear()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert [r.headers["Range"] for r in proxy.requests if r.name.endswith("large.bin")] == [f"bytes={2**20}-"]

    def test_a_body_damaged_on_the_way_is_fetched_again(self, s3, proxy, sealed):
        folder = sealed(**{"a.bin": 1000})
        s3.upload(folder, "k")

        def damage(request, answer):
            if request.name.endswith("a.bin"):
                answer.body = b"x" + answer.body[1:]
                return True
            return None

        proxy.twists.append(times(1, damage))
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        s3.delete("k")
        s3.upload(sealed("other", **{"a.bin": b"y" * 10}), "k")
        proxy.twists[:] = [damage]
        with pytest.raises(DamagedArtifact, match=r"k/a\.bin is damaged in the store: its sha256"):
            s3.fetch("k", "weights")

    def test_a_full_disk_is_told_as_the_system_tells_it(self, s3, sealed):
        s3.upload(sealed(**{"a.bin": 1000}), "k")
        full = OSError(28, "No space left on device")
        with (
            mock.patch.object(download.Path, "replace", side_effect=full),
            pytest.raises(OSError, match="No space left"),
        ):
            s3.fetch("k", "weights")

    def test_what_is_deleted_in_the_store_is_not_kept_on_this_machine(self, s3, sealed):
        s3.upload(sealed(), "k/a")
        s3.upload(sealed(), "k/b")
        first, second = s3.fetch("k/a", "weights").folder, s3.fetch("k/b", "weights").folder
        s3.delete("k/a")
        assert not first.exists()
        assert second.exists()

    def test_fetches_at_once_share_one_download(self, s3, proxy, sealed, settings, tmp_path):
        folder = sealed(**{"a.bin": 2**20})
        s3.upload(folder, "k")
        proxy.requests.clear()
        proxy.twists.append(slow(lambda request: request.name.endswith("a.bin"), 0.03))
        code = "print(len(store.fetch('k', 'weights').files))"
        children = [child(settings, folder, code) for _ in range(2)]
        assert [process.communicate()[0] for process in children] == ["1\n", "1\n"]
        assert proxy.count(lambda request: request.name.endswith("a.bin")) == 1


class TestMemory:
    def test_a_large_folder_is_streamed(self, settings, credentials, tmp_path, sealed):
        folder = sealed(**{"large.bin": 64 * 2**20})
        code = """
        import resource
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        store.upload(folder, "k"); store.fetch("k", "weights")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"""
        out, failure = child(settings, folder, code).communicate()
        assert int(out) < 44 * 1024, failure  # KiB; four parts are under way at a time


class TestParallel:
    def test_the_first_failure_ends_the_rest(self):
        done = []

        def work(item, stopped):
            if item == 0:
                raise ValueError("first")
            stopped.wait(20)
            done.append(item)

        begun = time.monotonic()
        with pytest.raises(ValueError, match="first"):
            parallel.in_parallel(work, list(range(100)))
        assert time.monotonic() - begun < 5
        time.sleep(0.2)
        assert len(done) < parallel.WORKERS

    def test_nothing_to_do_is_done(self):
        parallel.in_parallel(lambda *_: pytest.fail("called"), [])


class TestPatience:
    def test_waits_double_with_jitter_up_to_the_longest(self, monkeypatch):
        slept, now = [], [100.0]
        monkeypatch.setattr(http.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(
            http.time, "sleep", lambda seconds: (slept.append(seconds), now.__setitem__(0, now[0] + seconds))
        )
        patience = http.Patience(60)
        while patience.another():
            pass
        expected = [min(0.25 * 2**n, 8) for n in range(len(slept))]
        assert all(full / 2 <= wait <= full for wait, full in zip(slept, expected, strict=True))
        assert len({round(wait / full, 3) for wait, full in zip(slept, expected, strict=True)}) > 3
        assert 50 < sum(slept) <= 60

    def test_time_lost_in_a_silent_attempt_counts(self, monkeypatch):
        monkeypatch.setattr(http.time, "sleep", lambda _: None)
        assert not http.Patience(60).another(lost=60)
        assert http.Patience(60).another(lost=30)

    @pytest.mark.parametrize(
        ("failure", "passes"),
        [
            (exceptions.ProtocolError("Connection aborted.", ConnectionResetError()), True),
            (exceptions.NewConnectionError(None, "refused"), True),
            (exceptions.ConnectTimeoutError(), True),
            (exceptions.ReadTimeoutError(None, None, "silent"), True),
            (exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")), True),
            (exceptions.SSLError(ssl.SSLCertVerificationError(1, "certificate verify failed")), False),
            (exceptions.LocationParseError("http://"), False),
        ],
    )
    def test_only_what_may_pass_is_tried_again(self, failure, passes, monkeypatch):
        monkeypatch.setattr(http.time, "sleep", lambda _: None)
        assert http.Patience(60).after(failure) is passes
