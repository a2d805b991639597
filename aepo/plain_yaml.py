"""Reads YAML into plain trees: words are text, every key stands once, and nothing is shared or without bounds.

Anchors may be used; what they stand for is written out, so that a text of a few lines which stands for millions of
values, or for itself, is refused at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from aepo.errors import UserError, brief, shorten

MOST_VALUES = 10_000
DEEPEST = 16
MOST_BITS = 64
"""No number of a configuration needs more; a longer one cannot even be written out."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOO_DEEP = f"is nested more than {DEEPEST} deep, or refers to itself: write `section: {{key: value}}`."


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML document; None of an empty one.

    Args:
        text: the document.
        where: what it is, for messages.

    Raises:
        UserError: it is no YAML, or see `plain`.
    """
    try:
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = shorten(", ".join(filter(None, (error.context, error.problem))))
        raise UserError(
            f"{where} is no valid YAML{place}: {problem}. Mend it there; if it is text, quote it."
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two for "\U00110000" and such
        raise UserError(f"{where} is no valid YAML: {shorten(error)}. Remove what is there.") from None
    except RecursionError:
        raise UserError(f"{where} {_TOO_DEEP}") from None
    return plain(tree, where)


def plain(value: Any, where: str) -> Any:
    """A copy of a tree that shares nothing, of the types that settings have.

    Args:
        value: mappings, lists and scalars.
        where: what it is, for messages.

    Raises:
        UserError: it refers to itself, has too many values, or holds one that no setting can have.
    """
    return _plain(value, where, (), itertools.count(1))


def _plain(value: Any, where: str, path: tuple[str, ...], count: Iterator[int]) -> Any:
    if len(path) > DEEPEST:
        raise UserError(f"{where} {_TOO_DEEP}")
    if next(count) > MOST_VALUES:
        raise UserError(f"{where} stands for more than {MOST_VALUES} values: write only settings, without repetition.")
    match value:
        case Mapping():
            return {key: _plain(item, where, (*path, str(key)), count) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, where, (*path, str(index)), count) for index, item in enumerate(value)]
        case str() if "\0" in value or _SURROGATE.search(value):
            problem = "holds a NUL character or half a surrogate pair, which are no text: write it without"
        case int() if value.bit_length() > MOST_BITS:
            problem = f"has {value.bit_length()} bits, and no setting is so large: write a smaller number"
        case None | bool() | int() | float() | str():
            return value
        case _:
            problem = f"is of type {type(value).__name__} ({brief(value)}): write plain YAML, without tags"
    raise UserError(f"{' '.join(filter(None, (where, shorten('.'.join(path)))))}: the value {problem}.")


class _Loader(yaml.SafeLoader):
    """Plain YAML whose words are text: `off`, `no` and dates too, which PyYAML reads as YAML 1.1 did."""

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """Refuses a key that stands twice: PyYAML would silently take the last one."""
        node: MappingNode = super().compose_mapping_node(anchor)
        found: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode):
                if key.value in found:
                    problem = f"the key {shorten(key.value, 60)} stands here for the second time"
                    raise ConstructorError(None, None, problem, key.start_mark)
                found.add(key.value)
        return node

    def flatten_mapping(self, node: MappingNode) -> None:
        """Refuses merges (`<<`) that multiply."""
        super().flatten_mapping(node)
        if len(node.value) > MOST_VALUES:
            raise ConstructorError(None, None, f"more than {MOST_VALUES} keys are merged", node.start_mark)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Says where a value does not fit its tag (`!!int x`, a number of 5,000 digits), for PyYAML just fails."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            problem = f"{brief(node.value)} cannot be read as {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, problem, node.start_mark) from error


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
