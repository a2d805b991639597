"""An index appears as a whole or not at all.

It is made in a hidden folder beside its place and renamed at the end; one that is already there stays until then.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aepo.artifacts import DamagedArtifact, read_manifest
from aepo.errors import UserError
from aepo.interrupts import postponed
from aepo.tools.corpus.index import KIND


def checked_target(target: Path, source: Path) -> Path:
    """Where an index goes, links resolved.

    Raises:
        UserError: something else is there, or it is within the source.
    """
    target = target.resolve()
    if source.is_dir() and target.is_relative_to(source.resolve()):
        raise UserError(f"{target} lies in the source {source}, and would be read by the next build: choose another.")
    if target.exists() and not (target.is_dir() and (_is_index(target) or not any(target.iterdir()))):
        raise UserError(f"{target} is there already and is no index: choose another folder, or remove it.")
    return target


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """A folder that this process alone builds in, without what an interrupted build has left; gone unless published.

    Raises:
        UserError: another process builds the same index.
    """
    folder = target.with_name(f".{target.name}.building")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not _taken(handle, folder):
            raise UserError(f"{target} is being built by another process: wait until it has ended.")
        _clear(folder)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(handle)


def publish(folder: Path, target: Path) -> None:
    """Put a finished folder in its place. Readers of the one before keep what they have open."""
    before = target.with_name(f".{target.name}.replaced")
    with postponed():
        shutil.rmtree(before, ignore_errors=True)
        if target.exists():
            target.rename(before)
        folder.rename(target)
    shutil.rmtree(before, ignore_errors=True)


def _is_index(folder: Path) -> bool:
    try:
        return read_manifest(folder).kind == KIND
    except DamagedArtifact:
        return False


def _taken(handle: int, folder: Path) -> bool:
    """Whether the open folder is locked for us and still the one of that name, neither published nor given up."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), folder.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
