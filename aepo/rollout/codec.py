"""Between text and tokens: encoding of what the environment writes, decoding of what the policy wrote.

Text from outside never becomes a control token, nor reads like a mark: what counts is what its tokens say when they
are decoded again, so that neither look-alikes that the tokenizer normalises nor characters that it drops get past.

A piece of text inside a trajectory is encoded and decoded as it stands after other text, so that tokenizers which put
a space before a text, or take one away, do neither in the middle of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aepo.environments.protocols.guard import Guard
from aepo.errors import UserError, brief

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TAIL_TOKENS = 16
"""Tokens at the end of a generation in which a stop text is looked for; more for a text of more bytes."""
KEPT = 500
"""Characters of a text up to which its tokens are kept: most blocks are short and come again."""
ROUNDS = 8
"""Times that a text from outside is looked at again at most."""
BEFORE = ("\n", ">")
"""What a piece may stand after: the first that the tokenizer does not join with the piece's beginning."""


class Passage(NamedTuple):
    """Tokens, and the text that they stand for."""

    token_ids: tuple[int, ...]
    text: str


class Codec:
    """A Hugging Face tokenizer with the few operations that rollouts need.

    Attributes:
        eos_id: the token that ends a text.
        controls: text → id of every added token, but for white space and what stands for unknown text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer: Any = tokenizer
        self.eos_id: int | None = tokenizer.eos_token_id
        self.controls = _controls(self.tokenizer)
        self._before = {text: self._ids(text) for text in BEFORE}
        self._said_before = self._text(self._before[BEFORE[0]])
        self._encode = lru_cache(maxsize=65536)(self._encode_uncached)
        self._encode_foreign = lru_cache(maxsize=65536)(self._encode_foreign_uncached)
        self._endings: dict[tuple[str, ...], np.ndarray] = {}

    # -- encoding ---------------------------------------------------------------------------------------------

    def encode(self, text: str) -> tuple[int, ...]:
        """Text of our own inside a trajectory: control tokens act, none is added."""
        return self._encode(text) if len(text) <= KEPT else self._encode_uncached(text)

    def encode_foreign(self, text: str, guard: Guard) -> Passage:
        """Text from outside inside a trajectory, with no mark of the guard in what its tokens say.

        Raises:
            UserError: the tokenizer makes marks of whatever text.
        """
        return self._encode_foreign(text, guard) if len(text) <= KEPT else self._encode_foreign_uncached(text, guard)

    def encode_prompt(self, text: str, guard: Guard) -> Passage:
        """Text from outside that begins a trajectory, with the special tokens that the tokenizer puts around it.

        Raises:
            UserError: see `encode_foreign`.
        """
        harmless = self.encode_foreign(text, guard).text
        return Passage(tuple(self.tokenizer(harmless).input_ids), harmless)

    def _encode_uncached(self, text: str) -> tuple[int, ...]:
        for before, ids in self._before.items():
            both = self._ids(before + text)
            if both[: len(ids)] == ids:
                return both[len(ids) :]
        return self._ids(text)

    def _encode_foreign_uncached(self, text: str, guard: Guard) -> Passage:
        text = guard.defuse(text.encode("utf-8", "replace").decode())
        for _ in range(ROUNDS):
            token_ids = self.encode(text)
            said = self.decode(token_ids)
            if not guard.finds(said):
                return Passage(token_ids, text)
            text = guard.defuse(said)
        raise UserError(
            f"the policy's tokenizer reads {brief(said)} into text without any mark: it cannot tell what tools say "
            "from what it is told itself. Take another model."
        )

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)

    # -- decoding ---------------------------------------------------------------------------------------------

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of tokens inside a trajectory, special ones included."""
        return self._text([*self._before[BEFORE[0]], *token_ids])[len(self._said_before) :]

    def decode_marked(self, token_ids: Sequence[int], marks: Iterable[str]) -> tuple[str, frozenset[int]]:
        """The text of tokens, and the places of marks in it that are spelled out while there is a token for them."""
        live = {self.controls[mark]: mark for mark in marks if mark in self.controls}
        if not live:
            return self.decode(token_ids), frozenset()
        cuts = [place for place, token in enumerate(token_ids) if token in live]
        text, real = "", set()
        for begin, end in zip([0, *cuts], [*cuts, len(token_ids)], strict=True):
            if begin in cuts:
                real.add(len(text))
            text += self.decode(token_ids[begin:end])
        return text, frozenset(Guard(live.values()).places(text)) - real

    def _text(self, token_ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    # -- ends of turns ----------------------------------------------------------------------------------------

    def may_end(self, stop: tuple[str, ...], vocab_size: int) -> np.ndarray:
        """(vocab,) bool: tokens that are a stop text, or hold the last character of one that is no token."""
        if stop not in self._endings:
            table = np.zeros(vocab_size, dtype=bool)
            table[[self.controls[text] for text in stop if text in self.controls]] = True
            last = {text[-1] for text in stop if text not in self.controls}
            for token in range(min(vocab_size, len(self.tokenizer)) if last else 0):
                table[token] |= any(character in last for character in self.tokenizer.decode([token]))
            self._endings[stop] = table
        return self._endings[stop]

    def ends(self, token_ids: Sequence[int], stop: tuple[str, ...]) -> bool:
        """Whether the last token is a stop text, or completes one that is no token."""
        if any(self.controls.get(text) == token_ids[-1] for text in stop):
            return True
        spelled = [text for text in stop if text not in self.controls]
        longest = max((len(text.encode()) for text in spelled), default=0)
        tail = self.decode(token_ids[-max(TAIL_TOKENS, longest) :])
        return any(text in tail for text in spelled)


def _controls(tokenizer: Any) -> dict[str, int]:
    """Added tokens. What stands for unknown text is left out unless it means something else, too."""
    others = {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id}
    unknown = {tokenizer.unk_token_id} - others
    return {
        token.content: number
        for number, token in sorted(tokenizer.added_tokens_decoder.items())
        if token.content.strip() and number not in unknown
    }
