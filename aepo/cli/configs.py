"""`aepo presets` and `aepo config`: look at configurations."""

from __future__ import annotations

import click

from aepo.cli.base import settings_option, source_option


@click.command()
def presets() -> None:
    """List the presets that --config takes by name."""
    from importlib import resources

    from aepo import config

    for name in config.presets():
        text = (resources.files("aepo") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        click.echo(f"{name:<18}{text.splitlines()[0].removeprefix('# ')}")


@click.group()
def config() -> None:
    """Look at configurations."""


@config.command()
@source_option
@settings_option
def show(source: str | None, settings: tuple[str, ...]) -> None:
    """Print a configuration with everything resolved, as YAML that --config takes."""
    from aepo.config import load_config, to_yaml
    from aepo.storage.open import check_address

    config = load_config(source, settings)
    check_address(config.storage)  # which refuses one that holds a secret, and shows it without
    click.echo(to_yaml(config), nl=False)
