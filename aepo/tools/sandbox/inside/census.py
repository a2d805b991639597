"""What process groups use, from /proc: processes and threads, memory, processor time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass, field

DEAD = (b"Z", b"X")
"""States of threads that have ended."""

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """Of one process group.

    Attributes:
        members: process ids, or of one whose first thread has ended a thread's.
        threads: processes and their threads.
        resident: bytes in memory, what processes share counted for each of them.
        cpu_seconds: of members and of ended ones whose parents waited for them.
    """

    members: list[int] = field(default_factory=list)
    threads: int = 0
    resident: int = 0
    cpu_seconds: float = 0.0


def count(groups: Collection[int]) -> dict[int, Usage]:
    """What each of some process groups uses now."""
    usages = {group: Usage() for group in groups}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):  # it has ended
            fields = _fields(name)
            usage = usages.get(int(fields[2]))
            if usage is not None:
                thread, fields = _speaker(name, fields)
                usage.members.append(int(thread))
                usage.threads += int(fields[17])
                usage.resident += int(fields[21]) * PAGE
                usage.cpu_seconds += sum(map(int, fields[11:15])) / TICKS
    return usages


def _fields(process: str) -> list[bytes]:
    """The numbers of a process or thread, from its state on (proc_pid_stat(5), field 3)."""
    with open(f"/proc/{process}/stat", "rb", buffering=0) as stat:  # noqa: PTH123
        return stat.read(1024).rpartition(b")")[2].split()


def _speaker(process: str, fields: list[bytes]) -> tuple[str, list[bytes]]:
    """The thread that speaks for a process: its first, or where that has ended and left the others, one of them."""
    if fields[0] in DEAD and int(fields[17]) > 1:
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if (others := _fields(thread))[0] not in DEAD:
                    return thread, [*fields[:21], *others[21:]]
    return process, fields


def crowd() -> int:
    """Processes and threads of this process's user."""
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{name}/task").st_uid == os.getuid():  # noqa: PTH116
                total += int(_fields(name)[17])
    return total


def available() -> float:
    """The share of the machine's memory that can still be had."""
    with open("/proc/meminfo") as meminfo:  # noqa: PTH123
        sizes = {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in meminfo)}
    return sizes["MemAvailable"] / sizes["MemTotal"]


def memory(usage: Usage) -> int:
    """Bytes in memory, what processes share counted once. Slower than `resident`, which is never less."""
    return sum(_proportional(process) for process in usage.members)


def _proportional(process: int) -> int:
    try:
        with open(f"/proc/{process}/smaps_rollup") as rollup:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):  # ended, or not to be looked into: then all that it has is its own
        with contextlib.suppress(OSError), open(f"/proc/{process}/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * PAGE
        return 0
