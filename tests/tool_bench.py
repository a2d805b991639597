"""A bench: tools as configurations make them, which stay open from call to call, and what they reach.

Servers are at 127.0.0.1. Sandboxes are real, but for the packages that they would load first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aepo.config import Config
from aepo.errors import UserError
from aepo.stages.workplace import workshop
from aepo.tools.base import Observation, Tool, ToolContext, ToolError, closing
from aepo.tools.corpus.build import build
from aepo.tools.sandbox import wire
from tests.tools.search.search_services import Answer, Request, Service, service

CONTEXT = ToolContext("p0", {})
PAGE = "<title>Rivers</title><p>Read of <a href='/elbe'>the Elbe</a> here.</p>" + "".join(
    f"<p>River {n} flows to the sea, by way of many towns.</p>" for n in range(100)
)
RIVERS = {
    "Elbe": "The Elbe rises in the Giant Mountains and flows to the North Sea.",
    "Rhine": "The Rhine rises in the Alps and flows to the North Sea by way of Lake Constance.",
    "Danube": "The Danube rises in the Black Forest and flows to the Black Sea.",
}
LAKES = {"Constance": "Lake Constance lies before the Alps. The Rhine flows through it and on to the North Sea."}


@dataclass(frozen=True)
class Called:
    """What came of a call: the answer, and per request that reached a server which server, its path and headers."""

    answer: str
    requests: list[tuple[str, str, dict[str, str]]]


class Bench:
    """Calls tools, each with the same configuration and arguments only once.

    Args:
        folder: for its files.

    Attributes:
        requests: what has reached the servers; see `Called`.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._folder = folder
        self._open = ExitStack()
        self._runner = self._open.enter_context(asyncio.Runner())
        self._tools: dict[str, Tool] = {}
        self._called: dict[Any, Called] = {}

    def close(self) -> None:
        """Close tools and servers."""
        self._runner.run(_close(self._tools))
        self._open.close()

    def call(self, config: Config, name: str, arguments: str) -> Called:
        """What the tool of this name answers, or how it fails."""
        made = f"{name} {config.model_dump_json()}"
        if (made, arguments) not in self._called:
            if made not in self._tools:
                self._tools[made] = workshop(config).tools([name])[name]
            before = len(self.requests)
            with light_sandboxes():
                answer = self._runner.run(answered(self._tools[made], arguments))
            self._called[made, arguments] = Called(self._plain(answer), self.requests[before:])
        return self._called[made, arguments]

    def _plain(self, text: str) -> str:
        """A text that is the same at another bench."""
        for name in ("server", "other_server"):
            text = text.replace(getattr(self, name), name)
        return text.replace(str(self._folder), "folder")

    # -- places that settings can name ------------------------------------------------------------------------

    @property
    def server(self) -> str:
        """Address of a server that is a retriever, Serper, a sandbox and a web site."""
        return self._servers["one"].url

    @property
    def other_server(self) -> str:
        """Address of another one, which may be taken for a proxy, too."""
        return self._servers["other"].url

    @cached_property
    def rivers(self) -> Path:
        """An index of rivers."""
        return self._index("rivers", RIVERS)

    @cached_property
    def lakes(self) -> Path:
        """An index of lakes."""
        return self._index("lakes", LAKES)

    @cached_property
    def _servers(self) -> dict[str, Service]:
        def serve(name: str) -> Service:
            def respond(request: Request) -> Answer:
                headers = {header.lower(): value for header, value in request.headers.items()}
                self.requests.append((name, request.path, headers))
                return _respond(request)

            return self._open.enter_context(service(respond))

        return {name: serve(name) for name in ("one", "other")}

    def _index(self, name: str, passages: dict[str, str]) -> Path:
        rows = [{"id": title, "title": title, "text": text} for title, text in passages.items()]
        source = self._folder / f"{name}-rows.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return build(source, self._folder / name).folder


async def answered(tool: Tool, arguments: str) -> str:
    """Outcome and text of an answer, or what a failure says."""
    try:
        observation = await tool.call(arguments, CONTEXT)
    except (ToolError, UserError) as error:
        return str(error)
    return f"{observation.outcome}: {observation.text}"


@contextmanager
def light_sandboxes() -> Iterator[None]:
    """Sandboxes that start here load no packages, which takes most of their start."""
    with patch("aepo.tools.sandbox.commands._packages", return_value=()):
        yield


async def _close(tools: dict[str, Tool]) -> None:
    async with closing(tools.values()):
        pass


def _respond(request: Request) -> Answer:
    asked = request.json if request.method == "POST" else {}
    if "queries" in asked:
        found = [{"document": {"id": "1", "contents": '"Elbe"\nA river.'}, "score": 1.0}]
        return Answer({"result": [found for _ in asked["queries"]]})
    if "q" in asked:
        return Answer({"organic": [{"title": "Elbe", "link": "https://e.org", "snippet": "A river."}]})
    if "code" in asked:
        return Answer(wire.write_answer(Observation("elsewhere\n")), headers={"Content-Type": "application/json"})
    if request.path == "/page":
        return Answer(PAGE.encode(), headers={"Content-Type": "text/html"})
    return Answer(b"", 404)
