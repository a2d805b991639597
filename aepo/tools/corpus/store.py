"""Passages in a file, any of which can be read without the others: JSON lines, and where each begins."""

from __future__ import annotations

import json
import mmap
from array import array
from pathlib import Path

import numpy as np

from aepo.tools.corpus.passages import Passage

LINES = "passages.jsonl"
STARTS = "starts.npy"


class PassageWriter:
    """Writes passages one after the other; `finish` completes the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / LINES).open("wb")
        self._starts = array("q", [0])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def add(self, passage: Passage) -> None:
        """Write a passage; its number is how many were written before."""
        row = {"id": passage.id, "title": passage.title, "url": passage.url, "text": passage.text}
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._starts.append(self._starts[-1] + len(line))

    def finish(self) -> None:
        """Complete the files."""
        self.close()
        np.save(self._folder / STARTS, np.asarray(self._starts))

    def close(self) -> None:
        """Let go of the file, whether it is complete or not."""
        self._file.close()


class Passages:
    """Passages of a folder by their numbers; they stay on the disk."""

    def __init__(self, folder: Path) -> None:
        self._starts = np.load(folder / STARTS, mmap_mode="r")
        with (folder / LINES).open("rb") as file:
            self._lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> Passage:
        start, end = self._starts[number : number + 2].tolist()
        return Passage(**json.loads(self._lines[start:end]))
