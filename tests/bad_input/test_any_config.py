"""Whatever a configuration holds, it is a configuration or one message of bounded length, and never anything else."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from aepo.config import Config, load_config, resolve, to_yaml
from aepo.errors import UserError
from components.runtime import read_config
from tests.bad_input import strategies

FEW, MANY = 150, 4000
LONGEST = 1500


def properties(body, strategy):
    """A quick test of a property, and a slow one with many more examples."""
    quick, long = (settings(max_examples=count)(given(strategy)(body)) for count in (FEW, MANY))
    return quick, pytest.mark.slow(long)


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """A folder to work in, for hypothesis does not like one per test."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("configs")
        patch.chdir(folder)
        yield folder


def made(make, *arguments):
    """The configuration; None where it was refused, with a message that can be read."""
    try:
        config = make(*arguments)
    except UserError as error:
        message = str(error)
    else:
        assert isinstance(config, Config)
        return config
    assert 10 < len(message) < LONGEST
    return None


def assert_reads_back(config):
    """What it is written as, in YAML and JSON, is the same configuration."""
    if config is not None:
        Path("again.yaml").write_text(to_yaml(config), encoding="utf-8")
        assert load_config("again.yaml") == config
        assert read_config(config.model_dump_json()) == config


def any_tree(tree):
    assert_reads_back(made(resolve, tree))


def any_file(content):
    Path("mine.yaml").write_bytes(content)
    assert_reads_back(made(load_config, "mine.yaml"))


def any_setting(setting):
    assert_reads_back(made(load_config, "tiny", [setting]))


def any_parameter(tree):
    try:
        text = json.dumps(tree)
    except (ValueError, TypeError):  # a number too long to be written
        text = repr(tree)
    made(read_config, text)


def any_name(name):
    made(load_config, name)


test_trees, test_trees_at_length = properties(any_tree, strategies.trees)
test_changed_presets, test_changed_presets_at_length = properties(any_tree, strategies.changed_presets())
test_files, test_files_at_length = properties(any_file, strategies.files)
test_settings, test_settings_at_length = properties(any_setting, strategies.settings_texts)
test_parameters, test_parameters_at_length = properties(any_parameter, strategies.trees)
test_names, test_names_at_length = properties(any_name, strategies.texts)


def test_a_home_that_no_name_can_have():
    with pytest.raises(UserError, match="home is not known"):
        load_config("~\ud800")


@pytest.mark.parametrize("key", ["seed", "exploration", "model", "no such key", "method"])
def test_a_number_that_cannot_even_be_written_out(key):
    for huge in (10**5000, -(10**5000), [10**5000], {"k": 10**5000}):
        assert made(resolve, {key: huge}) is None


def test_some_of_the_random_configurations_are_valid():
    """Else nothing would be known about those that pass."""
    found = []

    @settings(max_examples=FEW, database=None, derandomize=True)
    @given(strategies.changed_presets())
    def look(tree):
        found.append(made(resolve, tree))

    look()
    assert 5 < sum(config is not None for config in found) < len(found) - 5
