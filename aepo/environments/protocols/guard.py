"""Takes marks out of text that comes from outside."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

OPENING = "‹"
"""What becomes of a mark's first character."""


class Guard:
    """Finds and breaks marks, overlapping ones too.

    Args:
        marks: texts, none of them empty.
    """

    def __init__(self, marks: Iterable[str]) -> None:
        rests: dict[str, list[str]] = defaultdict(list)
        for mark in sorted(set(marks)):
            rests[mark[0]].append(re.escape(mark[1:]))
        alternatives = (f"{re.escape(first)}(?={'|'.join(others)})" for first, others in rests.items())
        self._first = re.compile("|".join(alternatives) or "(?!)")

    def finds(self, text: str) -> bool:
        """Whether a text holds a mark."""
        return self._first.search(text) is not None

    def places(self, text: str) -> Iterator[int]:
        """Where marks begin."""
        return (match.start() for match in self._first.finditer(text))

    def defuse(self, text: str) -> str:
        """The text with the first character of every mark replaced by ‹; without marks, the same text."""
        return self._first.sub(OPENING, text)
