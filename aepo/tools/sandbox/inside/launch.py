"""Becomes an unprivileged user, and then another program. Only root starts this, with its own mounts beneath.

Arguments: a JSON object {"user": number, "paths": [...]}, and the command. Paths that the user could not reach, because
a folder above is closed to others, are brought to light in a namespace of mounts that only the command sees; what else
is in such a folder is hidden from it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator

from . import linux


def main() -> None:
    """Start the command, or end with a message."""
    plan = json.loads(sys.argv[1])
    try:
        _open_ways(plan["paths"])
    except OSError as error:
        folders = ", ".join(sorted(_closed(plan["paths"])))
        sys.exit(
            f"{folders}: closed to other users, and root has no right here to make a way around ({error}); keep Python "
            "and its packages where every user may read, or run as another user"
        )
    try:
        os.setgroups([])
        os.setresgid(*3 * [plan["user"]])
        os.setresuid(*3 * [plan["user"]])
    except OSError as error:
        sys.exit(f"root may not become another user here ({error}); run as another user")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606


def _open_ways(paths: Iterable[str]) -> None:
    closed = _closed(paths)
    if not closed:
        return
    linux.unshare(linux.NEW_MOUNTS)
    linux.mount("none", "/", None, linux.RECURSIVE | linux.PRIVATE)
    for folder, kept in closed.items():
        linux.cover(folder, kept, "mode=0755")


def _closed(paths: Iterable[str]) -> dict[str, list[str]]:
    """Folders that others cannot enter, each with the paths beneath it."""
    closed: dict[str, list[str]] = {}
    for path in paths:
        for folder in _above(path):
            if not os.stat(folder).st_mode & 0o001:  # noqa: PTH116
                closed.setdefault(folder, []).append(path)
                break
    return closed


def _above(path: str) -> Iterator[str]:
    """The folders that lead to a path, from the top."""
    parts = path.split("/")[1:-1]
    for count in range(len(parts) + 1):
        yield "/" + "/".join(parts[:count])
