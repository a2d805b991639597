"""Single flight: of identical calls at the same time one is made, and all get its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aepo.tools.base import Observation, ToolError
from aepo.tools.calls.guarded import being_cancelled

Call = Callable[[], Coroutine[Any, Any, Observation]]


class _Flight:
    """A call under way, and how many wait for it."""

    def __init__(self, call: Call) -> None:
        self.task = asyncio.create_task(call())
        self.waiting = 0


class Flights:
    """The calls under way on one event loop, by their keys.

    A call belongs to all who wait for it: it ends early only when each of them has been cancelled.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._flights

    async def join(self, key: bytes, call: Call) -> Observation:
        """The answer of the call of this key that is under way, else of `call`.

        Raises:
            ToolError: the calls were ended.
            Exception: whatever the call raises, in everyone who waits for it.
        """
        if (flight := self._flights.get(key)) is None:
            flight = self._flights[key] = _Flight(call)
            flight.task.add_done_callback(lambda _: self._forget(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if being_cancelled():
                raise
            raise ToolError("it was closed while it was called") from None
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)
                await _end(flight)

    async def end(self) -> None:
        """End the calls under way."""
        for key, flight in list(self._flights.items()):
            self._forget(key, flight)
            await _end(flight)

    def _forget(self, key: bytes, flight: _Flight) -> None:
        """Nobody joins it any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _end(flight: _Flight) -> None:
    flight.task.cancel()
    await asyncio.gather(flight.task, return_exceptions=True)
