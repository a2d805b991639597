"""The one exception for mistakes a user can mend, and the operating system's complaints put into such words."""

from __future__ import annotations

import errno
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake outside the program. The message says what was wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """


_MEANINGS = {
    errno.ENOSPC: "the disk is full: free some space, or set storage.root (and TMPDIR) to another disk",
    errno.EDQUOT: "the disk quota is used up: free some space, or set storage.root (and TMPDIR) to another disk",
    errno.EFBIG: "the file is larger than this system allows: raise the limit (ulimit -f), or use another disk",
    errno.EROFS: "the file system is read-only: set storage.root to a folder that can be written",
    errno.EACCES: "permission denied: change the permissions, or choose another folder",
    errno.EPERM: "the operation is not permitted: change the permissions, or choose another folder",
    errno.EIO: "the disk fails (input/output error): use another one",
    errno.ENOTDIR: "a part of the path is a file where a folder is needed: choose another folder",
    errno.EISDIR: "this is a folder where a file is needed: choose another path",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ELOOP: "symbolic links go round in a circle: choose another path",
}
_OS_ERROR = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]|errno:? (\d+)")


def explain(error: BaseException) -> UserError | None:
    """A full disk, a read-only folder and their like in plain words; None for any other error.

    Libraries that write files themselves (Parquet, safetensors) wrap the system's error: its number is looked for
    in their message.
    """
    number = error.errno if isinstance(error, OSError) else None
    path = error.filename if isinstance(error, OSError) else None
    if number is None and (found := _OS_ERROR.search(str(error))):
        number = int(next(group for group in found.groups() if group))
    if number not in _MEANINGS:
        return None
    where = f"{path}: " if path is not None else ""
    said = "" if path is not None else f" ({error})"
    return UserError(f"{where}{_MEANINGS[number]}{said}.")


@contextmanager
def terminable() -> Iterator[None]:
    """Within the context SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; in the main thread only."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
