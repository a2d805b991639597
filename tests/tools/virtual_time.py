"""An event loop whose clock jumps to the next timer when nothing else is left to do: hours pass at once, exactly.

Only for what waits for timers and tasks; threads take real time, which this clock does not see.
"""

import asyncio
import selectors


class _JumpingSelector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout=None):
        ready = super().select(timeout and 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


def now():
    """Seconds since the loop was made."""
    return asyncio.get_running_loop().time()


def run(work):
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
