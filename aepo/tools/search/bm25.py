"""Search in an index of one's own, made by `aepo corpus build`."""

from __future__ import annotations

from collections.abc import Sequence

from aepo.tools.corpus.index import Index
from aepo.tools.search.base import Hit
from aepo.tools.search.together import Together

Request = tuple[tuple[str, ...], int]


class Bm25Backend:
    """Passages of an index, in a thread of its own.

    Args:
        index: what is searched.
    """

    name = "bm25"

    def __init__(self, index: Index) -> None:
        self.version = index.sha256
        self._index = index
        self._searches = Together(self._answer, "bm25")

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best passages for each query; never fails."""
        return await self._searches.ask((tuple(queries), k))

    async def aclose(self) -> None:
        """End the thread."""
        await self._searches.aclose()

    def _answer(self, requests: Sequence[Request]) -> list[list[list[Hit]]]:
        """Each different query is looked up once."""
        asked = {(query, k) for queries, k in requests for query in queries}
        hits = {(query, k): self._hits(query, k) for query, k in asked}
        return [[hits[query, k] for query in queries] for queries, k in requests]

    def _hits(self, query: str, k: int) -> list[Hit]:
        found = self._index.search(query, k)
        return [Hit(one.passage.id, one.passage.title, one.passage.url, one.passage.text, one.score) for one in found]
