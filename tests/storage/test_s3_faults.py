"""What networks and stores do to a client: every failure ends soon, in one message that says what to do."""

import contextlib
import itertools
import logging
import re
import socket
import threading
import time
from datetime import timedelta

import pytest
from fault_proxy import cut, error, lost, skewed_clock, slow, times, when, without
from s3_server import free_port
from storage_helpers import PART, contents, refusal

from aepo.storage import open_store
from aepo.storage.s3 import connect, http


def every_call(store, folder):
    return [
        lambda: store.upload(folder, "k"),
        lambda: store.sealed("k"),
        lambda: store.fetch("k", "weights"),
        lambda: store.read_text("k"),
        lambda: store.write_text("k", "text"),
        lambda: store.replace_text("k", None, "text"),
        lambda: store.delete("k"),
    ]


class TestCredentials:
    def test_a_wrong_access_key(self, s3, proxy, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOSUCHKEY00000000000")
        message = refusal(s3)
        assert f"{proxy.endpoint} does not know the access key in the environment (AWS_ACCESS_KEY_ID" in message
        assert "NOSUCHKEY" not in message

    def test_a_wrong_secret_key(self, s3, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-key")
        message = refusal(s3)
        assert (
            "the secret key in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) is not the access" in message
        )
        assert "wrong-secret-key" not in message

    def test_keys_that_are_mended_are_used_at_once(self, s3, server, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-key")
        refusal(s3)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        assert s3.read_text("k") is None

    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            (
                403,
                "AccessDenied",
                "denies access with the credentials in the environment .* Allow them to list the bucket",
            ),
            (400, "ExpiredToken", "the session in the environment .* has expired"),
            (403, "InvalidToken", "the session token in the environment .* is invalid"),
        ],
    )
    def test_other_refusals(self, s3, proxy, status, code, expected):
        proxy.faults.append(lambda _: error(status, code))
        assert re.search(expected, refusal(s3))


class TestAddresses:
    def test_a_bucket_that_is_not_there(self, settings, credentials, quick, proxy, sealed):
        store = open_store(settings.model_copy(update={"root": "s3://no-such-bucket/x"}))
        for call in every_call(store, sealed()):
            message = refusal(store, call)
            assert message.startswith("s3://no-such-bucket/x/k")
            assert (
                f"there is no bucket no-such-bucket at {proxy.endpoint}. Create it, or correct storage.root" in message
            )

    def test_a_bucket_in_another_region(self, s3, proxy):
        said = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
        proxy.faults.append(lambda _: error(400, "AuthorizationHeaderMalformed", said))
        message = refusal(s3)
        assert "is not in region us-east-1. Set storage.region" in message
        assert "expecting 'eu-west-1'" in message

    def test_nobody_listens(self, settings, credentials, quick):
        endpoint = f"http://127.0.0.1:{free_port()}"
        store = open_store(settings.model_copy(update={"endpoint": endpoint}))
        begun = time.monotonic()
        assert f"{endpoint} cannot be reached (Connection refused). Check storage.endpoint" in refusal(store)
        assert time.monotonic() - begun < 5

    def test_an_unknown_host(self, settings, credentials, quick):
        store = open_store(settings.model_copy(update={"endpoint": "http://minio.invalid:9000"}))
        assert "the host of http://minio.invalid:9000 is unknown (DNS)" in refusal(store)

    def test_a_store_without_tls_addressed_with_it(self, settings, credentials, quick, proxy):
        store = open_store(settings.model_copy(update={"endpoint": proxy.endpoint.replace("http:", "https:")}))
        assert re.search(
            r"no TLS connection to https://\S+ \(.+\)\. Set SSL_CERT_FILE .* or write http://", refusal(store)
        )

    @pytest.mark.parametrize("status", [200, 301, 400, 404, 405])
    def test_something_that_is_no_s3_store(self, s3, proxy, status, sealed):
        proxy.faults.append(lambda _: error(status, None))
        calls = every_call(s3, sealed())
        for call in calls if status != 200 else calls[:-1]:
            assert "Set storage.endpoint to the address of the S3 API" in refusal(s3, call)

    def test_a_web_page_with_tags_is_no_s3_store(self, s3, proxy):
        page = error(200, None, ETag='"1"')
        proxy.faults.append(lambda _: page)
        assert "Set storage.endpoint to the address of the S3 API" in refusal(s3)


class TestClocks:
    @pytest.mark.parametrize("offset", [timedelta(hours=2), timedelta(minutes=-16)])
    def test_a_wrong_clock_is_told_with_both_times(self, s3, proxy, offset):
        proxy.faults.append(skewed_clock(offset))
        message = refusal(s3)
        found = re.search(r"\(here (\S+) (\d\d:\d\d:\d\d)Z, there (\S+) (\d\d:\d\d:\d\d)Z\)\. Set them by NTP", message)
        assert found
        assert found[2] != found[4]

    def test_a_clock_that_is_a_little_wrong_does_no_harm(self, s3, proxy):
        proxy.faults.append(skewed_clock(timedelta(minutes=14)))
        assert s3.read_text("k") is None

    def test_a_refusal_without_a_body_is_explained_by_its_date(self, s3, proxy, sealed):
        refused = error(403, None)
        refused.body, refused.headers = b"", {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}
        proxy.faults.append(when(lambda request: request.method == "HEAD", refused))
        assert "there 2024-01-01 00:00:00Z" in refusal(s3, lambda: s3.upload(sealed(), "k"))


class TestBusyStores:
    def test_a_storm_of_failures_is_ridden_out(self, s3, proxy, sealed):
        storm = [0]

        def fault(request):
            storm[0] += 1
            return error(503, "SlowDown") if storm[0] % 3 else None

        proxy.faults.append(fault)
        folder = sealed(**{"large.bin": 2 * PART, "small.bin": 10})
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert s3.replace_text("k/text", None, "a")
        s3.delete("k")
        assert not s3.sealed("k")

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_every_passing_failure_is_tried_again(self, s3, proxy, status):
        proxy.faults.append(times(2, lambda _: error(status, None)))
        s3.write_text("k", "text")
        assert s3.read_text("k") == "text"

    def test_a_storm_that_does_not_end_is_told(self, s3, proxy, sealed, monkeypatch):
        monkeypatch.setattr(http, "RETRY_SECONDS", 0.15)
        proxy.faults.append(lambda _: error(503, "SlowDown"))
        for call in every_call(s3, sealed()):
            begun = time.monotonic()
            assert f"{proxy.endpoint} is overloaded or down: it answered 503 SlowDown again and again" in refusal(
                s3, call
            )
            assert 0.05 < time.monotonic() - begun < 5

    def test_waits_between_attempts_grow(self, s3, proxy):
        seen = []
        proxy.faults.append(lambda _: (seen.append(time.monotonic()), error(503, "SlowDown"))[1])
        refusal(s3)
        waits = [later - earlier for earlier, later in itertools.pairwise(seen)]
        assert 4 <= len(waits) <= 8
        assert waits[-1] > 4 * waits[0]

    def test_a_store_may_say_how_long_to_wait(self, s3, proxy, monkeypatch):
        monkeypatch.setattr(http, "RETRY_SECONDS", 4.0)
        seen = []
        busy = times(1, lambda _: error(503, "SlowDown", **{"Retry-After": "1"}))
        proxy.faults += [lambda _: seen.append(time.monotonic()), busy]
        assert s3.read_text("k") is None
        assert 1 <= seen[1] - seen[0] < 3

    def test_a_page_of_a_gateway_is_a_busy_store_too(self, s3, proxy):
        proxy.faults.append(lambda _: error(502, None))
        assert "it answered 502 Bad Gateway again" in refusal(s3)

    @pytest.mark.parametrize(("status", "code"), [(507, "XMinioStorageFull"), (507, None), (400, "QuotaExceeded")])
    def test_a_full_store(self, s3, proxy, sealed, status, code):
        proxy.faults.append(when(lambda request: request.method == "PUT", error(status, code)))
        message = refusal(s3, lambda: s3.upload(sealed(**{"a.bin": 10}), "k"))
        assert f"the store at {proxy.endpoint} is full. Free space there, or raise its quota" in message
        assert proxy.count(lambda request: request.method == "PUT") == 1

    def test_anything_else_is_quoted_without_what_is_secret(self, s3, proxy, server):
        signature = "Credential=AKIA0/20260101/us-east-1/s3/aws4_request, Signature=abcdef0123"
        proxy.faults.append(lambda _: error(400, "Odd", f"strange header: AWS4-HMAC-SHA256 {signature}"))
        message = refusal(s3)
        assert "refuses the request: Odd, 'strange header" in message
        assert not {"AKIA0", "abcdef0123"} & {*re.split(r"\W+", message)}


class TestConnections:
    def test_a_store_that_answers_slowly_is_waited_for(self, settings, credentials, proxy, sealed, monkeypatch):
        monkeypatch.setattr(http, "READ_TIMEOUT", 0.8)
        s3, folder = open_store(settings), sealed(**{"a.bin": 8 * 2**16})
        s3.upload(folder, "k")
        proxy.twists.append(slow(lambda request: request.name.endswith("a.bin"), 0.13))
        begun = time.monotonic()
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert time.monotonic() - begun > http.READ_TIMEOUT

    def test_a_store_that_reads_slowly_is_waited_for(self, settings, credentials, quick, monkeypatch):
        monkeypatch.setattr(http, "CONNECT_TIMEOUT", 1.0)

        def serve():
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                for _ in range(4):
                    stream.read(4_000_000)
                    time.sleep(0.5)
                stream.read(400_000)
                connection.sendall(b"HTTP/1.1 507 Full\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, daemon=True).start()
            store = open_store(
                settings.model_copy(update={"endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}"})
            )
            begun = time.monotonic()
            assert "is full" in refusal(store, lambda: store.write_text("k", "x" * 16_500_000))
            assert time.monotonic() - begun > http.CONNECT_TIMEOUT

    def test_a_store_that_accepts_and_is_silent(self, settings, credentials, quick, monkeypatch):
        monkeypatch.setattr(http, "READ_TIMEOUT", 0.6)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
            store = open_store(settings.model_copy(update={"endpoint": endpoint}))
            begun = time.monotonic()
            assert f"{endpoint} does not answer in time" in refusal(store)
            assert time.monotonic() - begun < 5

    def test_a_host_that_drops_every_packet(self, settings, credentials, quick, monkeypatch):
        monkeypatch.setattr(http, "CONNECT_TIMEOUT", 0.3)
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
            for _ in range(8):  # nobody accepts: once the queue is full, the system answers no more
                full = waiting.enter_context(socket.socket())
                full.setblocking(False)
                full.connect_ex(listener.getsockname())
            endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
            store = open_store(settings.model_copy(update={"endpoint": endpoint}))
            begun = time.monotonic()
            assert f"{endpoint} cannot be reached (timed out). Check" in refusal(store)
            assert time.monotonic() - begun < 5

    def test_a_connection_that_is_always_cut(self, s3, proxy, sealed, monkeypatch):
        monkeypatch.setattr(http, "RETRY_SECONDS", 0.4)
        s3.upload(sealed(**{"a.bin": 2**20}), "k")
        proxy.twists.append(cut(lambda request: request.name.endswith("a.bin"), 0))
        assert "breaks off again and again" in refusal(s3, lambda: s3.fetch("k", "weights"))
        proxy.twists[:] = [cut(lambda _: True, 0)]
        assert f"the connection to {proxy.endpoint} breaks off again and again" in refusal(s3, lambda: s3.sealed("k"))

    def test_a_connection_cut_while_sending(self, s3, proxy, sealed):
        folder = sealed(**{"large.bin": 2 * PART, "small.bin": 10})
        proxy.hang_ups.append(times(3, lambda request: request.method == "PUT" or None))
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)

    def test_a_restart_of_the_store_is_ridden_out(self, s3, proxy, monkeypatch):
        assert s3.read_text("k") is None
        monkeypatch.setattr(http, "RETRY_SECONDS", 20.0)
        host, port = proxy.listener.server_address
        proxy.listener.shutdown()
        proxy.listener.server_close()
        s3._bucket._client._http.clear()  # what was open breaks

        def restart():
            time.sleep(http.UNREACHED_SECONDS + 0.4)
            proxy.listener = type(proxy.listener)((host, port), proxy.listener.RequestHandlerClass)
            proxy.listener.serve_forever(poll_interval=0.02)

        threading.Thread(target=restart, daemon=True).start()
        assert s3.read_text("k") is None


class TestConditions:
    def test_the_manifest_is_written_last_and_only_where_there_is_none(self, s3, proxy, sealed):
        s3.upload(sealed(**{"large.bin": 2 * PART, "small.bin": 10}), "k")
        writes = [request for request in proxy.requests if request.method in ("PUT", "POST")]
        assert writes[-1].is_manifest
        assert writes[-1].headers["If-None-Match"] == "*"
        assert sum(request.is_manifest for request in writes) == 1

    def test_a_manifest_that_appears_meanwhile_stays(self, s3, proxy, sealed, direct, bucket):
        other = sealed("other", **{"a.bin": b"other"})

        def overtake(request):
            if request.is_manifest and request.method == "PUT":
                proxy.faults.clear()
                for name in ("a.bin", "manifest.json"):
                    direct.fput_object(bucket, f"team a/k/{name}", str(other / name))

        proxy.faults.append(overtake)
        s3.upload(sealed(**{"a.bin": b"mine!"}), "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(other)

    def test_a_write_whose_answer_was_lost_counts(self, s3, proxy):
        s3.write_text("k", "old")
        proxy.twists.append(times(1, lost(lambda request: request.method == "PUT")))
        assert s3.replace_text("k", "old", "new")
        assert s3.read_text("k") == "new"
        assert proxy.count(lambda request: request.method == "PUT" and "If-Match" in request.headers) == 2

    def test_writers_that_meet_try_again(self, s3, proxy):
        proxy.faults.append(
            times(2, when(lambda request: request.method == "PUT", lambda: error(409, "ConditionalRequestConflict")))
        )
        assert s3.replace_text("k", None, "new")
        assert s3.read_text("k") == "new"

    @pytest.mark.parametrize("known", ["ignored", "refused"])
    def test_a_store_without_conditional_writes_still_works(self, s3, proxy, server, sealed, known):
        if known == "ignored":
            proxy.faults.append(without(server, "If-Match", "If-None-Match"))
        else:
            conditional = lambda request: {"If-Match", "If-None-Match"} & {*request.headers}  # noqa: E731
            proxy.faults.append(when(conditional, error(501, "NotImplemented")))
        folder = sealed()
        s3.upload(folder, "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        s3.upload(sealed("other", **{"a.bin": 5}), "k")
        assert contents(s3.fetch("k", "weights").folder) == contents(folder)
        assert s3.replace_text("t", None, "a")
        assert s3.replace_text("t", "a", "b")
        assert not s3.replace_text("t", "a", "c")
        assert s3.read_text("t") == "b"


class TestSecrecy:
    def test_no_secret_is_shown_or_logged(self, s3, proxy, sealed, server, caplog, monkeypatch):
        caplog.set_level(logging.DEBUG)
        monkeypatch.setattr(http, "RETRY_SECONDS", 0.3)
        messages, folder = [repr(vars(s3))], sealed(**{"large.bin": 2 * PART, "small.bin": 10})
        s3.upload(folder, "k")
        s3.fetch("k", "weights")
        echo = lambda request: error(400, "Odd", f"{request.headers['Authorization']}")  # noqa: E731
        for fault in (echo, lambda _: error(503, "SlowDown"), lambda _: error(403, "SignatureDoesNotMatch")):
            proxy.faults[:] = [fault]
            messages += [refusal(s3, call) for call in every_call(s3, folder)[::2]]
        text = "\n".join([*messages, caplog.text])
        signatures = {request.headers["Authorization"].partition("Signature=")[2] for request in proxy.requests}
        assert len(signatures) > 10
        assert "/team" in text  # the log does tell what was asked
        for secret in (server.access_key, server.secret_key, *signatures):
            assert secret not in text

    def test_no_address_carries_a_signature(self, s3, proxy, sealed):
        s3.upload(sealed(**{"large.bin": 2 * PART}), "k")
        s3.fetch("k", "weights")
        assert not [request.path for request in proxy.requests if "X-Amz" in request.path]


class TestOpening:
    def test_stores_of_a_process_share_their_connections(self, s3, settings, monkeypatch):
        monkeypatch.setattr(connect, "PatientPool", lambda: pytest.fail("a second client"))
        assert open_store(settings).read_text("k") is None
        monkeypatch.setattr(connect.os, "getpid", lambda: -1)
        with pytest.raises(pytest.fail.Exception, match="a second client"):
            open_store(settings)

    def test_opening_speaks_to_nobody(self, s3, proxy):
        assert not proxy.requests
