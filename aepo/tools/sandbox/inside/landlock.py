"""Landlock: which files a process and its descendants may open, and whom they may signal (kernel 5.13 and later).

Three system calls (linux/landlock.h). Later versions of the interface know more rights; each is used where it exists.
Landlock decides what may be opened, made, moved and removed, not what may be looked at with stat or changed with chmod:
the filter of system calls sees to the latter.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Mapping

from . import linux

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR
REMOVE_FOLDER = 1 << 4
_MAKE_DEVICES, _REFER, _TRUNCATE, _DEVICE_CONTROL = (1 << 6) | (1 << 11), 1 << 13, 1 << 14, 1 << 15
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_TCP, _SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals

SIGNALS_SCOPED, TRUNCATE_KNOWN = 6, 3
"""Versions from which signals stay within, and from which truncate is a right."""

_CREATE, _ADD_RULE, _RESTRICT, _VERSION, _BENEATH = 444, 445, 446, 1, 1


def version() -> int:
    """The version of the kernel's Landlock; 0 where it has none."""
    return max(0, linux.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION)))


def every_right(interface: int) -> int:
    """All rights over files that a version knows."""
    known = (1 << 13) - 1
    for since, right in ((2, _REFER), (TRUNCATE_KNOWN, _TRUNCATE), (5, _DEVICE_CONTROL)):
        known |= right if interface >= since else 0
    return known


def own_folder(interface: int) -> int:
    """The rights in a folder of one's own: all, but to make devices or control them."""
    return every_right(interface) & ~(_MAKE_DEVICES | _DEVICE_CONTROL)


def restrict(rights: Mapping[str, int]) -> None:
    """Confine this thread and all that it starts to these folders and files, and to signals among themselves.

    Args:
        rights: by path; a path that does not exist is left out.

    Raises:
        OSError: the kernel has no Landlock.
    """
    interface = version()
    words = [every_right(interface)] + [_TCP] * (interface >= 4) + [_SCOPES] * (interface >= SIGNALS_SCOPED)
    attributes = (ctypes.c_uint64 * len(words))(*words)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    rules = linux.checked(linux.syscall(_CREATE, attributes, size, ctypes.c_uint(0)), "Landlock")
    for path, allowed in rights.items():
        _add(rules, path, allowed & words[0])
    linux.forgo_privileges()
    linux.checked(linux.syscall(_RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0)), "Landlock")
    os.close(rules)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _add(rules: int, path: str, allowed: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(os.fstat(parent).st_mode):
        allowed &= _OF_FILES
    rule = ctypes.byref(_Beneath(allowed, parent))
    result = linux.syscall(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_BENEATH), rule, ctypes.c_uint(0))
    linux.checked(result, f"Landlock for {path}")
    os.close(parent)
