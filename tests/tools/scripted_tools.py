"""Tools that do as they are told, and what it takes to call them."""

import asyncio

from hypothesis import strategies as st

from aepo.tools.base import Observation, ToolContext, ToolError, text_parameter
from aepo.tools.calls.reliable import Reliable
from aepo.tools.calls.settings import ToolCallSettings
from tests.tools.virtual_time import now

CONTEXT = ToolContext("p0", {})
DOWN = ToolError("the network is down")
ANY_TEXT = st.text(st.characters() | st.sampled_from("\0\n\ud83d\ude00\U0001f600"), max_size=12)
"""Lone halves of characters too."""
BAD_KEY = ToolError("the key is missing", retry=False)


class Scripted:
    """Does what its script says, call by call: gives an observation or a text, raises, or awaits a function's result.

    The last entry holds for all further calls; without a script it echoes.
    """

    name = "search"
    description = "Searches."
    parameters = text_parameter("query", "what to look for")

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []
        self.times = []
        self.under_way = 0
        self.most_under_way = 0
        self.closed = 0

    async def call(self, arguments, context):
        self.calls.append(arguments)
        self.times.append(now())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._do(arguments, context)
        finally:
            self.under_way -= 1

    async def _do(self, arguments, context):
        step = (self.script.pop(0) if len(self.script) > 1 else self.script[0]) if self.script else f"re: {arguments}"
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step = await step()
        return Observation(step) if isinstance(step, str) else step

    async def aclose(self):
        self.closed += 1


class Stable(Scripted):
    """Its answers may be given again."""

    version = "1"


async def for_ever():
    await asyncio.Event().wait()


def reliable(tool, *, cache=None, statistics=None, **settings):
    """The tool with settings under which nothing waits; the clock is the event loop's."""
    chosen = ToolCallSettings(**({"retries": 0, "retry_wait": 0, "breaker_failures": 0} | settings))
    return Reliable(tool, chosen, cache=cache, statistics=statistics, clock=now)


async def outcome(tool, arguments="q", context=CONTEXT):
    """The text of a call's answer, or what the failure says."""
    try:
        return (await tool.call(arguments, context)).text
    except ToolError as error:
        return error


async def until(condition):
    """Let others run until it holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to this")
