"""What a stage has done so far, in the store, so that a restart goes on from there."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from aepo.artifacts import Artifact, DamagedArtifact, write_manifest
from aepo.stages.deadline import SAVING, at_most
from aepo.storage import Store
from aepo.telemetry.events import Counter
from aepo.trajectories.parquet import read_trees, write_trees
from aepo.trajectories.tree import RolloutTree

TREES = "trees.parquet"
FLUSH_SECONDS = 2.0
"""At most so much exploration is lost with a process."""


class Checkpoints:
    """States of a stage that trains; the newest one counts, older ones are removed.

    Args:
        store: where they are kept.
        key: below which key.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._pointer = f"{key}/newest"

    def save(self, step: int, write: Callable[[Path], None], metadata: dict[str, Any]) -> None:
        """Keep the state after `step`.

        Args:
            step: how far the stage is.
            write: writes the state's files into a folder.
            metadata: plain JSON beside them.
        """
        before = self._store.read_text(self._pointer)
        name = f"{step:08}"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write(folder)
            write_manifest(folder, "checkpoint", {"step": step, **metadata})
            self._store.upload(folder, f"{self._key}/{name}")
        self._store.write_text(self._pointer, name)
        if before not in (None, name):
            self._store.delete(f"{self._key}/{before}")

    def newest(self) -> Artifact | None:
        """The newest state; None where there is none that can be read."""
        name = self._store.read_text(self._pointer)
        if name is None:
            return None
        try:
            if not re.fullmatch("[0-9]{8}", name):
                raise DamagedArtifact(f"{self._pointer} names no checkpoint")
            return self._store.fetch(f"{self._key}/{name}", "checkpoint")
        except DamagedArtifact:
            self._store.delete(self._key)
            return None


class TreeJournal:
    """Finished trees of a stage that explores, appended in chunks; the rest is written on leaving the context.

    Args:
        store: where they are kept.
        key: below which key.
        count: told how many are finished, and at first how many were.

    Attributes:
        trees: all that are finished, those of earlier attempts included.
    """

    def __init__(self, store: Store, key: str, count: Counter) -> None:
        self._store = store
        self._key = key
        self._count = count
        self._new: list[RolloutTree] = []
        self._flushed = time.monotonic()
        self._chunks = 0
        self.trees: list[RolloutTree] = []
        while store.sealed(self._chunk()):
            try:
                chunk = store.fetch(self._chunk(), "trees")
                self.trees += read_trees(chunk.folder / TREES)
            except DamagedArtifact:
                store.delete(self._chunk())
                break
            self._chunks += 1
        count.start(len(self.trees))

    def append(self, tree: RolloutTree) -> None:
        """Note a finished tree; it is in the store within `FLUSH_SECONDS` of work."""
        self.trees.append(tree)
        self._new.append(tree)
        self._count.reach(len(self.trees))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self._flush()

    def __enter__(self) -> TreeJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            at_most(self._flush, SAVING)
        elif error is not None:  # else the result itself is about to be written
            self._flush()

    def _flush(self) -> None:
        if self._new:
            with tempfile.TemporaryDirectory() as temporary:
                write_trees(Path(temporary) / TREES, self._new)
                write_manifest(Path(temporary), "trees")
                self._store.upload(Path(temporary), self._chunk())
            self._new, self._chunks = [], self._chunks + 1
        self._flushed = time.monotonic()

    def _chunk(self) -> str:
        return f"{self._key}/{self._chunks:05}"
