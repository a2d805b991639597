"""The tool `python`: runs code that the policy wrote in a sandbox, and shows what it printed.

What the code did wrong (an exception, too much time, memory or output) is an observation from which the policy learns.
A sandbox that cannot run anything is a failure of the infrastructure, and the trajectory stays unscored.
"""

from __future__ import annotations

import re
from typing import Protocol

from aepo.tools.base import Observation, ToolContext, ToolError, text_parameter

FENCED = re.compile(
    r"\s*(?P<fence>`{3,}|~{3,})[ \t]*(?:python3?|py)?[ \t]*\n(?P<code>.*?)\n?[ \t]*(?P=fence)\s*",
    re.DOTALL | re.IGNORECASE,
)
"""A Markdown code block, and nothing around it."""

SILENT = "(the code printed nothing: print what you want to see)"


class Sandbox(Protocol):
    """Where code runs: `PythonSandbox` on this machine, or `RemoteSandbox`."""

    async def run(self, code: str) -> Observation:
        """Run code; the outcome is one of the seven."""
        ...

    async def aclose(self) -> None:
        """Close what was opened; a later call opens it again."""
        ...


class PythonTool:
    """`<python>print(6 * 7)</python>` gives 42.

    Nothing of a call is kept for the next one. The same code may print another thing each time (a random number, the
    time of day), so its observations are not for a cache.

    Args:
        sandbox: where the code runs; `aepo.tools.sandbox.choose.open_sandbox` gives it.
    """

    name = "python"
    description = (
        "Runs Python code and returns what it printed. numpy and sympy are there; files, variables and imports are "
        "gone after each call, and there is no network."
    )
    parameters = text_parameter("code", "such as print(6 * 7)")

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def call(self, arguments: str, context: ToolContext) -> Observation:  # noqa: ARG002
        """What the code printed, or why it did not come to its end.

        Raises:
            ToolError: no sandbox could run it.
        """
        code = unfenced(arguments)
        if not code.strip():
            return Observation("error: there is no code", "error")
        observation = await self._sandbox.run(code)
        if observation.outcome == "sandbox_unavailable":
            raise ToolError(observation.text)
        if observation.outcome == "ok" and not observation.text:
            return Observation(SILENT)
        return observation

    async def aclose(self) -> None:
        """Close the sandbox; a later call opens it again."""
        await self._sandbox.aclose()


def unfenced(text: str) -> str:
    """Code without the Markdown fence that models like to put around it; any other text as it is."""
    found = FENCED.fullmatch(text)
    if not found or any(line.lstrip().startswith(found["fence"]) for line in found["code"].splitlines()):
        return text  # several blocks are not one program
    return found["code"]
