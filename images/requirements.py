"""Prints the package's dependencies, one a line, so that an image can install them before the sources.

requirements.py               all of them
requirements.py numpy sympy   these, with the versions that the package asks for
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
dependencies = {re.split(r"[^\w.-]", text)[0]: text for text in project["dependencies"]}
if unknown := [name for name in sys.argv[1:] if name not in dependencies]:
    sys.exit(f"no dependency of the package: {', '.join(unknown)}")
print(*(dependencies[name] for name in sys.argv[1:] or dependencies), sep="\n")  # noqa: T201  its output is its purpose
