"""Recorded searches: a file of JSON lines that is written beside another backend and read without it.

    {"query": str, "k": int, "hits": [{"id", "title", "url", "text", "score"}]}

Runs of white space in a query count as one space. Several processes may record into one file at a time.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aepo.errors import UserError, brief, explain, shorten
from aepo.tools.base import Closes, ToolError
from aepo.tools.corpus.documents import on_one_line
from aepo.tools.search.base import Hit, SearchBackend


class ReplayBackend:
    """Answers as recorded. A query of which there is no record is a failure of the infrastructure, not the policy's.

    Args:
        path: of the file.

    Raises:
        UserError: it cannot be read, or is no record of searches.
    """

    name = "replay"

    def __init__(self, path: Path) -> None:
        content = _content(path)
        self.version = hashlib.sha256(content).hexdigest()
        self._path = path
        self._records: dict[str, tuple[int, list[Hit]]] = {}
        whole = content[: content.rfind(b"\n") + 1]  # of a line that was being written there is no end
        for number, line in enumerate(whole.splitlines(), 1):
            query, k, hits = _record(line, f"{path}, line {number}")
            if k >= self._records.get(query, (0, []))[0]:
                self._records[query] = k, hits
        if not self._records:
            raise UserError(f"{path} holds no search: record some, with search.record.")

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The recorded hits.

        Raises:
            ToolError: a query was not recorded, or with fewer results.
        """
        return [self._hits(on_one_line(query), k) for query in queries]

    def _hits(self, query: str, k: int) -> list[Hit]:
        if query not in self._records:
            raise ToolError(
                f"there is no record of the query {shorten(query, 200)!r} in {self._path}: record it, or search with "
                "another backend",
                retry=False,
            )
        recorded, hits = self._records[query]
        if k > recorded <= len(hits):
            raise ToolError(
                f"{self._path} has {recorded} results for {shorten(query, 200)!r}, and {k} are asked for: lower "
                "search.k, or record it again",
                retry=False,
            )
        return hits[:k]


class RecordingBackend:
    """Another backend, whose answers are appended to a file.

    Args:
        backend: the one that searches.
        path: of the file; it is made where it is not there.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, backend: SearchBackend, path: Path) -> None:
        self.name = backend.name
        self._backend = backend
        self._path = path
        self._known: set[tuple[str, int]] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise explain(error) or UserError(f"{path} cannot be written ({shorten(error)}).") from None

    @property
    def version(self) -> str:
        """Of the backend."""
        return self._backend.version

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """What the backend finds, recorded before it is given.

        Raises:
            ToolError: the backend fails, or the file cannot be written.
        """
        results = await self._backend.search(queries, k)
        lines = b""
        for query, hits in zip(map(on_one_line, queries), results, strict=True):
            if (query, k) not in self._known:
                record = {"query": query, "k": k, "hits": [asdict(hit) for hit in hits]}
                lines += json.dumps(record).encode() + b"\n"
        if lines:
            try:
                await asyncio.to_thread(self._append, lines)
            except OSError as error:
                raise ToolError(f"{self._path} cannot be written ({shorten(error)})", retry=False) from None
            self._known.update((on_one_line(query), k) for query in queries)
        return results

    async def aclose(self) -> None:
        """Close the backend."""
        if isinstance(self._backend, Closes):
            await self._backend.aclose()

    def _append(self, lines: bytes) -> None:
        """Append whole lines, after removing one that somebody left half written."""
        with self._path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if (end := _end_of_lines(file.fileno())) < file.seek(0, os.SEEK_END):
                file.truncate(end)
            file.write(lines)


def _end_of_lines(file: int) -> int:
    """Where the last whole line ends."""
    position = os.fstat(file).st_size
    while position:
        start = max(0, position - 65536)
        if (found := os.pread(file, position - start, start).rfind(b"\n")) >= 0:
            return start + found + 1
        position = start
    return 0


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"the record of searches {path} cannot be read: {error.strerror or error}.") from None


def _record(line: bytes, where: str) -> tuple[str, int, list[Hit]]:
    try:
        record: dict[str, Any] = json.loads(line)
        hits = [Hit(**hit) for hit in record["hits"]]
        query, k = record["query"], record["k"]
        texts = [query, *(text for hit in hits for text in (hit.id, hit.title, hit.url, hit.text))]
        if not all(isinstance(text, str) for text in texts) or type(k) is not int:
            raise TypeError("a field is of another type")
        return on_one_line(query), k, hits
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{where} is no record of a search ({brief(str(error))}): remove it, or record anew.") from None
