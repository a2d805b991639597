"""The client of a sandbox server: whatever answers, or does not, a call ends soon, and nothing is run here."""

import asyncio
import contextlib
import gzip
import json
import socket

import pytest

from aepo.errors import UserError
from aepo.tools.base import Observation, ToolError
from aepo.tools.sandbox import remote, wire
from aepo.tools.sandbox.python_sandbox import LONGEST
from aepo.tools.sandbox.remote import RemoteSandbox

FINE = wire.write_answer(Observation("42\n"))


def response(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} Reason", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


BUSY = response(503, b'{"error": "every place is taken"}', retry_after=0)


class Answers:
    """A server that gives these answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            self.requests.append((head, await reader.readexactly(length)))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
            await writer.drain()
        writer.close()


async def ask(server, code="print(6 * 7)", **knobs):
    async with RemoteSandbox(server.url, **knobs) as sandbox:
        return await sandbox.run(code)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def silence(_):
    await asyncio.sleep(60)


async def flood(writer):
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"100000\r\n" + bytes(2**20) + b"\r\n")
        await writer.drain()


class TestAnswers:
    async def test_what_the_sandbox_says_comes_back(self):
        async with Answers(response(200, FINE)) as server:
            assert await ask(server) == Observation("42\n", "ok")
        ((head, body),) = server.requests
        assert head.startswith(f"POST {wire.RUN} HTTP/1.1\r\n")
        assert json.loads(body) == {"code": "print(6 * 7)"}

    async def test_nothing_of_the_environment_is_used_or_told(self, monkeypatch, tmp_path):
        (tmp_path / ".netrc").write_text("default login somebody password hunter2\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        async with Answers(response(200, FINE)) as server:
            assert (await ask(server)).outcome == "ok"
        assert "authorization" not in server.requests[0][0].lower()

    async def test_it_opens_again_after_it_was_closed(self):
        async with Answers(response(200, FINE)) as server:
            sandbox = RemoteSandbox(server.url + "/")
            for _ in range(2):
                assert (await sandbox.run("1")).outcome == "ok"
                await sandbox.aclose()

    async def test_code_that_no_server_takes_is_not_sent(self):
        async with Answers(response(200, FINE)) as server:
            observation = await ask(server, "x" * (LONGEST + 1))
        assert observation.outcome == "error"
        assert observation.text == f"error: the program has {LONGEST + 1} bytes, at most {LONGEST} are allowed\n"
        assert server.requests == []


class TestFailures:
    """Each is nobody's fault, and may be over at the next try."""

    async def test_nobody_listens_and_nothing_is_run_here(self, tmp_path):
        url = f"http://127.0.0.1:{free_port()}"
        async with RemoteSandbox(url) as sandbox:
            observation = await sandbox.run(f"open({str(tmp_path / 'ran')!r}, 'w')")
        assert observation.outcome == "sandbox_unavailable"
        assert f"{url} cannot be reached (" in observation.text
        assert "refused" in observation.text or "failed" in observation.text
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (b"", "broke off the call"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off the call"),
            (response(200, FINE)[:-3], "broke off the call"),
            (response(500, b"Internal Server Error"), "answered 500 Reason: Internal Server Error"),
            (response(502, b"<html>\n"), "answered 502 Reason: <html>"),
            (response(503, b'{"error": "the sandbox runs no code"}'), "503 Reason: the sandbox runs no code"),
            (flood, f"answered more than {wire.LARGEST_ANSWER} bytes"),
        ],
        ids=["nothing", "no HTTP", "half an answer", "500", "a gateway", "a broken sandbox", "no end"],
    )
    async def test_an_answer_that_is_none(self, answer, said):
        async with Answers(answer) as server:
            observation = await ask(server)
        assert observation.outcome == "sandbox_unavailable"
        assert said in observation.text

    async def test_no_answer_in_time(self):
        async with Answers(silence) as server:
            observation = await ask(server, seconds=0.2)
        assert observation == Observation(
            f"the sandbox server at {server.url} did not answer within 0.2 s", "sandbox_unavailable"
        )


class TestBusyServers:
    async def test_a_busy_server_is_asked_again(self, monkeypatch):
        monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
        async with Answers(BUSY, BUSY, response(200, FINE)) as server:
            assert (await ask(server)).outcome == "ok"
        assert len(server.requests) == 3

    async def test_waits_grow_and_are_those_the_server_asks_for(self, monkeypatch):
        pauses = []

        async def sleep(seconds):
            pauses.append(seconds)

        monkeypatch.setattr(remote.asyncio, "sleep", sleep)
        asked = [response(503, retry_after=seconds) for seconds in (0, 0, 0, 3, 900, "Mon, 01 Jan 2024 00:00:00 GMT")]
        async with Answers(*asked, response(200, FINE)) as server:
            await ask(server)
        for pause, longest in zip(pauses, (0.2, 0.4, 0.8, 3, 5, 5), strict=True):
            assert longest / 2 <= pause <= longest

    async def test_a_server_that_stays_busy_is_given_up(self):
        async with Answers(BUSY) as server:
            observation = await ask(server, seconds=3)
        assert observation.outcome == "sandbox_unavailable"
        assert "had no free place for 3 s" in observation.text
        assert len(server.requests) > 1


class TestWrongAddresses:
    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (response(404, b'{"error": "Not Found"}'), "404 Reason: Not Found"),
            (response(401), "401 Reason"),
            (response(301, location="http://127.0.0.1/elsewhere"), "301 Reason"),
            (response(200, b"<html>welcome</html>"), "no valid JSON"),
            (response(200, b'{"text": "42", "outcome": "fine"}'), "not of the form"),
            (response(200, gzip.compress(FINE), content_encoding="gzip"), "no valid JSON"),
        ],
        ids=["404", "401", "a redirection", "a page", "another version", "packed"],
    )
    async def test_something_that_is_no_sandbox_server(self, answer, said):
        async with Answers(answer) as server:
            with pytest.raises(ToolError, match="is no sandbox server of this version") as caught:
                await ask(server)
        assert said in str(caught.value)
        assert "correct sandbox.url" in str(caught.value)
        assert not caught.value.retry

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "aepo-sandbox:8080",
            "ftp://aepo-sandbox",
            "http://",
            "http://aepo-sandbox:eighty",
            "http://somebody:hunter2@aepo-sandbox:8080",
            "http://aepo-sandbox:8080?token=hunter2",
        ],
    )
    def test_an_address_that_is_none(self, url):
        with pytest.raises(UserError, match=r"write it like http://aepo-sandbox:8080") as caught:
            RemoteSandbox(url)
        assert "hunter2" not in str(caught.value)
