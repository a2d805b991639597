"""Files of this machine: written whole or not at all, verified, and by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from aepo.artifacts import file_sha256

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


def holds(path: Path, digest: str) -> bool:
    """Whether a file is there and has this sha256."""
    return path.is_file() and file_sha256(path) == digest


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A path to write to; what is written there appears at `target` in one step, once it is on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        place(part, target)
    finally:
        part.unlink(missing_ok=True)


def place(part: Path, target: Path) -> None:
    """Rename a written file, and its name, durably: a file that is placed later is never found without it."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Take turns with every process that locks the same name in the same folder; locks are not nested.

    Names share a limited number of lock files, for those stay. A file system without locks lets everyone pass at
    once; what is written stays whole, but may be written twice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / hashlib.sha256(name.encode()).hexdigest()[:3]).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
