"""Things that belong to an event loop: semaphores, limiters, tasks, threads that answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing per event loop.

    Args:
        make: makes it, where it is first asked for.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._things: dict[asyncio.AbstractEventLoop, T] = {}

    def here(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        if (thing := self._things.get(loop)) is None:
            for other in list(self._things):
                if other.is_closed():
                    self._things.pop(other, None)
            thing = self._things[loop] = self._make()
        return thing

    def take(self) -> T | None:
        """That of the running loop, which is then forgotten; None where there is none."""
        return self._things.pop(asyncio.get_running_loop(), None)
