r"""Mathematical equivalence: \frac{1}{2} is 0.5, x^2+1 is 1+x^2, "025" is 25.

What can be decided by comparing texts, integers or words is decided here. The rest goes to math-verify, which
runs in a killable child because some answers keep it busy for ever. A time-out is unscored, not wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from aepo.scoring.answers import final_box, unwrap_text
from aepo.scoring.base import Score
from aepo.scoring.worker import Workers

LONGEST = 2000
"""Characters of the longest answer that is looked at; a longer one equals nothing but itself."""

_SPACE = re.compile(r"\s+|\\[,!;: ]|~")
_INTEGER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)")
_WORDS = re.compile(r"[A-Za-z]{4,}(?:[ '-][A-Za-z]+)*")


def score(prediction: str, references: Sequence[str]) -> Score:
    r"""Right when equivalent to any reference; unscored when none is and a comparison did not finish.

    Args:
        prediction: LaTeX, plain text or a number.
        references: the same; a solution with a `\boxed{}` stands for its last box.

    Raises:
        RuntimeError: math-verify's process does not start.
    """
    answer = final_box(prediction)
    unfinished: Score | None = None
    for reference in references:
        try:
            if equivalent(final_box(reference), answer):
                return Score.of(1.0)
        except TimeoutError:
            unfinished = Score(None, "timeout")
        except ConnectionError:
            unfinished = Score(None, "unscored")
    return unfinished or Score.of(0.0)


def equivalent(reference: str, answer: str) -> bool:
    """Whether an answer is mathematically the reference.

    Raises:
        TimeoutError: the comparison took too long.
        ConnectionError: the comparing process died.
        RuntimeError: the comparing process does not start.
    """
    pair = _undelimited(reference), _undelimited(answer)
    gold, given = (_SPACE.sub(" ", unwrap_text(text)).strip() for text in pair)
    if gold.replace(" ", "") == given.replace(" ", ""):
        return bool(gold)
    if not gold or not given or max(map(len, pair)) > LONGEST:
        return False
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(given):
        return _integer(gold) == _integer(given)
    # math-verify reads a word as a product of letters, so that anagrams would be equal.
    if _WORDS.fullmatch(gold) and _WORDS.fullmatch(given):
        return gold.casefold() == given.casefold()
    return bool(_workers().ask(pair))


@cache
def _workers() -> Workers:
    return Workers(Path(__file__).with_name("math_worker.py"))


# A forked process must not share its parent's child, nor a lock that another thread held.
os.register_at_fork(after_in_child=_workers.cache_clear)


def _undelimited(text: str) -> str:
    r"""Without math delimiters, on one line, and without the full stop of a sentence."""
    text = " ".join(text.split()).removesuffix(".")
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        inner = text.removeprefix(opening).removesuffix(closing)
        if len(inner) == len(text) - len(opening) - len(closing) and opening not in inner:
            return inner.strip()
    return text


def _integer(text: str) -> str:
    """Canonical digits: compared as text, because Python refuses to convert very long integers."""
    digits = text.replace(",", "").lstrip("+-").lstrip("0")
    return "-" + digits if text.startswith("-") and digits else digits
