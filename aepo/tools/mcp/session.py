"""A conversation with a server, in a task of its own.

What anyio opens in a task (task groups, cancel scopes, and so an MCP client) it must close in the same one. Calls come
from many tasks, which end whenever they like, and closing from yet another: so the session lives in its own task,
which opens it, waits, and closes it. The calls themselves are made in the tasks of those who make them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aepo import __version__
from aepo.errors import UserError
from aepo.tools.base import ToolError
from aepo.tools.mcp.link import Link, failure_of

if TYPE_CHECKING:
    from mcp import Client


class Session:
    """A session, being opened from now on. It belongs to the running event loop.

    Args:
        link: the way to the server.
        name: the server's, for messages.
        start_seconds: longest until it is open.

    Attributes:
        failure: of what it ended, where it did not end in order.
    """

    def __init__(self, link: Link, name: str, start_seconds: float) -> None:
        self.link = link
        self._name = name
        self._start_seconds = start_seconds
        self.failure: Exception | None = None
        self._open: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._open.add_done_callback(lambda future: future.exception())  # seen, if by nobody else
        self._task = asyncio.create_task(self._live())

    @property
    def usable(self) -> bool:
        """Whether a call may be made with it, or will be once it is open."""
        return not (self.over or self.link.over.is_set())

    @property
    def over(self) -> bool:
        """Whether it is closed and its server gone."""
        return self._task.done()

    async def client(self) -> Client:
        """The open session.

        Raises:
            ToolError: it does not open.
            UserError: the settings cannot be followed.
        """
        opened, _ = await asyncio.wait([self._open], timeout=self._start_seconds)
        if not opened:
            self.leave()
            raise ToolError(
                f"the MCP server {self._name} does not start within {self._start_seconds:g} s (start_timeout)"
            )
        return self._open.result()

    def leave(self) -> None:
        """Begin to close it."""
        self.link.over.set()
        if not self._open.done():
            self._task.cancel()

    async def close(self) -> None:
        """Close it, and wait until its server is gone, but not for ever."""
        self.leave()
        await asyncio.wait([self._task], timeout=self.link.patience)
        self._task.cancel()
        await asyncio.wait([self._task], timeout=self.link.patience)

    async def _live(self) -> None:
        try:
            await self._converse()
        except asyncio.CancelledError:
            self.failure = ToolError(f"the MCP server {self._name} was closed")
        except (ToolError, UserError) as error:
            self.failure = error
        except Exception as error:
            self.failure = failure_of(self._name, _root(error), self.link)
        finally:
            if not self._open.done():
                self._open.set_exception(self.failure or ToolError(f"the MCP server {self._name} was closed"))

    async def _converse(self) -> None:
        from mcp import Client
        from mcp_types import Implementation

        us = Implementation(name="aepo", version=__version__)
        async with Client(self.link.streams(), client_info=us, cache=None) as client:
            self._open.set_result(client)
            await self.link.over.wait()


def _root(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
