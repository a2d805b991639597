"""Work that must not keep a process that was asked to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from aepo.errors import UserError

SECONDS = 2.0
SAVING = 4.0
"""Seconds for what has been done so far; with `SECONDS` for the rest, an interrupted process ends within ten."""


def at_most(work: Callable[[], object], seconds: float = SECONDS) -> None:
    """Do something that may fail or hang, such as writing to a store that does not answer, for `seconds` at most."""

    def attempt() -> None:
        with suppress(OSError, UserError):
            work()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
