"""Reads pages in child processes that may be killed at any of them.

A child, and not a thread: a page that takes the HTML parser minutes, gigabytes or past the end of its stack must cost
one process, not the run (see `page_worker`, and `aepo.scoring.worker` for the same with answers). Children are started
when first needed, see no variable of ours but a few paths, are kept for later pages, and are replaced when they die.
Two limits act: CPU seconds, which the kernel enforces in the child, so that a busy machine makes no failure of a page;
and wall seconds, which are enforced here and blame the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from aepo.tools.base import ToolError
from aepo.tools.browse.page import Page, PageError, Text
from aepo.tools.calls.per_loop import PerLoop

SCRIPT = Path(__file__).with_name("page_worker.py")
CPU_SECONDS = 15.0
"""CPU time of one page; an ordinary one takes a hundredth of it."""

WALL_SECONDS = 120.0
START_SECONDS = 120.0
REPLY_BYTES = 2**28
"""Longest answer of a child; a page gives no more text than it has bytes."""

_INHERITED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL")


class PageReader:
    """Extracts texts of pages, of several at the same time.

    Args:
        links: whether a text says where links lead.
        processes: most children at the same time.
        cpu_seconds: CPU time that a page may take.
        wall_seconds: time that it may take however busy the machine is.
    """

    def __init__(
        self,
        *,
        links: bool,
        processes: int,
        cpu_seconds: float = CPU_SECONDS,
        wall_seconds: float = WALL_SECONDS,
    ) -> None:
        self._links = links
        # -P: the script's folder stays off the path, where a module could hide one of the standard library.
        command = (sys.executable, "-P", str(SCRIPT), str(cpu_seconds))
        self._crews = PerLoop(lambda: _Crew(command, processes, wall_seconds))

    async def read(self, page: Page) -> Text:
        """What a page says.

        Raises:
            PageError: it cannot be read.
            ToolError: the machine is too busy, or the children do not start.
        """
        question = {"kind": page.kind, "charset": page.charset, "url": page.url, "links": self._links}
        line = json.dumps(question | {"length": len(page.body)}).encode() + b"\n"
        answer = await self._crews.here().ask(line + page.body)
        if "error" in answer:
            raise PageError(answer["error"])
        return Text(answer["title"], answer["text"])

    async def aclose(self) -> None:
        """End the children; a later page starts others."""
        if (crew := self._crews.take()) is not None:
            await crew.end()


class _Crew:
    """The children of an event loop."""

    def __init__(self, command: tuple[str, ...], processes: int, wall_seconds: float) -> None:
        self._command = command
        self._wall_seconds = wall_seconds
        self._places = asyncio.Semaphore(processes)
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()

    async def ask(self, question: bytes) -> Any:
        async with self._places:
            self._idle = [child for child in self._idle if child.lives]
            child = self._idle.pop() if self._idle else await self._start()
            try:
                answer = await child.ask(question, self._wall_seconds)
            except BaseException:
                self._children.discard(child)
                await child.end()
                raise
            self._idle.append(child)
            return answer

    async def end(self) -> None:
        self._idle.clear()
        await asyncio.gather(*(child.end() for child in self._children))

    async def _start(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            limit=REPLY_BYTES,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        )
        child = _Child(process)
        self._children.add(child)
        try:
            await child.ready()
        except BaseException as error:
            self._children.discard(child)
            await child.end()
            if isinstance(error, TimeoutError | ConnectionError):
                command = " ".join(self._command)
                raise ToolError(f"the page reader does not start; to see why, run: {command}", retry=False) from None
            raise
        return child


class _Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout

    async def ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            if not await self._stdout.readline():
                raise ConnectionError

    async def ask(self, question: bytes, wall_seconds: float) -> Any:
        line = b""
        try:
            async with asyncio.timeout(wall_seconds):
                self._stdin.write(question)
                await self._stdin.drain()
                line = await self._stdout.readline()
        except TimeoutError:
            raise ToolError(f"a page is not read within {wall_seconds:g} s: the machine is too busy") from None
        except ConnectionError:
            self._kill()
        except ValueError:  # it says too much
            raise PageError("the page is too complex to be read") from None
        if line:
            return json.loads(line)
        status = await self._process.wait()
        if status == -signal.SIGPROF:
            raise PageError("the page takes too long to be read")
        if status in (-signal.SIGKILL, -signal.SIGTERM):  # as of a machine that is out of memory
            raise ToolError("the process that read a page was killed")
        raise PageError("the page is too complex to be read")

    @property
    def lives(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> None:
        self._kill()
        await self._process.wait()

    def _kill(self) -> None:
        if self.lives:
            self._process.kill()
