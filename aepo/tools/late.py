"""A tool that is made at its first call: naming it in a prompt needs neither its index nor its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from aepo.tools.base import Closes, Observation, Tool, ToolContext
from aepo.tools.calls.cacheable import Cacheable


class Late:
    """A tool that is not there yet.

    Args:
        kind: its class, which says its name, what it is for and what it takes.
        make: makes it; a `UserError` says what is missing for it.
    """

    def __init__(self, kind: type[Tool], make: Callable[[], Tool]) -> None:
        self.name: str = kind.name
        self.description: str = kind.description
        self.parameters: Mapping[str, Any] = kind.parameters
        self._make = make

    @cached_property
    def tool(self) -> Tool:
        """The tool itself.

        Raises:
            UserError: something that it needs is missing.
        """
        return self._make()

    @property
    def version(self) -> str | None:
        """See `Cacheable`."""
        return self.tool.version if isinstance(self.tool, Cacheable) else None

    async def call(self, arguments: str, context: ToolContext) -> Observation:
        """See `Tool`.

        Raises:
            ToolError: its infrastructure failed.
            UserError: something that it needs is missing.
        """
        return await self.tool.call(arguments, context)

    async def aclose(self) -> None:
        """Close it, if it was ever made."""
        if "tool" in self.__dict__ and isinstance(self.tool, Closes):
            await self.tool.aclose()
