"""Resolves a configuration from layers: the method's row, a preset, the user's file, `--set`; later ones win."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import yaml
from pydantic import ValidationError

from aepo.algorithms.methods import METHODS, PARTS
from aepo.config.mistakes import check_keys, explain_invalid, nearest
from aepo.config.model import Config
from aepo.errors import UserError, brief, explain, shorten
from aepo.paths import user_path
from aepo.plain_yaml import parse_yaml, plain

LARGEST = 100_000
"""Bytes of the largest file of settings."""


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    folder = resources.files("aepo") / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def load_config(source: str | None = None, settings: Iterable[str] = ()) -> Config:
    """Resolve a configuration.

    Args:
        source: name of a preset, path of a YAML file (which may name a preset under `preset:`), or None for
            the quickstart.
        settings: `a.b=value` strings; values are YAML.

    Raises:
        UserError: the source is missing, no YAML or no mapping, a key is unknown, a value is out of range.
    """
    tree = _read("quickstart" if source is None else source)
    layer: dict[str, Any] = {}
    for setting in settings:
        _merge(layer, _parse_setting(setting))
    _overlay(tree, layer)
    return resolve(tree)


def resolve(tree: Mapping[str, Any]) -> Config:
    """Validate a tree of settings on top of its method's row.

    Raises:
        UserError: see `load_config`.
    """
    tree = plain(tree, "config")
    method = tree.get("method", Config.model_fields["method"].default)
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"method: {brief(method)} is unknown{nearest(str(method), METHODS)}")
    row = METHODS[method].model_dump(mode="json", include=set(PARTS))
    check_keys(tree)
    _merge(row, tree)
    try:
        return Config.model_validate(row)
    except ValidationError as error:
        raise UserError(explain_invalid(error)) from None


def to_yaml(config: Config) -> str:
    """The resolved configuration as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _read(source: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    if source in above:
        raise UserError(
            f"config {shorten(source)} is its own preset, by way of {shorten(' and '.join(above))}: remove the circle."
        )
    where = f"config {shorten(source)}"
    tree = parse_yaml(_text(source), where)
    if tree is None:
        raise UserError(f"{where} is empty: write settings into it, such as `preset: quickstart`.")
    if not isinstance(tree, dict):
        raise UserError(f"{where} must be a mapping of settings (`seed: 1`), not {brief(tree)}.")
    base = tree.pop("preset", None)
    if base is None:
        return tree
    merged = _read(base if isinstance(base, str) else brief(base), (*above, source))
    _overlay(merged, tree)
    return merged


def _text(source: str) -> str:
    """The text of a preset or a file."""
    if source in presets():
        return (resources.files("aepo") / "presets" / f"{source}.yaml").read_text(encoding="utf-8")
    where, path = f"config {shorten(source) or repr(source)}", user_path(source)
    try:
        if source and path.is_dir():
            raise UserError(f"{where} is a folder: give the YAML file in it.")
        if not source or not path.exists():
            raise UserError(f"{where}: there is no such file and no such preset. Presets: {', '.join(presets())}.")
        with path.open("rb") as file:  # which may be a pipe
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UserError(f"{where} has more than {LARGEST} bytes, too many for settings: give a YAML file.")
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is no UTF-8 text (byte {error.start + 1}): save it as UTF-8.") from None
    except OSError as error:
        raise explain(error) or UserError(f"{where} cannot be read ({error}): give another file.") from None


def _parse_setting(setting: str) -> dict[str, Any]:
    key, separator, text = setting.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise UserError(f"--set {shorten(setting)}: write it as a.b=value.")
    value = parse_yaml(text, f"--set {shorten(setting)}")
    for part in reversed(parts):
        value = {part: value}
    return value


def _overlay(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    """Merge a layer. Where it changes the method, what is below it and as the old method has it goes."""
    old, new = METHODS.get(str(base.get("method"))), top.get("method")
    if old is not None and new not in (None, old.id):
        for part in PARTS:
            defaults = getattr(old, part).model_dump(mode="json")
            if isinstance(settings := base.get(part), dict):
                base[part] = {key: value for key, value in settings.items() if value != defaults.get(key, ...)}
    _merge(base, top)


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value
