"""What docs/methods, its figure and `aepo methods` say of a method is what the code has."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from rich.cells import cell_len

from aepo.algorithms.conditions import idle
from aepo.algorithms.methods import METHODS, PARTS, Method
from aepo.algorithms.parts import Surrogate
from aepo.algorithms.surrogates import SURROGATES
from aepo.cli import main
from aepo.config import load_config, resolve
from aepo.errors import UserError

DOCS = Path(__file__).parents[1] / "docs"
OVERVIEW = DOCS / "methods.md"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "methods").glob("*.md")}
TEXTS = {"overview": OVERVIEW.read_text(encoding="utf-8"), **PAGES}
COMMANDS = [
    line
    for text in TEXTS.values()
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("aepo ")
]
WIDTHS = [80, 100, 140]


def changed(row):
    """The settings in which a row is not plain GRPO, dotted."""
    found = row.model_dump(include=set(PARTS), exclude_defaults=True)
    return {f"{part}.{key}" for part, settings in found.items() for key in settings}


def effective(row):
    """Those of them that count in it."""
    return changed(row) - {key for key, _ in idle(row, PARTS)}


def run(*arguments, columns=80):
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": str(columns)})


class TestPages:
    def test_there_is_one_for_every_method_and_no_other(self):
        assert set(PAGES) == set(METHODS)
        listed = re.findall(r"^\| \[`(.*?)`\]\(methods/(.*?)\.md\)", TEXTS["overview"], re.MULTILINE)
        assert listed == [(method, method) for method in METHODS]

    @pytest.mark.parametrize("method", METHODS)
    def test_it_names_paper_command_and_tests(self, method):
        assert PAGES[method].startswith(f"# `{method}`\n")
        assert METHODS[method].paper in PAGES[method]
        assert f"aepo run --set method={method}\n" in PAGES[method]
        assert re.search(r"^## Tests\n.*test_\w+\.py", PAGES[method], re.MULTILINE)

    @pytest.mark.parametrize("method", METHODS)
    def test_the_values_of_its_tables_are_those_of_its_row_and_nothing_that_differs_is_left_out(self, method):
        cells = re.findall(r"^\| `(\w+)\.(\w+)` \| `(.*?)` \|", PAGES[method], re.MULTILINE)
        row = METHODS[method].model_dump(mode="json")
        said = {f"{part}.{key}": yaml.safe_load(value) for part, key, value in cells}
        assert said == {f"{part}.{key}": row[part][key] for part, key, _ in cells}
        assert changed(METHODS[method]) - set(said) == set()

    def test_no_setting_goes_unmentioned(self):
        fields = {f"{part}.{key}" for part in PARTS for key in getattr(METHODS["grpo"], part).model_dump()}
        assert fields - set(re.findall(r"`(\w+\.\w+)` \|", "".join(TEXTS.values()))) == set()

    @pytest.mark.parametrize("command", COMMANDS)
    def test_its_commands_resolve(self, command):
        arguments = shlex.split(command, comments=True)[2:]
        shown = run("config", "show", *arguments)
        assert shown.exit_code == 0, shown.output

    @pytest.mark.parametrize("name", TEXTS)
    def test_its_links_lead_somewhere(self, name):
        folder = DOCS if name == "overview" else DOCS / "methods"
        for target in re.findall(r"\]\((?!https?:)(.*?)\)", TEXTS[name]):
            path, _, anchor = target.partition("#")
            assert (folder / path).exists(), target
            headings = re.findall(r"^#+ (.*)", (folder / path).read_text() if anchor else "", re.MULTILINE)
            assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], target


class TestOverview:
    def test_every_ablation_changes_some_method_and_is_refused_by_the_others_at_most(self):
        table = TEXTS["overview"].partition("## Measuring one mechanism")[2].partition("```")[0]
        ablations = [cell.split() for cell in re.findall(r"^\| `(.*?=.*?)` \|", table, re.MULTILINE)]
        assert len(ablations) > 8
        for settings in ablations:
            assert any(self.differs(method, settings) for method in METHODS), settings

    @staticmethod
    def differs(method, settings):
        try:
            return load_config(None, [f"method={method}", *settings]) != load_config(None, [f"method={method}"])
        except UserError:
            return False

    def test_a_setting_without_effect_is_refused_as_it_says(self):
        settings, words = re.findall(r"`--set (\S+ --set \S+)` ends with \"(.*?)\"", TEXTS["overview"])[0]
        with pytest.raises(UserError, match=words):
            load_config(None, settings.split(" --set "))

    def test_a_row_alone_is_a_method(self, monkeypatch):
        row = Method(id="mine", title="Mine", paper="none", surrogate=Surrogate(clip_high=0.3))
        monkeypatch.setitem(METHODS, "mine", row)
        assert load_config("tiny", ["method=mine"]).surrogate.clip_high == 0.3
        assert "clip_high=0.3" in run("methods").output


class TestFigure:
    @pytest.fixture
    def figures(self, monkeypatch):
        monkeypatch.syspath_prepend(DOCS)
        return importlib.import_module("figures")

    def test_it_is_what_the_generator_writes(self, figures):
        assert figures.TARGET.read_text(encoding="utf-8") == figures.surrogates(), "run `make figures`"

    def test_it_shows_every_surrogate(self, figures):
        assert {curve.settings.function for curve in figures.CURVES} == set(SURROGATES)

    def test_it_is_in_the_overview(self, figures):
        assert f"](images/{figures.TARGET.name})" in TEXTS["overview"]


class TestCommand:
    @pytest.mark.parametrize("columns", WIDTHS)
    def test_the_list_has_every_method_with_what_it_changes(self, columns):
        output = run("methods", columns=columns).output
        assert max(map(cell_len, output.splitlines())) <= columns
        blocks = dict(zip(METHODS, re.split(r"\n\s*\n", output), strict=False))
        for method, block in blocks.items():
            assert block.split()[0] == method
            assert METHODS[method].paper in block
            words = {word.partition("=")[0] for word in block.split()}
            assert {key.rpartition(".")[2] for key in effective(METHODS[method])} <= words
            assert not {key.rpartition(".")[2] for key in changed(METHODS[method]) - effective(METHODS[method])} & words
            assert set(PARTS) <= words

    @pytest.mark.parametrize("method", METHODS)
    def test_one_method_is_shown_with_the_settings_that_count_and_no_others(self, method):
        output = run("methods", method, columns=100).output
        assert max(map(cell_len, output.splitlines())) <= 100
        without = {key for key, _ in idle(METHODS[method], PARTS)}
        section, shown = "", {}
        for line in output.splitlines():
            if line in PARTS:
                section = line
            elif section and re.match(r"  \w+  +\S", line):
                key, value = line.split()[:2]
                shown[f"{section}.{key}"] = yaml.safe_load(value)
        row = METHODS[method].model_dump(mode="json")
        expected = {f"{part}.{key}": value for part in PARTS for key, value in row[part].items()}
        assert shown == {key: value for key, value in expected.items() if key not in without}

    def test_an_unknown_one_gets_the_message_of_a_configuration(self):
        result = run("methods", "gpro")
        with pytest.raises(UserError) as refused:
            resolve({"method": "gpro"})
        assert (result.exit_code, result.stderr) == (2, f"aepo: {refused.value}\n")
        assert "did you mean grpo?" in result.stderr
