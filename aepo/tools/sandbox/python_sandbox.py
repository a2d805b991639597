r"""Runs Python code that nobody has read, each call by itself: nothing it does outlives it or reaches anything else.

async with PythonSandbox() as sandbox:
    observation = await sandbox.run("print(6 * 7)")     # Observation("42\n", "ok")
"""

from __future__ import annotations

import asyncio
import logging
import os
from types import TracebackType

from aepo.errors import UserError
from aepo.tools.base import Observation
from aepo.tools.sandbox.keeper_process import KeeperError, KeeperProcess
from aepo.tools.sandbox.kinds import open_keeper
from aepo.tools.sandbox.limits import Limits
from aepo.tools.sandbox.observe import observe
from aepo.tools.sandbox.settings import Kind

log = logging.getLogger(__name__)

LONGEST = 2**20
"""Bytes of the longest program, in UTF-8."""

LOST_SECONDS = 30.0
"""Time beyond its limit after which a call, and with it the keeper, counts as lost."""


class PythonSandbox:
    """A sandbox on this machine. It starts at the first call and, closed, starts again at a later one.

    Args:
        limits: of a call.
        kind: auto takes bubblewrap, or where it does not work Landlock; unsafe is a plain process.
        workers: calls that run at once, others wait in order; by default one for each processor.
    """

    def __init__(self, limits: Limits | None = None, *, kind: Kind = "auto", workers: int | None = None) -> None:
        self.limits = limits or Limits()
        self.workers = workers or _processors()
        self._asked: Kind = kind
        self._kind: Kind | None = None
        self._keeper: KeeperProcess | None = None
        self._turn = asyncio.Semaphore(self.workers)
        self._starting = asyncio.Lock()

    @property
    def kind(self) -> Kind:
        """The kind that works here, once it has started; until then the one that was asked for."""
        return self._kind or self._asked

    async def __aenter__(self) -> PythonSandbox:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Kill what runs, and end every process. A later call, on another event loop too, starts them again."""
        keeper, self._keeper = self._keeper, None
        self._turn, self._starting = asyncio.Semaphore(self.workers), asyncio.Lock()
        if keeper is not None:
            await keeper.close()

    async def run(self, code: str) -> Observation:
        """Run a program; when this is cancelled, the program is killed.

        Returns:
            What it printed, with the value of a last expression where it printed nothing, and the outcome: `error`,
            `timeout`, `oom`, `output_limit` and `killed` are the program's doing, `sandbox_unavailable` is not.

        Raises:
            UserError: there has never been a sandbox, and there is none here.
        """
        if (size := len(code.encode("utf-8", "surrogatepass"))) > LONGEST:
            return Observation(f"error: the program has {size} bytes, at most {LONGEST} are allowed\n", "error")
        async with self._turn:
            try:
                keeper = await self._open()
            except UserError as error:
                if self._kind is None:
                    raise
                return Observation(f"the sandbox does not start again: {error}", "sandbox_unavailable")
            try:
                return observe(await keeper.ask(code, self.limits.seconds + LOST_SECONDS), self.limits)
            except KeeperError as error:
                await self._discard(keeper)
                return Observation(f"the sandbox broke off: {error}", "sandbox_unavailable")

    async def _open(self) -> KeeperProcess:
        """The keeper, started if there is none that lives."""
        async with self._starting:
            if self._keeper is not None and not self._keeper.alive():
                await self._discard(self._keeper)
            if self._keeper is None:
                kind, self._keeper = await open_keeper(self.kind, self.limits, self.workers)
                if kind == "unsafe" and self._kind is None:
                    log.warning("what a policy writes runs as plain processes: nothing of this user's is kept from it")
                self._kind = kind
            return self._keeper

    async def _discard(self, keeper: KeeperProcess) -> None:
        """Take leave of a keeper that is gone, or lost."""
        if self._keeper is keeper:
            self._keeper = None
            await keeper.close(patience=0.0)


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
