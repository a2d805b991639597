"""Signals that end a process in order: they become KeyboardInterrupt, once, where nothing is left half done.

Only the main thread gets signals; elsewhere these do nothing. A signal that is ignored, as nohup ignores SIGHUP, stays
ignored.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the context SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does.

    The first signal is enough: later ones, but for another Ctrl-C, are ignored: they would interrupt what is saved.
    """

    def interrupt(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Within the context signals wait: for moments that must not be left half done."""
    waiting: list[int] = []
    with _handled(lambda number, _: waiting.append(number)):
        yield
    if waiting:
        signal.raise_signal(waiting[0])


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` that an interrupt ends without a report of every task in which it was noticed."""

    async def quiet() -> T:
        asyncio.get_running_loop().set_exception_handler(_report)
        return await work

    return asyncio.run(quiet())


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
