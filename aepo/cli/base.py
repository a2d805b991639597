"""What commands have in common: their options, and how mistakes and interrupts end them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from aepo.errors import UserError, explain
from aepo.interrupts import terminable

source_option = click.option("--config", "source", metavar="NAME_OR_FILE", help="Preset or YAML file  [quickstart]")
settings_option = click.option("--set", "settings", metavar="A.B=VALUE", multiple=True, help="Change a setting.")
name_option = click.option("--name", metavar="RUN", help="Name of the run  [the config's, with the time]")
new_option = click.option(
    "--new", is_flag=True, help="Start a new run even if one with this configuration is unfinished."
)


class Commands(click.Group):
    """A group that turns the user's mistakes and interrupts into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with terminable(), _explained():
                return super().invoke(ctx)
        except UserError as error:
            click.echo(f"aepo: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt as interrupt:
            click.echo(f"aepo: {str(interrupt) or 'interrupted'}", err=True)
            ctx.exit(130)


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """An interrupt within the context ends it with this message."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(message) from None


@contextmanager
def _explained() -> Iterator[None]:
    """A full disk, a read-only folder and their like become the user's mistakes, with what to do."""
    try:
        yield
    except OSError as error:
        if (explained := explain(error)) is None:
            raise
        raise explained from None
