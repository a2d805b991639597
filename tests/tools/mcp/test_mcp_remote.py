"""Servers at an address: one written with the installed package, and what can be wrong with others."""

import asyncio
import contextlib
import logging
import socket

import pytest
import uvicorn
from mcp_processes import hurry
from sdk_server import server as sdk

from aepo.errors import UserError
from aepo.tools.base import ToolError
from aepo.tools.mcp import remote as remotes
from aepo.tools.mcp.settings import McpServerSettings
from aepo.tools.mcp.tools import list_tools

SECRET = "Bearer s3cr3t"


@contextlib.asynccontextmanager
async def served(app, port=0):
    """The address of an ASGI application, on 127.0.0.1, in this event loop."""
    config = uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=0, lifespan="on")
    server = uvicorn.Server(config)
    server.config.setup_event_loop = server.install_signal_handlers = lambda: None
    listener = socket.create_server(("127.0.0.1", port))
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()


def guarded(app, seen):
    """Asks for the secret."""

    async def guard(scope, receive, send):
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            seen.append(headers)
            if headers.get(b"authorization") != SECRET.encode():
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"who are you?"})
                return
        await app(scope, receive, send)

    return guard


def dated(app):
    """A server that knows only versions of the protocol with sessions: it is asked for a newer one in vain."""

    async def date(scope, receive, send):
        if dict(scope.get("headers", ())).get(b"mcp-method") == b"server/discover":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return date


def settings(port, **changes):
    return McpServerSettings(name="far", url=f"http://127.0.0.1:{port}/mcp", **changes)


@contextlib.asynccontextmanager
async def far(port, **changes):
    """The tools of the server at a port, by their names."""
    tools = {tool.name: tool for tool in await list_tools(settings(port, **changes))}
    try:
        yield tools
    finally:
        await tools["echo"].aclose()


class TestAServer:
    @pytest.mark.parametrize(
        ("wrap", "form"),
        [
            (lambda app: app, {}),
            (lambda app: app, {"stateless_http": True}),
            (dated, {}),
            (dated, {"json_response": True}),
        ],
        ids=["new", "stateless", "events", "json"],
    )
    async def test_it_is_called_like_any_tool(self, context, wrap, form):
        async with served(wrap(sdk.streamable_http_app(**form))) as port, far(port) as tools:
            assert (await tools["add"].call('{"a": 2, "b": 3}', context)).text == "5"
            assert (await tools["fail"].call("this", context)).outcome == "error"
            texts = await asyncio.gather(*(tools["echo"].call(str(number), context) for number in range(20)))
            assert [text.text for text in texts] == [str(number) for number in range(20)]

    async def test_the_secret_is_sent_and_shown_to_nobody(self, context, monkeypatch, tmp_path, caplog):
        caplog.set_level(logging.DEBUG)
        (tmp_path / "token").write_text(f"{SECRET}\n")
        monkeypatch.setenv("TOKEN", SECRET)
        monkeypatch.setenv("WRONG", "Bearer w4ong")
        seen = []
        async with served(guarded(sdk.streamable_http_app(), seen)) as port:
            for where in ("TOKEN", str(tmp_path / "token")):
                async with far(port, secret=where) as tools:
                    assert (await tools["echo"].call("hello", context)).text == "hello"
            assert {headers[b"authorization"] for headers in seen} == {SECRET.encode()}
            messages = []
            for where in ("WRONG", None):
                with pytest.raises(ToolError, match=r"far fails: .* It answered 401: check the secret") as caught:
                    await list_tools(settings(port, secret=where))
                assert not caught.value.retry
                messages.append(str(caught.value))
        for secret in ("s3cr3t", "w4ong"):
            assert secret not in caplog.text + "".join(messages)

    @pytest.mark.parametrize(
        ("wrap", "called_between"), [(lambda app: app, True), (dated, False)], ids=["called-between", "unnoticed"]
    )
    async def test_a_server_that_was_started_anew_is_spoken_to_anew(self, context, wrap, called_between):
        async with contextlib.AsyncExitStack() as life:
            port = await life.enter_async_context(served(wrap(sdk.streamable_http_app())))
            async with far(port) as tools:
                assert (await tools["echo"].call("one", context)).text == "one"
                await life.aclose()
                if called_between:
                    with pytest.raises(ToolError, match="the MCP server far") as caught:
                        await tools["echo"].call("two", context)
                    assert caught.value.retry
                async with served(wrap(sdk.streamable_http_app()), port):
                    assert await within_two(tools["echo"], "three", context) == "three"

    async def test_a_call_that_takes_too_long(self, context):
        async with served(sdk.streamable_http_app()) as port, far(port) as tools:
            hurry(tools["rest"], 0.3)
            with pytest.raises(ToolError, match=r"far does not answer within 0\.3 s") as caught:
                await tools["rest"].call('{"seconds": 3600}', context)
            assert caught.value.retry
            hurry(tools["rest"], 60)
            assert (await tools["echo"].call("hello", context)).text == "hello"

    @pytest.mark.parametrize("wrap", [lambda app: app, dated], ids=["new", "dated"])
    async def test_an_answer_that_is_too_long(self, context, monkeypatch, wrap):
        """New servers answer in one body, dated ones in events."""
        monkeypatch.setattr(remotes, "MESSAGE_BYTES", 100_000)
        async with served(wrap(sdk.streamable_http_app())) as port, far(port) as tools:
            assert len((await tools["long"].call('{"characters": 10000}', context)).text) == 10_000
            with pytest.raises(
                ToolError, match=r"far fails: .*(more than 100000 bytes|exceeded the 100000 byte limit)\.$"
            ):
                await tools["long"].call('{"characters": 200000}', context)
            assert (await tools["echo"].call("hello", context)).text == "hello"


async def within_two(tool, text, context):
    """The first attempt may meet the session that is lost."""
    try:
        return (await tool.call(text, context)).text
    except ToolError as error:
        assert error.retry  # noqa: PT017
    return (await tool.call(text, context)).text


class TestOthers:
    async def test_nobody_is_there(self):
        with pytest.raises(ToolError, match=r"the MCP server far fails: .*connection attempts failed") as caught:
            await list_tools(settings(1))
        assert caught.value.retry

    @pytest.mark.parametrize(("status", "retry"), [(404, False), (405, False), (500, True), (503, True)])
    async def test_something_else_is_there(self, status, retry):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})

        async with served(_alive(app)) as port:
            with pytest.raises(ToolError, match=f"far fails: .* It answered {status}") as caught:
                await list_tools(settings(port))
        assert caught.value.retry == retry

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            (b"content-type", b"text/html", "Unexpected content type"),
            (b"content-type", b"application/json", "Failed to parse JSON"),
            (b"content-encoding", b"gzip", "the server compresses, which it was asked not to"),
        ],
    )
    async def test_what_is_no_message(self, name, value, said):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(name, value)]})
            await send({"type": "http.response.body", "body": b"<p>Welcome</p>"})

        async with served(_alive(app)) as port:
            with pytest.raises(ToolError, match=f"the MCP server far fails: {said}"):
                await list_tools(settings(port))

    async def test_a_server_that_is_silent(self):
        async with await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ToolError, match=r"far does not start within 0\.3 s"):
                await list_tools(settings(port, start_timeout=0.3))

    @pytest.mark.parametrize("where", ["NO_SUCH_VARIABLE", "/no/such/file"])
    async def test_a_secret_that_is_not_there(self, where):
        with pytest.raises(UserError, match=f"the MCP server far.*the (file|environment variable) {where}"):
            await list_tools(settings(1, secret=where))

    async def test_a_secret_that_no_header_may_have(self, monkeypatch):
        monkeypatch.setenv("TOKEN", "a\r\nb")
        with pytest.raises(UserError, match="what the environment variable TOKEN holds is no key") as caught:
            await list_tools(settings(1, secret="TOKEN"))
        assert "a\r\nb" not in str(caught.value)


def _alive(app):
    """Answers the lifespan events of a server."""

    async def alive(scope, receive, send):
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})
        else:
            await app(scope, receive, send)

    return alive
