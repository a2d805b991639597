"""The wire format of Search-R1's retriever (github.com/PeterGriffinJin/Search-R1, search_r1/search).

    POST /retrieve  {"queries": [str], "topk": int, "return_scores": bool}
    200             {"result": [[{"document": {"id", "contents"}, "score"}, ...], ...]}

Without scores the documents themselves are in the lists. The first line of `contents` is the title in quotes. Ours
also have a `url` where there is one; a document may have `title` and `text` instead of `contents`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aepo.tools.corpus.documents import on_one_line
from aepo.tools.corpus.rows import split_contents
from aepo.tools.search.base import Hit


class WireError(ValueError):
    """An answer that has another form; the message says where."""


def encode(results: Sequence[Sequence[Hit]], *, scores: bool) -> dict[str, Any]:
    """The answer to a request."""
    return {"result": [[_item(hit, scores=scores) for hit in hits] for hits in results]}


def decode(answer: Any, queries: int) -> list[list[Hit]]:
    """The hits of an answer to so many queries.

    Raises:
        WireError: it has another form.
    """
    results = answer.get("result") if isinstance(answer, Mapping) else None
    if not isinstance(results, list) or not all(isinstance(items, list) for items in results):
        raise WireError("result is no list of lists")
    if len(results) != queries:
        raise WireError(f"result has {len(results)} entries for {queries} queries")
    return [[_hit(item, place) for place, item in enumerate(items)] for items in results]


def _item(hit: Hit, *, scores: bool) -> dict[str, Any]:
    document = {"id": hit.id, "contents": f'"{on_one_line(hit.title)}"\n{hit.text}'}
    if hit.url:
        document["url"] = hit.url
    return {"document": document, "score": hit.score} if scores else document


def _hit(item: Any, place: int) -> Hit:
    document = item.get("document", item) if isinstance(item, Mapping) else None
    if not isinstance(document, Mapping):
        raise WireError("a document is no object")
    title, text = document.get("title") or "", document.get("text")
    if isinstance(contents := document.get("contents"), str):
        quoted, rest = split_contents(contents)
        title, text = quoted or title, rest
    if not isinstance(text, str) or not isinstance(title, str):
        raise WireError("a document has no contents")
    identity, url, score = document.get("id"), document.get("url"), item.get("score")
    return Hit(
        str(place if identity is None else identity),
        title,
        url if isinstance(url, str) else "",
        text,
        float(score) if isinstance(score, (int, float)) else 0.0,
    )
