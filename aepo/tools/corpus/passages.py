"""Cuts documents into passages of a bounded size, each of which says what it is about.

A passage never goes over a heading. Its title is the path to it, from the document's title down: `json — JSON encoder
and decoder › Basic Usage › json.dump`. A text that is longer than a passage is cut at the ends of lines and sentences,
or between words where those are too long.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aepo.tools.corpus.documents import Document, cut

CHARACTERS_PER_WORD = 10
"""A passage of n words has at most this times n characters: 1,000 for the usual 100, as a search shows."""
JOINT = " › "
"""Between the parts of a title."""
LONGEST_PART = 120
"""Characters of a part of a title."""

_ENDS = re.compile(r"(?<=\n)|(?<=[.!?;:])[ \t]+|(?<=[。！？；])")


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found and shown: `id` is unique in a corpus, `url` may be empty."""

    id: str
    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Size:
    """How large passages are.

    Attributes:
        words: most words of one.
        overlap: words of the one before, under the same heading, that it begins with where there is room.
    """

    words: int
    overlap: int = 0

    @property
    def characters(self) -> int:
        """Most characters of one passage."""
        return self.words * CHARACTERS_PER_WORD


def split(document: Document, size: Size) -> Iterator[Passage]:
    """The passages of a document, in order; their ids are the document's and their numbers, unless there is one."""
    found = [(title, part) for title, text in _sections(document) for part in _parts(text, size)]
    for number, (title, text) in enumerate(found):
        yield Passage(document.id if len(found) == 1 else f"{document.id}:{number}", title, document.url, text)


def _sections(document: Document) -> Iterator[tuple[str, str]]:
    """Title and text of what stands under each heading."""
    path: list[tuple[int, str]] = []
    texts: list[str] = []
    for block in document.blocks:
        if not block.level:
            texts.append(block.text)
            continue
        if texts:
            yield _title(document, path), "\n".join(texts)
        texts = []
        path = [*((level, text) for level, text in path if level < block.level), (block.level, block.text)]
    if texts:
        yield _title(document, path), "\n".join(texts)


def _title(document: Document, path: list[tuple[int, str]]) -> str:
    headings = [text for _, text in path]
    if document.title and document.title not in headings[:1]:
        headings.insert(0, document.title)
    return JOINT.join(cut(heading, LONGEST_PART) for heading in headings)


def _parts(text: str, size: Size) -> Iterator[str]:
    """A text in parts of about the same length, none larger than a passage."""
    passages = _share(text, size)
    enough = passages / math.ceil(passages) if passages else 0.0
    tail = part = ""
    for piece in _pieces(text, size):
        fresh = part[len(tail) :]
        if piece.isspace():
            part += piece if fresh else ""
            continue
        if fresh and (_share(fresh, size) >= enough or _share(part + piece, size) > 1):
            yield part.strip()
            tail = part = _tail(part, piece, size)
        part += piece
    if part != tail:
        yield part.strip()


def _tail(part: str, piece: str, size: Size) -> str:
    """The last words of a part, with which the next one begins, if they have room beside its first piece."""
    tail = " ".join(part.split()[-size.overlap :]) + " " if size.overlap else ""
    return tail if _share(tail + piece, size) <= 1 else ""


def _pieces(text: str, size: Size) -> Iterator[str]:
    """Sentences and lines; those too large as runs of words, and words too long as runs of characters."""
    ends = [match.end() for match in _ENDS.finditer(text)]
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        piece = text[start:end]
        if not piece or _share(piece, size) <= 1:
            yield from filter(None, [piece])
            continue
        run = ""
        for token in re.findall(rf"\S{{1,{size.characters}}}|\s{{1,{size.characters}}}", piece):
            if run and _share(run + token, size) > 1:
                yield run
                run = ""
            run += token
        yield run


def _share(text: str, size: Size) -> float:
    """How many passages a text is as large as."""
    return max(_words(text) / size.words, len(text) / size.characters)


def _words(text: str) -> int:
    return len(text.split())
