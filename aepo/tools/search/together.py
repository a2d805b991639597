"""Blocking work in a thread of its own: what is asked while it is busy is worked on in one go afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Questions from any event loop, answered by one function in one thread.

    Args:
        answer: gives an answer for each question, in order.
        name: of the thread.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A]], name: str) -> None:
        self._answer = answer
        self._name = name
        self._lock = threading.Lock()
        self._waiting: list[tuple[Q, Future[A]]] = []
        self._thread: ThreadPoolExecutor | None = None

    async def ask(self, question: Q) -> A:
        """The answer to a question; the event loop goes on meanwhile."""
        future: Future[A] = Future()
        with self._lock:
            self._waiting.append((question, future))
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._name)
            self._thread.submit(self._work)
        return await asyncio.wrap_future(future)

    async def aclose(self) -> None:
        """End the thread when it has answered; a later question starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)

    def _work(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        wanted = [(question, future) for question, future in taken if future.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            answers = self._answer([question for question, _ in wanted])
        except BaseException as error:  # whoever asked gets it
            for _, future in wanted:
                future.set_exception(error)
            return
        for (_, future), answer in zip(wanted, answers, strict=True):
            future.set_result(answer)
