"""`aepo tools`, `corpus`, `search` and `sandbox`, as a user types them."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from aepo.cli import main

AEPO = Path(sys.executable).with_name("aepo")


def aepo(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), env={"COLUMNS": "200"})


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rivers.jsonl"
    found = [{"id": str(n), "title": f"River {n}", "text": f"River{n} flows into lake{n}."} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


@pytest.fixture
def index(rows, tmp_path):
    result = aepo("corpus", "build", rows, tmp_path / "index")
    assert result.exit_code == 0, result.output
    return tmp_path / "index"


class TestCheck:
    def test_what_works_is_said_and_what_does_not_with_the_way_out(self):
        result = aepo("tools", "check", "calculator", "search")
        assert result.exit_code == 1
        assert re.search(r"✓\s+calculator\s+\d+ ms\s+42", result.output)
        assert re.search(r"✗\s+search .*set search\.index to the folder that `aepo corpus build", result.output)

    def test_when_everything_works_that_is_the_exit_code(self, index):
        result = aepo("tools", "check", "calculator", "search", "--set", f"search.index={index}", "--query", "lake7")
        assert result.exit_code == 0, result.output
        assert "River 7" in result.output

    def test_without_names_it_is_the_configuration_s(self, tmp_path):
        settings = ("environment.name=qa", "environment.source=q.jsonl", "environment.tools=[calculator]")
        result = aepo("tools", "check", *(part for setting in settings for part in ("--set", setting)))
        assert result.exit_code == 0, result.output
        assert [line.split()[1] for line in result.output.splitlines()] == ["calculator"]

    def test_an_unknown_name_is_refused(self):
        result = aepo("tools", "check", "abacus")
        assert result.exit_code == 2
        assert "'abacus' is no tool; choose from calculator, python, search, browse" in result.output


class TestCorpus:
    def test_what_was_built_is_said_and_can_be_searched(self, index):
        found = aepo("corpus", "search", index, "lake13", "-k", "1").output
        assert found.splitlines()[0] == "[1] River 13"

    def test_bad_rows_are_named_or_left_out(self, rows, tmp_path):
        with rows.open("a") as file:
            file.write('{"id": "x"}\n')
        refused = aepo("corpus", "build", rows, tmp_path / "other")
        assert refused.exit_code == 2
        assert "21" in refused.output
        assert not (tmp_path / "other").exists()
        built = aepo("corpus", "build", rows, tmp_path / "other", "--skip-malformed")
        assert "20 passages" in built.output
        assert "1 could not be used" in built.output

    def test_what_is_no_index_is_refused(self, tmp_path):
        result = aepo("corpus", "search", tmp_path, "anything")
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def ask(address, question):
    request = urllib.request.Request(address, json.dumps(question).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


@pytest.fixture
def served():
    """Starts a server of ours and gives its address; all are ended afterwards."""
    started = []

    def start(*arguments):
        process = subprocess.Popen([AEPO, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return re.search(r"http://[0-9.]+:\d+", process.stdout.readline())[0]

    yield start
    for process in started:
        process.terminate()
        assert process.wait(30) is not None
        process.stdout.close()


class TestServing:
    def test_a_search(self, served, index):
        address = served("search", "serve", "--set", f"search.index={index}", "--port", "0")
        (hits,) = ask(f"{address}/retrieve", {"queries": ["lake4"], "topk": 1, "return_scores": True})["result"]
        assert "River4 flows" in hits[0]["document"]["contents"]

    def test_a_sandbox(self, served):
        address = served("sandbox", "serve", "--port", "0", "--set", "sandbox.seconds=5")
        assert ask(f"{address}/run", {"code": "print(6 * 7)"}) == {"text": "42\n", "outcome": "ok"}
        checked = aepo("tools", "check", "python", "--set", f"sandbox.url={address}")
        assert checked.exit_code == 0, checked.output


def test_a_run_does_not_begin_without_what_its_tools_need(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"question": "?", "answer": "b"}\n' * 4)
    settings = [
        "environment.name=qa",
        f"environment.source={tmp_path / 'q.jsonl'}",
        f"storage.root={tmp_path / 'runs'}",
    ]
    result = aepo("train", "--config", "tiny", "--name", "x", *(part for each in settings for part in ("--set", each)))
    assert result.exit_code == 2
    assert "search.index" in result.output
    assert not (tmp_path / "runs" / "x" / "events.jsonl").exists()
