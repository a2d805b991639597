"""What a tokenizer's chat template writes around what others say.

The template is never given what is really said. It renders small conversations of placeholders, and what stands between
these is what it writes itself. So foreign text cannot act in the template, and what the policy has sampled is never
rendered again: the environment's turn is what the template puts after the assistant's, cut from the smallest
conversation that has one. A template that rewrites earlier turns in longer conversations (drops thoughts, say) is thus
followed as far as it goes at the end of one; what has been said stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from aepo.errors import UserError, reason

Message = dict[str, Any]

_SAME_DAY = "{%- macro strftime_now(format) -%}2025-01-01{%- endmacro -%}"
"""Stands before templates, some of which write the date: another day must not give other prompts."""
_PLACEHOLDER = "\ue000{}\ue000"


class ChatTemplate:
    """A tokenizer's chat template.

    Args:
        tokenizer: with a chat template.
        functions: the tools, as chat templates take them.

    Attributes:
        opening: what stands before and after the question.
        closing: what stands after the assistant's last message.

    Raises:
        UserError: the template cannot render a question and an answer.
    """

    def __init__(self, tokenizer: Any, functions: Sequence[Mapping[str, Any]]) -> None:
        self._tokenizer = tokenizer
        self._functions = list(functions) or None
        self._source = _SAME_DAY + tokenizer.get_chat_template(tools=self._functions)
        self.opening: tuple[str, str] = self._around([_user(0)], 1)  # type: ignore[assignment]
        self.closing = self._around([_user(), _assistant(0)], 1, generation=False)[-1]

    def replies(self, count: int) -> tuple[str, ...]:
        """What stands before, between and after `count` results that follow the assistant's turn.

        Raises:
            UserError: the template cannot render results, or renders later ones in another way.
        """
        results = [{"role": "tool", "content": _PLACEHOLDER.format(place)} for place in range(1, count + 1)]
        first, later = ([_user(), *_exchanges(earlier), _assistant(0), *results] for earlier in (0, 1))
        _, *parts = self._around(first, count + 1)
        if self._around(later, count + 1)[1:] != tuple(parts):
            raise refusal("renders a result in another way when there was one before")
        return tuple(parts)

    def call(self, name: str) -> str:
        """How the template writes a call without arguments, as a message of the assistant."""
        call = {"type": "function", "function": {"name": name, "arguments": {}}}
        spoken = self._render([_user(), {"role": "assistant", "content": "", "tool_calls": [call]}], generation=False)
        return spoken.removeprefix(self._render([_user()], generation=False))

    def _around(self, messages: Sequence[Message], count: int, *, generation: bool = True) -> tuple[str, ...]:
        """What stands around the placeholders 0 to count − 1."""
        rest = self._render(messages, generation=generation)
        parts = []
        for place in range(count):
            placeholder = _PLACEHOLDER.format(place)
            part, found, rest = rest.partition(placeholder)
            if not found or placeholder in rest:
                raise refusal(f"does not render {messages[place - count]['role']} messages once and in their order")
            parts.append(part)
        return (*parts, rest)

    def _render(self, messages: Sequence[Message], *, generation: bool) -> str:
        try:
            return self._tokenizer.apply_chat_template(
                list(messages),
                tools=self._functions,
                chat_template=self._source,
                add_generation_prompt=generation,
                tokenize=False,
            )
        except Exception as error:  # whatever a template raises
            raise refusal(f"fails: {reason(error)}") from error


def _user(place: int | None = None) -> Message:
    return {"role": "user", "content": "question" if place is None else _PLACEHOLDER.format(place)}


def _assistant(place: int) -> Message:
    return {"role": "assistant", "content": _PLACEHOLDER.format(place)}


def _exchanges(count: int) -> list[Message]:
    """Earlier calls and their results."""
    exchange = [{"role": "assistant", "content": "call"}, {"role": "tool", "content": "result"}]
    return list(itertools.chain.from_iterable(itertools.repeat(exchange, count)))


def refusal(what: str) -> UserError:
    """That a template cannot be used: what it does, and what to do."""
    return UserError(
        f"the model's chat template {what}. Set environment.protocol to tags, or mend chat_template.jinja in the "
        "model's folder."
    )
