"""Runs a program and sees to its end: `keeper.py LIFELINE PROGRAM ARGUMENT...`, started by `aepo.tools.mcp.program`.

The program has this process's standard input and output. It is ended, with everything that it started and whatever
became of that (sessions of their own, daemons), as soon as it exits itself, or something can be read from the file
descriptor LIFELINE: a byte, or its end, which comes when the process that holds the other side dies of anything. So
nothing outlives a run, not even one that is killed. This file is run as a script and imports nothing of the package.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 1.0
"""From SIGTERM to SIGKILL."""

NO_SUCH_PROGRAM = 127

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36


def main(lifeline: int, command: list[str]) -> int:
    """Run the program to its end, or to that of the lifeline; its exit status, 128 + n after signal n."""
    _control(_SET_CHILD_SUBREAPER, 1)  # what the program leaves behind becomes ours
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    program = _start(command, lifeline)
    _let_go_of_pipes()
    status = None
    while status is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            break
        os.read(woken, 512)
        status = _reap().get(program)
    _end(program)
    return 128 + signal.SIGKILL if status is None else status


def _start(command: list[str], lifeline: int) -> int:
    keeper = os.getpid()
    if (program := os.fork()) != 0:
        return program
    try:
        os.setpgid(0, 0)
        _control(_SET_DEATH_SIGNAL, signal.SIGKILL)
        os.close(lifeline)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):  # Python has changed them
            signal.signal(number, signal.SIG_DFL)
        if os.getppid() == keeper:
            os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(NO_SUCH_PROGRAM)


def _let_go_of_pipes() -> None:
    """Both ends must see the other one close, not us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


def _end(program: int) -> None:
    """End every descendant: those that are asked to go and do not, and their children, which then become ours."""
    _signal_group(program, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while _children() and time.monotonic() < deadline:
        _reap()
        time.sleep(0.01)
    while True:
        _signal_group(program, signal.SIGKILL)
        for child in _children():
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _signal_group(group: int, number: int) -> None:
    with suppress(OSError):
        os.killpg(group, number)


def _reap() -> dict[int, int]:
    """Exit statuses of the children that have ended."""
    ended = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(found[1])
            ended[found[0]] = code if code >= 0 else 128 - code
    return ended


def _children() -> list[int]:
    """Our children, zombies included, where the system has /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(folder.name))
    return found


def _control(option: int, value: int) -> None:
    """`prctl`, where the system has it."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
