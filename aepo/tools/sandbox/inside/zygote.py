"""The zygote: imports what programs use, forks runners, kills them, buries them. It never sees a program.

On its channel it gets FORK, with the two descriptors of a new runner, or KILL; it sends FORKED and ENDED. A runner is
the first of a process group that none of its descendants can leave, and, with bubblewrap, of a namespace of processes.
The group is killed as soon as the runner ends, while the dead runner still holds the group's number, and ENDED is sent
when nothing of the group is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NoReturn

from . import confinement, linux, runner
from .orders import Orders
from .warm import warm_up

FORK, KILL, FORKED, ENDED = 1, 2, 3, 4
MESSAGE = struct.Struct("!Bqq")
"""What, the runner's process id (of FORKED 0 where it failed), and its wait status (of FORKED the error's number)."""


def serve(channel: socket.socket, orders: Orders) -> NoReturn:
    """Answer until the keeper is gone; then kill what is left and end."""
    linux.adopt_orphans()
    sys.path += orders.packages
    warm_up()
    _Zygote(channel, orders).serve()


class _Zygote:
    def __init__(self, channel: socket.socket, orders: Orders) -> None:
        self._channel = channel
        self._orders = orders
        self._prepared = confinement.prepare(orders)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._runners: dict[int, int] = {}  # process id by the descriptor that tells its end
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY) if orders.kind == "bubblewrap" else -1

    def serve(self) -> NoReturn:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._channel.fileno():
                    self._bury(descriptor)
                elif not self._obey():
                    for process in self._runners.values():
                        _kill_group(process)
                    os._exit(0)

    def _obey(self) -> bool:
        """Carry out one order; False when the keeper is gone."""
        message, descriptors, _, _ = socket.recv_fds(self._channel, MESSAGE.size, 2)
        if not message:
            return False
        what, process, _ = MESSAGE.unpack(message)
        if what == FORK:
            self._fork(*descriptors)
        elif process in self._runners.values():
            _kill_group(process)
        return True

    def _fork(self, conversation: int, output: int) -> None:
        process, failure = 0, 0
        try:
            with self._namespace_of_processes():
                process = os.fork()
                if process == 0:
                    runner.live(self._orders, self._prepared, conversation, output)
            watched = os.pidfd_open(process)
            self._runners[watched] = process
            self._poll.register(watched, select.POLLIN)
        except OSError as error:
            failure = error.errno or 0
        os.close(conversation)
        os.close(output)
        self._say(FORKED, process, failure)

    @contextlib.contextmanager
    def _namespace_of_processes(self) -> Iterator[None]:
        """Within, the next child is the first process of a new namespace, where there are namespaces."""
        if self._home < 0:
            yield
            return
        linux.unshare(linux.NEW_PIDS)
        try:
            yield
        finally:
            linux.enter(self._home, linux.NEW_PIDS)

    def _bury(self, watched: int) -> None:
        process = self._runners.pop(watched)
        self._poll.unregister(watched)
        os.close(watched)
        _kill_group(process)  # the dead runner is still there, so the number is nobody else's
        status = None
        with contextlib.suppress(ChildProcessError):
            while True:  # orphans of the group become children of this process, so this ends when it is empty
                ended, how = os.waitpid(-process, 0)
                status = how if ended == process else status
        if status is None:  # it ended before it had a group of its own
            status = os.waitpid(process, 0)[1]
        self._say(ENDED, process, status)

    def _say(self, what: int, process: int, number: int) -> None:
        try:
            self._channel.send(MESSAGE.pack(what, process, number))
        except OSError:
            os._exit(0)  # the keeper is gone, and the kernel tells the runners


def _kill_group(process: int) -> None:
    """Of a runner that is not buried yet; it may not have come to lead its group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process, signal.SIGKILL)
