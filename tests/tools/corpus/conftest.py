"""The documentation of Python, where Debian's python3-doc is installed: a corpus of the size of a real one."""

from pathlib import Path

import pytest

from aepo.tools.corpus.build import build

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
"""Of the version that the questions are about."""


@pytest.fixture(scope="session")
def python_documentation():
    """Its folder."""
    if not (DOCUMENTATION / "library" / "json.html").is_file():
        pytest.skip(f"the documentation of Python 3.11 is not in {DOCUMENTATION} (Debian 12: python3-doc)")
    return DOCUMENTATION.resolve()


@pytest.fixture(scope="session")
def python_corpus(python_documentation, tmp_path_factory):
    """The report of its index, which is built once."""
    return build(python_documentation, tmp_path_factory.mktemp("python") / "index", url="https://docs.python.org/3")
