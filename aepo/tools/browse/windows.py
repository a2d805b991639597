"""Cuts long texts into windows."""

from __future__ import annotations

from itertools import accumulate, pairwise

SLACK = 0.2
"""Share of a window that may stay empty so that it ends where a line or a word does."""


def windows(text: str, size: int) -> list[str]:
    """Pieces of at most `size` characters, which together are the text; one, the text itself, where it is short."""
    lengths = []
    start = 0
    while len(text) - start > size:
        lengths.append(_end(text, start, start + size) - start)
        start += lengths[-1]
    cuts = [*accumulate(lengths, initial=0), len(text)]
    return [text[begin:end] for begin, end in pairwise(cuts)]


def _end(text: str, start: int, latest: int) -> int:
    earliest = latest - int((latest - start) * SLACK)
    for separator in ("\n", " "):
        if (found := text.rfind(separator, earliest, latest)) >= 0:
            return found + 1
    return latest
