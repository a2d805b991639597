"""Removes folders in a thread: some file systems take milliseconds for each, and a call may leave thousands."""

from __future__ import annotations

import contextlib
import os
import queue
import threading

from . import folders


class Janitor:
    """A thread that removes folders, one after the other.

    Attributes:
        bell: a descriptor that can be read when folders are gone; `gone` empties it.
    """

    def __init__(self) -> None:
        self.bell, self._rope = os.pipe()
        self._orders: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._gone: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def remove(self, folder: str, process: int) -> None:
        """Remove the folder of an ended process."""
        self._orders.put((folder, process))

    def gone(self) -> list[int]:
        """The processes whose folders were removed since the last time."""
        rung = os.read(self.bell, 2**10)
        return [self._gone.get() for _ in rung]

    def _work(self) -> None:
        try:
            while True:
                folder, process = self._orders.get()
                with contextlib.suppress(OSError):  # what stays, the host removes at the end
                    folders.remove(folder)
                self._gone.put(process)
                os.write(self._rope, b"\0")
        finally:
            os._exit(1)  # without a janitor, folders would stay
