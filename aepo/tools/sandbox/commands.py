"""The commands that start a keeper, one for each kind of sandbox."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from aepo.tools.sandbox.inside.orders import Orders
from aepo.tools.sandbox.limits import Limits

INSIDE = Path(__file__).resolve().parent / "inside"

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
"""Folders with programs and shared libraries; each is shown read-only where it exists."""

FROM_ETC = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")

BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from inside.keeper import main; sys.path.pop(0); main()"
"""The keeper's first lines. Its argument is the folder that holds `inside`."""

FIRST_USER, USERS = 1_900_000_000, 100_000_000
"""Numbers of users that no system gives away, of which root takes one by chance for each sandbox."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

SPARES = 4
"""Runners that are ready before anybody calls, where as many calls may run."""

HOME = "/tmp"  # noqa: S108 - in a file system of the call's own


def environment(home: str = HOME) -> dict[str, str]:
    """All that a program finds in its environment. One order of sets, so that the same program says the same."""
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "LOGNAME": "sandbox",
        "MALLOC_ARENA_MAX": "2",
        "MPLBACKEND": "Agg",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "TMPDIR": home,
        "USER": "sandbox",
    } | dict.fromkeys(THREADS, "1")


def orders(kind: str, limits: Limits, calls: int, folder: str) -> Orders:
    """What the keeper of a sandbox is told."""
    readable = (*SYSTEM, *FROM_ETC, *_python(), str(INSIDE))
    if kind == "bubblewrap":
        readable = tuple(path for path in _python() if Path(path).is_relative_to(folder))
    return Orders(
        kind=kind,  # type: ignore[arg-type]
        folder=folder,
        packages=_packages(),
        readable=readable,
        spares=min(calls, SPARES),
        calls=calls,
        shown=4 * limits.output,  # a character has at most four bytes
        **limits.model_dump(exclude={"output"}),
    )


def bubblewrap(program: str, given: Orders, control: int) -> list[str]:
    """The command of a keeper within bubblewrap: all namespaces new, nothing to see but what Python needs.

    It keeps the right to mount, in its own user namespace, so that each call gets a file system of its own; calls have
    no rights and cannot get any. /dev is made by hand: mapped, /dev/zero would be memory that nobody counts.
    """
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL"]
    command += ["--cap-add", "CAP_SYS_ADMIN"]
    for name, value in environment().items():
        command += ["--setenv", name, value]
    for path in SYSTEM:
        if Path(path).is_symlink():
            command += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            command += ["--ro-bind", path, path]
    for path in FROM_ETC:
        command += ["--ro-bind-try", path, path]
    command += ["--proc", "/proc", "--dir", "/dev", "--symlink", HOME, "/dev/shm", "--tmpfs", HOME]  # noqa: S108
    for device in ("null", "urandom", "random"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, target in {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        command += ["--symlink", f"/proc/self/{target}", f"/dev/{name}"]
    for path in _python():
        command += ["--ro-bind", path, path]
    command += ["--ro-bind", str(INSIDE), "/sandbox/inside", "--remount-ro", "/", "--chdir", "/", "--"]
    return [*command, *_keeper("/sandbox", given, control)]


def plain(given: Orders, control: int) -> list[str]:
    """The command of a keeper without namespaces."""
    return _keeper(str(INSIDE.parent), given, control)


def as_user(user: int | None, command: list[str], paths: Iterable[str]) -> list[str]:
    """The command, as another user if one is named, and with these paths within that user's reach."""
    if user is None:
        return command
    plan = json.dumps({"user": user, "paths": sorted(set(paths))})
    start = BOOT.replace("inside.keeper", "inside.launch")
    return [_interpreter(), *_FLAGS, "-c", start, str(INSIDE.parent), plan, *command]


def unprivileged_user() -> int | None:
    """A user for a sandbox that root starts, whom nobody else is; None for other users, who are themselves."""
    if os.getuid() != 0:
        return None
    user = FIRST_USER + secrets.randbelow(USERS)
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= user < first + count:
            return user
    return 65534  # within a user namespace that has few users


def needed() -> tuple[str, ...]:
    """Paths that the keeper's user must reach."""
    return (*_python(), str(INSIDE))


_FLAGS = ("-P", "-s", "-S", "-B")
"""Of the interpreter: nothing of the current folder, of the user's folders, of .pth files; no byte code written."""


def _keeper(within: str, given: Orders, control: int) -> list[str]:
    return [_interpreter(), *_FLAGS, "-c", BOOT, within, str(control), json.dumps(asdict(given))]


def _interpreter() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _packages() -> tuple[str, ...]:
    """Folders of installed packages, as this process sees them."""
    found = [os.path.realpath(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return tuple(dict.fromkeys(path for path in found if Path(path).is_dir()))


def _python() -> tuple[str, ...]:
    """What Python consists of, beside the system's folders."""
    prefixes = (sys.base_prefix, sys.base_exec_prefix, str(Path(_interpreter()).parent.parent))
    paths = dict.fromkeys([*map(os.path.realpath, prefixes), *_packages()])
    known: list[str] = []
    for path in sorted(paths):
        if not any(Path(path).is_relative_to(other) for other in (*SYSTEM, *known)):
            known.append(path)
    return tuple(known)
