"""Environments by name: ours, one of the user's own, and names that are wrong."""

import textwrap

import pytest

from aepo.config import load_config
from aepo.environments.base import Environment
from aepo.environments.registry import environment_class
from aepo.environments.settings import OURS, EnvironmentSettings
from aepo.errors import UserError
from aepo.stages.workplace import make_environment

SUMS = """
from aepo.environments.base import Prompt
from aepo.environments.text_task import TextTask
from aepo.scoring.base import Score


class Sums(TextTask):
    name = "sums"
    usual_tools = ("calculator",)

    def prompts(self, split):
        for n in range(self._settings.options["largest"]):
            yield Prompt(f"{split}-{n}", self.protocol.prompt(f"What is {n} + {n}?"), (str(2 * n),))

    def score(self, prompt, trajectory):
        return Score.of(float(trajectory.answer == prompt.references[0]))


class Nothing:
    pass


class Stubborn(Sums):
    def __init__(self):
        pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_tasks.py").write_text(textwrap.dedent(SUMS))
    monkeypatch.syspath_prepend(tmp_path)


def test_ours_are_environments():
    for name in OURS:
        kind = environment_class(name)
        assert kind.name == name


def test_one_of_the_user_s_own(own):
    config = load_config("tiny", ["environment.name=own_tasks:Sums", "environment.options={largest: 3}"])
    place = make_environment(config)
    assert isinstance(place, Environment)
    assert list(place.tools) == ["calculator"]
    assert [prompt.references for prompt in place.prompts("train")] == [("0",), ("2",), ("4",)]
    assert "<calculator>" in next(place.prompts("train")).text


def test_it_may_be_given_other_tools_or_none(own):
    settings = ["environment.name=own_tasks:Sums", "environment.options={largest: 3}"]
    assert list(make_environment(load_config("tiny", [*settings, "environment.tools=[python]"])).tools) == ["python"]
    assert make_environment(load_config("tiny", [*settings, "environment.tools=[]"])).tools == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Sums", "No module named 'no_such_module'"),
        ("own_tasks:Products", "has no attribute 'Products'"),
        ("own_tasks:Nothing", "is no environment: it has no usual_tools"),
    ],
)
def test_what_cannot_be_found_is_named(own, name, message):
    with pytest.raises(UserError, match=message):
        environment_class(name)


def test_what_its_module_raises_is_told(tmp_path, monkeypatch):
    (tmp_path / "torn_tasks.py").write_text("class Sums(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"torn_tasks:Sums: invalid syntax \(torn_tasks"):
        environment_class("torn_tasks:Sums")


def test_what_its_class_raises_is_told(own):
    with pytest.raises(UserError, match=r"own_tasks:Stubborn cannot be made: .*takes 1 positional"):
        make_environment(load_config("tiny", ["environment.name=own_tasks:Stubborn"]))


@pytest.mark.parametrize("name", ["", "maths", "own tasks:Sums", "own_tasks:", ":Sums", "a..b:C"])
def test_a_name_that_cannot_be_one_is_refused(name):
    with pytest.raises(ValueError, match=r"is none of lookup, math, qa, gym, and no module:Class"):
        EnvironmentSettings(name=name, source="x")
