"""Transfers side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

WORKERS = 4

T = TypeVar("T")


def in_parallel(work: Callable[[T, threading.Event], None], items: Sequence[T]) -> None:
    """Call `work(item, stopped)` for every item, in a few threads.

    The first exception, of a worker or of this thread while it waits (an interrupt), is raised at once. `stopped` is
    then set and what is under way is left behind: the threads are daemons, so a slow request delays neither the
    caller nor the end of the process.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    stopped = threading.Event()
    for item in items:
        todo.put(item)

    def run() -> None:
        while not stopped.is_set():
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                work(item, stopped)
            except BaseException as error:
                stopped.set()
                outcomes.put(error)
            else:
                outcomes.put(None)

    try:
        for _ in range(min(WORKERS, len(items))):
            threading.Thread(target=run, daemon=True).start()
        for _ in items:
            if error := outcomes.get():
                raise error
    finally:
        stopped.set()
