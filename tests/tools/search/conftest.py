"""What the tests of searches share: a small index."""

import json

import pytest

from aepo.tools.base import ToolContext
from aepo.tools.corpus.build import build
from aepo.tools.corpus.index import Index

RIVERS = {
    "elbe": ("The Elbe", "The Elbe rises in the Giant Mountains and flows to the North Sea."),
    "rhine": ("The Rhine", "The Rhine rises in the Alps and flows to the North Sea by way of Lake Constance."),
    "danube": ("The Danube", "The Danube rises in the Black Forest and flows to the Black Sea."),
    "lena": ("", "The Lena flows north to the Laptev Sea."),
}


@pytest.fixture(scope="session")
def rivers(tmp_path_factory):
    """Folder of an index of four rivers."""
    folder = tmp_path_factory.mktemp("rivers")
    rows = [
        {"id": name, "title": title, "text": text, "url": f"https://rivers.example/{name}" if title else None}
        for name, (title, text) in RIVERS.items()
    ]
    (folder / "rivers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return build(folder / "rivers.jsonl", folder / "index").folder


@pytest.fixture
def index(rivers):
    return Index.open(rivers)


@pytest.fixture
def context():
    return ToolContext("prompt", {})
