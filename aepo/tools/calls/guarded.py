"""One call of a tool, after which there is an observation or one of a few known exceptions."""

from __future__ import annotations

import asyncio

from aepo.errors import UserError, brief, reason
from aepo.tools.base import Observation, Tool, ToolContext, ToolError

PASSING = (TimeoutError, ConnectionError)
"""What may be over at the next attempt, of all that a tool may raise unawares."""


async def guarded(tool: Tool, arguments: str, context: ToolContext) -> Observation:
    """What a tool answers. Whatever else it raises is a failure of its infrastructure, never of the run.

    Args:
        tool: the one to call.
        arguments: as the policy wrote them.
        context: where the call is made.

    Raises:
        ToolError: the tool raised it, or something unforeseen; it answered no observation; or its sandbox is not
            available.
        UserError: the tool has met a mistake of the user's.
        asyncio.CancelledError: the caller was cancelled.
    """
    try:
        observation = await tool.call(arguments, context)
    except (ToolError, UserError):
        raise
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            raise
        raise ToolError(reason(error), retry=isinstance(error, PASSING)) from error
    if not isinstance(observation, Observation) or not isinstance(observation.text, str):
        raise ToolError(f"it answered {brief(observation)} where an Observation is expected", retry=False)
    if observation.outcome == "sandbox_unavailable":
        raise ToolError(observation.text or "its sandbox is not available")
    return observation


def being_cancelled() -> bool:
    """Whether somebody has cancelled the task that asks, rather than something it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
