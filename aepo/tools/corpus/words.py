"""Words as the index knows them: in lower case, without the most frequent English ones, stemmed.

Queries also lose the words of questions (how, can, which ...), unless nothing else is in them. A Chinese or Japanese
character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import Stemmer
from bm25s.stopwords import STOPWORDS_EN, STOPWORDS_EN_PLUS

ANALYSIS = "english-1"
"""Name of what this module does; an index that was built with another one gives wrong results."""

_FREQUENT = frozenset(STOPWORDS_EN)
_IN_QUESTIONS = frozenset(STOPWORDS_EN_PLUS)
_SINGLE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SINGLE}]|[^\W_{_SINGLE}]+")
_IGNORED = -1


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


class Numbering:
    """Numbers stems as they come. Not for several threads at once.

    Attributes:
        vocabulary: the stems and their numbers, from 0.
    """

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self._known = dict.fromkeys(_FREQUENT, _IGNORED)
        self._stem = Stemmer.Stemmer("english").stemWord

    def numbers(self, text: str) -> list[int]:
        """The number of each word's stem, in order, with new ones for new stems."""
        return [number for word in split_words(text) if (number := self._number(word)) != _IGNORED]

    def _number(self, word: str) -> int:
        number = self._known.get(word)
        if number is None:
            number = self._known[word] = self.vocabulary.setdefault(self._stem(word), len(self.vocabulary))
        return number


class Lookup:
    """Numbers of the stems of queries. Not for several threads at once."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        self._stem = Stemmer.Stemmer("english").stemWord

    def numbers(self, query: str) -> list[int]:
        """The number of each stem of the query that is in the vocabulary."""
        words = split_words(query)
        telling = [word for word in words if word not in _IN_QUESTIONS] or words
        stems = (self._stem(word) for word in telling)
        return [self._vocabulary[stem] for stem in stems if stem in self._vocabulary]
