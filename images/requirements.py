"""Prints the package's dependencies, one a line, so that an image can install them before the sources."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
print(*project["dependencies"], sep="\n")  # noqa: T201  its output is its purpose
