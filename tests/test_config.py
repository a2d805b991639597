"""Configurations: layers, names, round trips."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aepo.algorithms.methods import METHODS, PARTS
from aepo.config import Config, load_config, presets, resolve, to_yaml
from aepo.errors import UserError


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return str(path)

    return write


class TestLayers:
    def test_the_method_fills_what_nobody_sets(self):
        config = resolve({"method": "aepo"})
        assert {part: getattr(config, part) for part in PARTS} == {
            part: getattr(METHODS["aepo"], part) for part in PARTS
        }

    def test_the_preset_beats_the_method(self):
        assert METHODS["aepo"].exploration.k != 8
        assert load_config("quickstart").exploration.k == 8
        assert load_config("quickstart").exploration.budget == METHODS["aepo"].exploration.budget

    def test_the_file_beats_the_preset_it_names(self, file):
        config = load_config(file("preset: quickstart\nexploration: {k: 6}\n"))
        assert config.exploration.k == 6
        assert config.rollout.prompts == load_config("quickstart").rollout.prompts

    def test_a_setting_beats_the_file_and_the_last_setting_wins(self, file):
        source = file("preset: quickstart\nexploration: {k: 6}\n")
        assert load_config(source, ["exploration.k=5"]).exploration.k == 5
        assert load_config(source, ["exploration.k=5", "exploration.k=4"]).exploration.k == 4

    def test_nothing_named_is_the_quickstart(self):
        assert load_config() == load_config("quickstart")

    def test_another_method_brings_its_own_parts_and_leaves_the_rest(self):
        ours, other = load_config("quickstart"), load_config("quickstart", ["method=aepo-arbitrary"])
        assert (ours.surrogate.function, other.surrogate.function) == ("entropy_balanced_clip", "ppo_clip")
        assert (ours.regulariser.function, other.regulariser.function) == ("none", "auxiliary")
        assert other.exploration.k == ours.exploration.k == 8
        assert other.training == ours.training

    def test_another_method_over_a_full_configuration_is_that_method(self, file):
        """What a full configuration repeats of its method's row goes with the method; what it changed stays."""
        full = file(to_yaml(load_config("quickstart", ["surrogate.clip_high=0.3"])))
        switched = load_config(full, ["method=grpo"])
        grpo = METHODS["grpo"]
        assert switched.advantage == grpo.advantage
        assert switched.regulariser == grpo.regulariser
        assert switched.exploration == grpo.exploration.model_copy(update={"k": 8})
        assert switched.surrogate == grpo.surrogate.model_copy(update={"clip_high": 0.3})

    @pytest.mark.parametrize(
        ("key", "word"), [("training.importance", "off"), ("run", "2026-01-02"), ("run", "no"), ("run", "trueness")]
    )
    def test_words_that_old_yaml_takes_for_something_else_are_words(self, key, word, file):
        section, name = key.split(".") if "." in key else (None, key)
        written = file(f"{section}: {{{name}: {word}}}\n" if section else f"{name}: {word}\n")
        for config in (load_config(None, [f"{key}={word}"]), load_config(written)):
            assert getattr(getattr(config, section) if section else config, name) == word

    @pytest.mark.parametrize(("word", "value"), [("true", True), ("yes", True), ("False", False), ("off", False)])
    def test_a_switch_takes_the_words_for_a_switch(self, word, value):
        assert load_config(None, [f"exploration.branching={word}"]).exploration.branching is value

    def test_one_mechanism_can_be_switched_alone(self):
        ours, other = load_config(), load_config(None, ["exploration.branching=false"])
        assert not other.exploration.branching
        assert other.model_copy(update={"exploration": ours.exploration}) == ours


class TestRoundTrips:
    @pytest.mark.parametrize("name", presets())
    @pytest.mark.parametrize("method", METHODS)
    def test_every_preset_resolves_with_every_method_and_reads_back(self, name, method, file):
        config = load_config(name, [f"method={method}"])
        assert resolve(json.loads(config.model_dump_json())) == config
        assert load_config(file(to_yaml(config))) == config
        assert config.total_steps == config.training.iterations * (1 + config.training.online_steps)

    @given(st.floats(1e-8, 1, allow_nan=False), st.integers(0, 2**63 - 1))
    def test_numbers_keep_every_digit(self, rate, seed):
        config = resolve({"seed": seed, "training": {"learning_rate": rate}})
        for back in (json.loads(config.model_dump_json()), yaml.safe_load(to_yaml(config))):
            again = resolve(back)
            assert (again.seed, again.training.learning_rate) == (seed, rate)


class TestMistakes:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("exploration.brnching=true", "exploration.brnching is unknown; did you mean branching?"),
            ("trainign.epochs=1", "trainign is unknown; did you mean training?"),
            ("method=gpro", "'gpro' is unknown; did you mean grpo?"),
            ("exploration.k=many", "exploration.k: .*integer.* 'many'"),
            ("exploration.k=0", "exploration.k: .*greater than or equal to 1.* 0"),
            ("rollout.engine=sglang", "rollout.engine: .*'transformers'.*'sglang'"),
            ("training=fast", "training is a section with the keys"),
            ("run=../up", "run: .*pattern"),
            ("rollout.slots=4", "rollout.slots is 4, fewer than exploration.k = 8"),
            ("evaluation.samples=193", "rollout.slots is 192, fewer than evaluation.samples = 193"),
            ("method=[aepo]", "unknown"),
            ("rollout.top_p=0.9", "training.importance"),
            ("regulariser.low=2", "regulariser.low is above regulariser.high"),
            ("model.heads=5", "multiple of 2"),
            ("noequals", "write it as a.b=value"),
            ("=3", "write it as a.b=value"),
            ("seed=[", "quote it"),
        ],
    )
    def test_a_setting_that_cannot_be_used_is_explained(self, setting, message):
        with pytest.raises(UserError, match=message):
            load_config("quickstart", [setting])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("- a list\n", "must be a mapping"),
            ("a: [\n", "no valid YAML"),
            ("preset: quick\n", "config quick: there is no such file and no such preset"),
            ("training:\n", "training is a section"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_explained(self, text, message, file):
        with pytest.raises(UserError, match=message):
            load_config(file(text))

    def test_a_missing_file_is_named_and_the_presets_too(self):
        with pytest.raises(UserError, match=r"config mine\.yaml: there is no such file .* Presets: quickstart, tiny"):
            load_config("mine.yaml")

    def test_graded_rewards_need_a_word_on_what_is_positive(self):
        graded = ["method=aepo-arbitrary", "environment.tool_bonus=true"]
        with pytest.raises(UserError, match=r"regulariser.positive_threshold must say"):
            load_config(None, graded)
        assert load_config(None, [*graded, "regulariser.positive_threshold=0.5"])
        assert load_config(None, [*graded, "regulariser.positive=advantage"])

    def test_several_mistakes_are_told_at_once(self):
        with pytest.raises(UserError) as caught:
            load_config(None, ["exploration.k=0", "training.epochs=0"])
        assert len(str(caught.value).splitlines()) == 2

    def test_a_configuration_cannot_be_changed_in_place(self):
        with pytest.raises(ValueError, match="frozen"):
            Config().seed = 1
