"""Tries tools: one harmless call of each, and what to do about those that do not work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aepo.errors import UserError, shorten
from aepo.interrupts import run_async
from aepo.tools.base import Observation, Tool, ToolContext, ToolError, closing
from aepo.tools.toolbox import Workshop

CONTEXT = ToolContext("check", {})
SHOWN = 300
"""Characters of what a tool said."""


@dataclass(frozen=True)
class Trial:
    """What became of a tool.

    Attributes:
        tool: its name, or that of an MCP server.
        works: whether it did what it is for; None where it was not called, since a call might do something.
        said: what came back, or what to do.
        seconds: that it took, with whatever had to be started.
    """

    tool: str
    works: bool | None
    said: str
    seconds: float


def try_tools(workshop: Workshop, names: Iterable[str], *, query: str, url: str) -> list[Trial]:
    """Try tools by their names, a single attempt each; tools of MCP servers are listed and not called.

    Args:
        workshop: what they are made from.
        names: of tools and MCP servers.
        query: for `search`.
        url: for `browse`.
    """
    known: dict[str, tuple[str, Callable[[str], bool]]] = {
        "calculator": ("6 * 7", lambda text: text == "42"),
        "python": ("import numpy, sympy\nprint(6 * 7)", lambda text: text.strip() == "42"),
        "search": (query, lambda text: text.startswith("[1]")),
        "browse": (url, bool),
    }
    trials: list[Trial] = []
    for name in names:
        began = time.monotonic()
        try:
            tools = workshop.tools([name])
        except UserError as error:
            trials.append(Trial(name, False, str(error), time.monotonic() - began))
            continue
        for tool in tools.values():
            if name in known:
                trials.append(run_async(_try(tool, *known[name])))
            else:
                said = f"of the MCP server {name}, not called: {tool.description}"
                trials.append(Trial(tool.name, None, shorten(said, SHOWN), time.monotonic() - began))
    return trials


async def _try(tool: Tool, arguments: str, right: Callable[[str], bool]) -> Trial:
    began = time.monotonic()
    async with closing([tool]):
        try:
            observation = await tool.call(arguments, CONTEXT)
        except (ToolError, UserError) as error:
            return Trial(tool.name, False, str(error), time.monotonic() - began)
    works = observation.outcome == "ok" and right(observation.text)
    return Trial(tool.name, works, _said(observation), time.monotonic() - began)


def _said(observation: Observation) -> str:
    text = shorten(" ".join(observation.text.split()), SHOWN)
    return text if observation.outcome == "ok" else f"{observation.outcome}: {text.removeprefix('error: ')}"
