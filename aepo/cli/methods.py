"""`aepo methods`: what each method does, and with which settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from aepo.algorithms.methods import Method
    from aepo.algorithms.parts import Part


@click.command()
@click.argument("method", required=False)
def methods(method: str | None) -> None:
    """List the methods and what each changes, or show one METHOD with every setting that counts in it."""
    from rich.console import Console

    from aepo.algorithms.methods import METHODS
    from aepo.config import resolve

    out = Console(highlight=False)
    if method is None:
        out.print(_methods(list(METHODS.values())))
        out.print("\n[bold]aepo methods METHOD[/bold] shows one with every setting; docs/methods.md has the formulas.")
    else:
        chosen = METHODS[resolve({"method": method}).method]
        out.print(f"[bold]{chosen.id}[/bold]  {chosen.title}\n[dim]{chosen.paper}, docs/methods/{chosen.id}.md[/dim]")
        for each in _settings_of(chosen):
            out.print(each)


_MAIN = {
    "exploration": ("budget", "branching"),
    "advantage": ("estimator",),
    "surrogate": ("function",),
    "regulariser": ("function",),
}
"""The settings that say in a word what a part of a method does."""


def _methods(rows: Sequence[Method]) -> Table:
    """A line per part of each method: what it does, and in bold what differs from the defaults."""
    from rich.table import Table
    from rich.text import Text

    from aepo.algorithms.conditions import idle
    from aepo.algorithms.methods import PARTS

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for number, row in enumerate(rows):
        idlers = {key for key, _ in idle(row, PARTS)}
        if number:
            table.add_row()
        table.add_row(Text(row.id, "bold"), f"{row.title}\n[dim]{row.paper}[/dim]")
        parts = Table.grid(padding=(0, 2, 0, 0))
        for name, main in _MAIN.items():
            part = getattr(row, name)
            own = [key for key in part.model_dump(exclude_defaults=True) if f"{name}.{key}" not in idlers]
            shown = dict.fromkeys([*main, *own])
            words = [Text(f"{key}={_written(part, key)}", _style(part, key)) for key in shown]
            parts.add_row(Text(name, "dim"), Text(" ").join(words))
        table.add_row("", parts)
    return table


def _settings_of(method: Method) -> Iterator[RenderableType]:
    """Per part a heading, a table of the settings that count in it, and the names of the others."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from aepo.algorithms.conditions import idle
    from aepo.algorithms.methods import PARTS

    idlers = [key.split(".") for key, _ in idle(method, PARTS)]
    for name in PARTS:
        part, without = getattr(method, name), [key for section, key in idlers if section == name]
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(min_width=18, no_wrap=True)
        for key, field in type(part).model_fields.items():
            if key not in without:
                value = Text(_written(part, key), _style(part, key))
                table.add_row(f"  {key}", value, Text(field.description or "", "dim"))
        yield Text(f"\n{name}", "bold")
        yield table
        if without:
            yield Padding(Text(f"without effect here: {', '.join(without)}", "dim"), (0, 0, 0, 2))


def _written(part: Part, key: str) -> str:
    """A setting's value as YAML writes it."""
    value = getattr(part, key)
    return value if isinstance(value, str) else json.dumps(value)


def _style(part: Part, key: str) -> str:
    return "" if getattr(part, key) == type(part).model_fields[key].default else "bold cyan"
