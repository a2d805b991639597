"""Writes each component's README.md and metadata.yaml: `python -m components.readme`.

They come from the component's docstring and signature and from its row in the catalogue. With `--check` nothing
is written; the exit code is 1 if a file is not what would be written.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.catalogue import CATALOGUE, metadata

ROOT = Path(__file__).parent


def main() -> None:
    """Write or check all files."""
    if "--check" not in sys.argv[1:]:
        for path, text in generated().items():
            path.write_text(text, encoding="utf-8")
    elif found := stale():
        sys.exit(f"components: {', '.join(found)} stale; run `make readme`.")


def stale() -> list[str]:
    """Files below components/ that are missing or not what would be written."""
    return [
        str(path.relative_to(ROOT))
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def generated() -> dict[Path, str]:
    """Every file that is written, and its text."""
    files = {}
    for name in sorted(CATALOGUE):
        files[ROOT / name / "README.md"] = readme(name)
        files[ROOT / name / "metadata.yaml"] = metadata(name)
    return files


def readme(name: str) -> str:
    """The README of a component."""
    component = getattr(importlib.import_module(f"components.{name}.component"), name)
    spec, entry = component.component_spec, CATALOGUE[name]
    return "\n".join(
        [
            "<!-- Written by `make readme` from component.py and components/catalogue.py. -->",
            f"# {name}",
            "",
            " ".join((spec.description or "").split()),
            "",
            f"Stability: {entry.stability}. Tags: {', '.join(entry.tags)}.",
            "",
            *_table("Inputs", spec.inputs),
            *_table("Outputs", spec.outputs),
            "## Use",
            "",
            "```python",
            f"from components.{name} import {name}",
            "```",
            "",
        ]
    )


def _table(title: str, fields: Mapping[str, Any] | None) -> list[str]:
    if not fields:
        return []
    rows = [f"| `{name}` | {_type(field)} | {field.description} |" for name, field in fields.items()]
    return [f"## {title}", "", "| name | type | what it is |", "|---|---|---|", *rows, ""]


def _type(field: Any) -> str:
    """What people call a type: `system.Dataset@0.0.1` is a Dataset."""
    name = field.type.removeprefix("system.").partition("@")[0]
    return f"list of {name}" if field.is_artifact_list else name


if __name__ == "__main__":
    main()
