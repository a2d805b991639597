"""The system calls of a runner: a list of those that are allowed, as a program for the kernel's filter (BPF).

What is not on the list does not exist (ENOSYS), as on a kernel without it: namespaces, mounts, ptrace, bpf, keyrings,
io_uring, handles, quotas, modules, and whatever is invented next. Four rules of the rest are worth knowing:

- A program cannot leave its process group: setsid and setpgid succeed and do nothing. So one kill ends all of it.
- Locks and syncs succeed and do nothing: a lock costs memory of the kernel that no limit counts.
- Anonymous shared memory is refused: unmapped, it stays, and nobody sees whose it is. So are sockets but for pairs of
  connected ones, threads with descriptors of their own, and everything that acts on a process by number.
- Where other files of the same user can be named (Landlock), changes of mode, owner and time succeed and do nothing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from . import linux, syscalls

ALLOW, KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
PRETEND = _ERRNO  # returns 0

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_INSTRUCTION = "HBBI"
_WORD = 0xFFFFFFFF
_SET_FILTER, _MODE_FILTER = 22, 2

_NAMESPACES = 0x7E020000
_CLONE_PARENT, _CLONE_PTRACE, _CLONE_UNTRACED = 0x8000, 0x2000, 0x800000
_CLONE_FILES, _CLONE_THREAD, _CLOSE_ON_EXEC = 0x400, 0x10000, 4
_SHARED, _ANONYMOUS, _HUGE_PAGES = 0x01, 0x20, 0x40000
_UNIX, _STREAM, _TYPE = 1, 1, 0xF
_TERMINAL_AND_FLAGS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS … FIONREAD … FIOCLEX
_LOCKS = (fcntl.F_SETLK, fcntl.F_SETLKW, 37, 38)
_DESCRIPTORS = (
    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL),
    *(fcntl.F_GETLK, 36, 1032),  # of an open file's locks; of a pipe's size
)
_NAME_OF_THREAD = (15, 16)
_QUESTIONS = (2, 3, 21, 23, 39)  # death signal, dumpable, seccomp, bounding set, no_new_privs


def refuse(number: int) -> int:
    """The verdict that makes a call fail."""
    return _ERRNO | number


@dataclass(frozen=True)
class Test:
    """Whether an argument's low 32 bits, masked, are among some values."""

    argument: int
    values: tuple[int, ...]
    mask: int = _WORD


@dataclass(frozen=True)
class Case:
    """A verdict, where all tests hold."""

    verdict: int
    tests: tuple[Test, ...] = ()


Rule = tuple[Case, ...]
"""The first case that holds decides; the last has no tests."""


def only(*tests: Test, otherwise: int = errno.EPERM) -> Rule:
    """Allowed where all tests hold."""
    return Case(ALLOW, tests), Case(refuse(otherwise))


def rules(machine: str, *, attributes: bool, signals: bool, truncate: bool) -> dict[int, Rule]:
    """What happens to each system call that has a number here.

    Args:
        machine: x86_64 or aarch64.
        attributes: whether modes, owners and times of files may change.
        signals: whether processes may signal each other by number.
        truncate: whether a file may be cut by its path.
    """
    always: Rule = (Case(ALLOW),)
    groups = (syscalls.FILES, syscalls.WAITING, syscalls.MEMORY, syscalls.PROCESSES, syscalls.SIGNALS, syscalls.TIME)
    table: dict[str, Rule] = dict.fromkeys(syscalls.numbers(machine, *groups, syscalls.PAIRS), always)
    changes = always if attributes else (Case(PRETEND),)
    table |= dict.fromkeys(syscalls.numbers(machine, syscalls.ATTRIBUTES), changes)
    table |= dict.fromkeys(syscalls.numbers(machine, syscalls.NETWORK), (Case(refuse(errno.EPERM)),))
    table |= dict.fromkeys(syscalls.numbers(machine, syscalls.EXTENDED_ATTRIBUTES), (Case(refuse(errno.ENOTSUP)),))
    table |= dict.fromkeys(("setsid", "setpgid", "flock", "fsync", "fdatasync"), (Case(PRETEND),))
    own = Test(0, (0,))
    hidden = _NAMESPACES | _CLONE_PARENT | _CLONE_PTRACE | _CLONE_UNTRACED
    table |= {
        "clone": only(
            Test(0, (0,), hidden),
            Test(0, (0, _CLONE_FILES, _CLONE_FILES | _CLONE_THREAD), _CLONE_FILES | _CLONE_THREAD),
        ),
        "clone3": (Case(refuse(errno.ENOSYS)),),  # its flags are out of reach of a filter; libraries then use clone
        "close_range": only(Test(2, (0, _CLOSE_ON_EXEC))),
        "fcntl": (Case(PRETEND, (Test(1, _LOCKS),)), *only(Test(1, _DESCRIPTORS))),
        "ioctl": only(Test(1, _TERMINAL_AND_FLAGS), otherwise=errno.ENOTTY),
        "mmap": only(Test(3, (0, _SHARED, _ANONYMOUS), _SHARED | _ANONYMOUS), Test(3, (0,), _HUGE_PAGES)),
        "prctl": only(Test(0, (*_NAME_OF_THREAD, *_QUESTIONS))),
        "prlimit64": only(own),
        "sched_setaffinity": only(own),
        "setpriority": only(own, Test(1, (0,))),
        "socketpair": only(Test(0, (_UNIX,)), Test(1, (_STREAM,), _TYPE)),
    }
    if not signals:
        table |= {"kill": only(own), "tkill": (Case(refuse(errno.EPERM)),), "tgkill": (Case(refuse(errno.EPERM)),)}
    if not truncate:
        table["truncate"] = (Case(refuse(errno.EPERM)),)
    known = syscalls.numbers(machine, *groups, syscalls.PAIRS, syscalls.ATTRIBUTES, syscalls.EXTENDED_ATTRIBUTES)
    known |= syscalls.numbers(machine, syscalls.NETWORK)
    return {known[name]: rule for name, rule in table.items() if name in known}


def program(machine: str, table: dict[int, Rule]) -> bytes:
    """The filter: instructions of eight bytes each. Calls of another architecture, and x32's, kill the process."""
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        code += [(_JUMP_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, KILL)]
    for number, rule in table.items():
        body = list(_body(rule))
        code += [(_JUMP_EQUAL, 0, len(body), number), *body]
    code.append((_RETURN, 0, 0, refuse(errno.ENOSYS)))
    return b"".join(struct.pack(_INSTRUCTION, *instruction) for instruction in code)


def install(filter_: bytes) -> None:
    """Put a filter on this process and all that it starts. It must have forgone privileges.

    Raises:
        OSError: the kernel has no filters.
    """
    program_ = _Program(len(filter_) // struct.calcsize(_INSTRUCTION), filter_)
    linux.prctl(_SET_FILTER, _MODE_FILTER, ctypes.addressof(program_))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def runner_filter(*, attributes: bool, signals: bool, truncate: bool) -> bytes:
    """The filter for a runner on this machine."""
    machine = os.uname().machine
    return program(machine, rules(machine, attributes=attributes, signals=signals, truncate=truncate))


_Instruction = tuple[int, int, int, int]


def _body(rule: Rule) -> Iterable[_Instruction]:
    for case in rule:
        tests = [_test(test) for test in case.tests]
        for place, instructions in enumerate(tests):
            rest = sum(map(len, tests[place + 1 :])) + 1  # a test that fails jumps behind the verdict
            *others, (operation, _, _, value) = instructions
            yield from others
            yield operation, 0, rest, value
        yield _RETURN, 0, 0, case.verdict


def _test(test: Test) -> list[_Instruction]:
    """A value that fits jumps behind the last comparison; where that fails too is filled in by the caller."""
    count = len(test.values)
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * test.argument),
        (_AND, 0, 0, test.mask),
        *((_JUMP_EQUAL, count - 1 - place, 0, value) for place, value in enumerate(test.values)),
    ]
