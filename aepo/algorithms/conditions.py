"""When a setting does something: a setting that does nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Only:
    """Metadata of a field: it has an effect only where this holds.

    Attributes:
        where: in words, as in "only where exploration.branching is true".
        holds: the same, for an object with the four parts of a method.
    """

    where: str
    holds: Callable[[Any], bool]


def conditions(model: type[BaseModel], name: str) -> list[Only]:
    """What must hold for a field to have an effect."""
    return [entry for entry in model.model_fields[name].metadata if isinstance(entry, Only)]


def idle(parts: Any, names: Sequence[str]) -> Iterator[tuple[str, Only]]:
    """The settings of the parts `names` that have no effect, dotted, each with a condition that does not hold."""
    for part in names:
        model = type(getattr(parts, part))
        for name in model.model_fields:
            if missing := next((only for only in conditions(model, name) if not only.holds(parts)), None):
                yield f"{part}.{name}", missing
