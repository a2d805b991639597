"""A circuit breaker: what has failed again and again is left alone for a while, instead of being waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aepo.tools.base import ToolError


class Breaker:
    """Opens after failures in a row; after a cool-down one attempt probes, and its end closes or opens it again.

    Args:
        failures: so many in a row open it; 0 = none do.
        cool_down: seconds from its opening to the next probe.
        clock: monotonic seconds.
        on_open: called whenever it opens.
    """

    def __init__(
        self,
        failures: int,
        cool_down: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self._failures = failures
        self._cool_down = cool_down
        self._clock = clock
        self._on_open = on_open
        self._in_a_row = 0
        self._opened: float | None = None
        self._probing = False
        self._refusal = ""

    def check(self) -> None:
        """See that an attempt may be made now.

        Raises:
            ToolError: the breaker is open; the message says since when and why, the same all the time.
        """
        if self._opened is None:
            return
        if self._probing or self._clock() - self._opened < self._cool_down:
            raise ToolError(self._refusal, retry=False)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around an attempt: a `ToolError` is a failure, an answer a success, and being cancelled says nothing.

        Raises:
            ToolError: the breaker is open, or the attempt has failed.
        """
        self.check()
        probe = self._opened is not None
        self._probing = self._probing or probe
        try:
            yield
        except ToolError as error:
            self._fail(error, probe)
            raise
        else:
            self._in_a_row, self._opened = 0, None
        finally:
            if probe:
                self._probing = False

    def _fail(self, error: ToolError, probe: bool) -> None:
        self._in_a_row += 1
        if probe:  # the outage goes on: what is said about it stays
            self._opened = self._clock()
        elif self._opened is None and 0 < self._failures <= self._in_a_row:
            self._opened = self._clock()
            since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            self._refusal = (
                f"it is left alone since {since}, because {self._failures} attempts in a row have failed, and tried "
                f"again every {self._cool_down:g} s; the last one said: {error}"
            )
        else:
            return
        self._on_open()
