"""Servers that are run here, and how they misbehave."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid

import mcp_types
import pytest
from mcp_processes import hurry, running

from aepo.errors import UserError
from aepo.tools.base import ToolContext, ToolError
from aepo.tools.mcp import program as running_program
from aepo.tools.mcp.client import McpClient
from aepo.tools.mcp.settings import McpServerSettings
from aepo.tools.mcp.tools import McpTool, list_tools, mcp_tools

CONTEXT = ToolContext("p", {})


async def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def gone(mark):
    """Wait until no process of this mark is there, and the event loop has heard of it."""
    await until(lambda: not running(mark))
    await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def echo(settings):
    """The tool `echo` of a server, which is not asked for it."""
    tool = echo_tool(settings)
    try:
        yield tool
    finally:
        await tool.aclose()


def echo_tool(settings):
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return McpTool(McpClient(settings), mcp_types.Tool(name="echo", input_schema=schema), "echo", "raw 1")


class TestLife:
    async def test_a_server_is_started_when_needed_kept_and_ended(self, raw):
        mark = uuid.uuid4().hex
        (tool,) = await list_tools(raw("well", mark, tools=("echo",)))
        async with contextlib.aclosing(tool):
            assert not running(mark)
            first = (await tool.call("pid", CONTEXT)).text
            assert (await tool.call("pid", CONTEXT)).text == first
            assert int(first) in running(mark)
        assert not running(mark)
        await tool.call("pid", CONTEXT)
        assert running(mark)
        await tool.aclose()
        assert not running(mark)

    async def test_many_calls_share_a_server(self, raw):
        async with echo(raw()) as tool:
            texts = await asyncio.gather(*(tool.call(str(number), CONTEXT) for number in range(50)))
            assert [text.text for text in texts] == [f'{{"text": "{number}"}}' for number in range(50)]

    def test_each_event_loop_has_its_own_server(self, raw):
        tool = echo_tool(raw())

        async def once():
            text = (await tool.call("pid", CONTEXT)).text
            await tool.aclose()
            return text

        assert asyncio.run(once()) != asyncio.run(once())

    def test_a_loop_that_ends_without_closing_leaves_nothing(self, raw):
        mark = uuid.uuid4().hex
        tool = echo_tool(raw("well", mark))
        asyncio.run(tool.call("hello", CONTEXT))
        asyncio.run(gone(mark))

    async def test_closing_from_another_task_ends_calls_under_way(self, raw):
        async with echo(raw()) as tool:
            call = asyncio.create_task(tool.call("silent", CONTEXT))
            await tool.call("hello", CONTEXT)
            await asyncio.create_task(tool.aclose())
            with pytest.raises(ToolError, match="the MCP server raw"):
                await call

    async def test_a_call_that_is_cancelled_leaves_the_others_alone(self, raw):
        async with echo(raw()) as tool:
            pid = (await tool.call("pid", CONTEXT)).text
            call = asyncio.create_task(tool.call("silent", CONTEXT))
            await tool.call("hello", CONTEXT)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await tool.call("pid", CONTEXT)).text == pid

    async def test_a_call_that_is_cancelled_while_the_server_starts_does_no_harm(self, raw):
        async with echo(raw()) as tool:
            call = asyncio.create_task(tool.call("hello", CONTEXT))
            await asyncio.sleep(0)
            call.cancel()
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"


class TestEnds:
    async def test_a_stubborn_server_is_ended_with_all_that_it_started(self, raw, monkeypatch):
        """It ignores the end of its input and SIGTERM, and its child, in another session, holds its pipes.

        A process that was forked from this one meanwhile holds our ends of all pipes.
        """
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        mark = f"3600.{uuid.uuid4().int % 10**9}"
        client = McpClient(raw("stubborn", mark))
        await client.call("echo", {"text": "hello"})
        await until(lambda: len(running(mark)) == 3)  # keeper, server, child
        if (forked := os.fork()) == 0:
            signal.pause()
        try:
            await client.aclose()
            assert not running(mark)
        finally:
            os.kill(forked, signal.SIGKILL)
            os.waitpid(forked, 0)

    async def test_so_it_is_when_this_process_is_killed(self, raw):
        mark = f"3600.{uuid.uuid4().int % 10**9}"
        settings = raw("stubborn", mark).model_dump_json()
        script = f"""
            import asyncio, os, signal
            from aepo.tools.mcp.settings import McpServerSettings
            from aepo.tools.mcp.client import McpClient
            async def main():
                await McpClient(McpServerSettings.model_validate_json({settings!r})).call("echo", {{"text": "hello"}})
                print("ready", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            asyncio.run(main())
        """
        process = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False)
        assert (process.returncode, process.stdout) == (-signal.SIGKILL, b"ready\n")
        await gone(mark)

    async def test_a_keeper_that_is_killed_takes_the_server_along(self, raw):
        mark = uuid.uuid4().hex
        async with echo(raw("well", mark)) as tool:
            server = int((await tool.call("pid", CONTEXT)).text)
            (keeper,) = running(mark) - {server}
            os.kill(keeper, signal.SIGKILL)
            await gone(mark)
            assert int((await tool.call("pid", CONTEXT)).text) != server

    async def test_a_server_that_died_is_told_with_its_last_words_and_started_again(self, raw, monkeypatch):
        monkeypatch.setenv("TOKEN", "s3cr3t")
        async with echo(raw(environment=("TOKEN",))) as tool:
            with pytest.raises(
                ToolError, match=r"raw fails: .*\. It ended with status 4\. Its last words: … was enough"
            ) as caught:
                await tool.call("die", CONTEXT)
            assert caught.value.retry
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"

    async def test_a_server_that_died_meanwhile_is_started_again_unnoticed(self, raw):
        mark = uuid.uuid4().hex
        async with echo(raw("well", mark)) as tool:
            os.kill(int((await tool.call("pid", CONTEXT)).text), signal.SIGKILL)
            await gone(mark)
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"


class TestFaults:
    async def test_a_call_that_hangs_hangs_alone(self, raw):
        """Another call was answered meanwhile: the server is alive."""
        async with echo(raw()) as tool:
            pid = (await tool.call("pid", CONTEXT)).text
            hurry(tool, 1.5)
            call = asyncio.create_task(tool.call("silent", CONTEXT))
            await asyncio.sleep(0)
            hurry(tool, 60)
            await tool.call("hello", CONTEXT)
            with pytest.raises(ToolError, match="the MCP server raw does not answer within") as caught:
                await call
            assert caught.value.retry
            assert (await tool.call("pid", CONTEXT)).text == pid

    async def test_a_server_that_hangs_is_started_again(self, raw, monkeypatch):
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        async with echo(raw()) as tool:
            pid = (await tool.call("pid", CONTEXT)).text
            hurry(tool, 0.3)
            with pytest.raises(ToolError, match=r"the MCP server raw does not answer within 0\.3 s"):
                await tool.call("hang", CONTEXT)
            hurry(tool, 60)
            assert (await tool.call("pid", CONTEXT)).text != pid

    async def test_a_server_that_closes_its_output_is_given_up(self, raw, monkeypatch):
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        async with echo(raw()) as tool:
            with pytest.raises(ToolError, match="the MCP server raw fails"):
                await tool.call("close", CONTEXT)
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"

    async def test_a_server_that_does_not_read_blocks_nobody(self, raw, monkeypatch):
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr("mcp.shared.jsonrpc_dispatcher._ABANDON_WRITE_TIMEOUT", 0.1)
        client = McpClient(raw("deaf", timeout=0.3))
        with pytest.raises(ToolError, match=r"does not answer within 0\.3 s"):
            await client.call("echo", {"text": "x" * 1_000_000})
        await client.aclose()

    async def test_what_is_no_message_is_passed_over(self, raw):
        """Banners, broken JSON and other noise on its output, and half a megabyte on its standard error."""
        async with echo(raw("loud")) as tool:
            for _ in range(3):
                assert (await tool.call("hello", CONTEXT)).text == '{"text": "hello"}'

    async def test_a_message_without_end_ends_the_session(self, raw, monkeypatch):
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr(running_program, "MESSAGE_BYTES", 2**20)
        async with echo(raw()) as tool:
            with pytest.raises(ToolError, match=r"raw fails: .*\. It sent a message of more than 1 MiB"):
                await tool.call("endless", CONTEXT)
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"

    async def test_refusals_of_a_call_are_the_policy_s_to_read(self, raw):
        async with echo(raw()) as tool:
            observation = await tool.call("refuse", CONTEXT)
            assert (observation.outcome, observation.text) == ("error", "error: no such thing")

    async def test_failures_of_the_server_are_not(self, raw):
        async with echo(raw()) as tool:
            with pytest.raises(ToolError, match="the MCP server raw fails: inner failure"):
                await tool.call("break", CONTEXT)
            with pytest.raises(ToolError, match="answers what the protocol does not know") as caught:
                await tool.call("nonsense", CONTEXT)
            assert not caught.value.retry
            assert (await tool.call("hello", CONTEXT)).outcome == "ok"

    async def test_what_changes_something_is_not_done_twice(self, raw, monkeypatch):
        monkeypatch.setenv("TOKEN", "it")
        echo, pair = await list_tools(raw(environment=("TOKEN",)))
        for tool, arguments, retry in ((echo, "die", True), (pair, '{"text": "die"}', False)):
            with pytest.raises(ToolError) as caught:
                await tool.call(arguments, CONTEXT)
            assert caught.value.retry == retry
        await echo.aclose()


class TestStarting:
    def test_a_program_that_is_not_there(self):
        with pytest.raises(UserError, match="there is no program no-such-program"):
            mcp_tools(McpServerSettings(name="x", command="no-such-program"))

    def test_a_variable_that_is_not_set(self, raw):
        with pytest.raises(UserError, match=r"NO_SUCH_VARIABLE \(environment of the MCP server raw\) is not set"):
            mcp_tools(raw(environment=("NO_SUCH_VARIABLE",)))

    def test_a_program_that_dies_at_once(self, raw):
        with pytest.raises(UserError, match=r"raw fails: .*\. It ended with status 1\. Its last words: I cannot start"):
            mcp_tools(raw("dead"))

    def test_a_program_that_says_nothing(self, raw, monkeypatch):
        monkeypatch.setattr(running_program, "PATIENCE_SECONDS", 0.1)
        mark = uuid.uuid4().hex
        with pytest.raises(UserError, match=r"raw does not start within 0\.3 s \(start_timeout\)"):
            mcp_tools(raw("mute", mark, start_timeout=0.3))
        assert not running(mark)

    def test_a_list_of_several_pages(self, raw):
        assert [tool.name for tool in mcp_tools(raw("pages"))] == ["echo", "pair"]
