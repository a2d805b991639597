"""Weighs what processes have: the memory that they share counted once, and files that have no name any more.

To ask for either the kernel waits for locks that the processes hold, and hostile ones hold them for long. So a thread
asks, and nobody waits for it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Literal

from . import census, folders
from .orders import Orders

Excess = Literal["memory", "disk", "files", "unweighed"]

MARGIN = 2**26
"""Bytes above the limit of memory at which a call is stopped, so that a single process gets a MemoryError first."""

STUCK = 2.0
"""Seconds that a call may be in the way of being weighed."""


class Scales:
    """A thread that weighs process groups, all that it is given and then the next ones."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._most = orders.memory + MARGIN
        self._found: queue.SimpleQueue[tuple[int, Excess]] = queue.SimpleQueue()
        self._given: queue.SimpleQueue[Mapping[int, census.Usage]] = queue.SimpleQueue()
        self._suspected: set[int] = set()
        self._on: tuple[int, float] | None = None
        self._idle = True
        threading.Thread(target=self._weigh_for_ever, daemon=True).start()

    def put_on(self, usages: Mapping[int, census.Usage]) -> None:
        """Weigh these groups, unless others are being weighed."""
        if self._idle and usages:
            self._idle = False
            self._given.put(usages)

    def findings(self) -> Iterator[tuple[int, Excess]]:
        """The groups that were found above a limit since the last time, and one that cannot be weighed."""
        while not self._found.empty():
            yield self._found.get()
        if (on := self._on) and time.monotonic() > on[1] + STUCK:
            yield on[0], "unweighed"

    def _weigh_for_ever(self) -> None:
        try:
            while True:
                self._weigh_all(self._given.get())
        finally:
            os._exit(1)  # a keeper without scales keeps no limits

    def _weigh_all(self, usages: Mapping[int, census.Usage]) -> None:
        for group, usage in usages.items():
            self._on = group, time.monotonic()
            with contextlib.suppress(FileNotFoundError):  # the call is over
                if excess := self._weigh(group, usage):
                    self._found.put((group, excess))
            self._on = None
        self._suspected &= usages.keys()
        self._idle = True

    def _weigh(self, group: int, usage: census.Usage) -> Excess | None:
        """Memory has to be found too much twice: a process about to become another program is counted double."""
        suspected = group in self._suspected
        self._suspected.discard(group)
        if usage.resident > self._most and census.memory(usage) > self._most:
            if suspected:
                return "memory"
            self._suspected.add(group)
        if self._orders.kind == "bubblewrap":  # where the file system keeps the limits
            return None
        folder = f"{self._orders.folder}/{group}"
        size, files = folders.used(folder, usage.members, self._orders.file_size, self._orders.files)
        if size > self._orders.disk:
            return "disk"
        return "files" if files > self._orders.files else None
