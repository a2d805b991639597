"""Configurations: layers, names, round trips."""

import json
import re

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
        config = load_config(name, [f"method={method}", "environment.max_tool_calls=8"])
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
        named = re.escape(f"Presets: {', '.join(presets())}.")
        with pytest.raises(UserError, match=rf"config mine\.yaml: there is no such file .*{named}"):
            load_config("mine.yaml")

    def test_graded_rewards_need_a_word_on_what_is_positive(self):
        graded = ["method=aepo-arbitrary", "environment.tool_bonus=true"]
        with pytest.raises(UserError, match=r"regulariser.positive_threshold must say"):
            load_config(None, graded)
        assert load_config(None, [*graded, "regulariser.positive_threshold=0.5"])
        assert load_config(None, [*graded, "regulariser.positive=advantage"])

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                "method=grpo regulariser.target=0.3",
                "regulariser.target = 0.3 .* regulariser.function is auxiliary with",
            ),
            ("method=grpo regulariser.coefficient=0.3", "only where regulariser.function is not none"),
            (
                "method=grpo advantage.sharing=hard",
                "advantage.sharing = 'hard' .* only where exploration.branching is true",
            ),
            ("method=grpo exploration.gamma=0.5", "only where exploration.branching is true"),
            ("method=grpo exploration.draws=3", "only where exploration.dynamic_sampling is true"),
            ("method=grpo advantage.step_weight=0.5", "only where advantage.estimator is gigpo"),
            ("method=grpo advantage.entropy_from=current", "only where advantage.entropy_weight is above 0"),
            ("method=grpo advantage.overlong_tokens=50", "only where advantage.overlong_factor is above 0"),
            ("method=grpo surrogate.cap=3", "surrogate.cap = 3.0 .* only where surrogate.function is cispo"),
            (
                "method=reinforce++ advantage.normalise_std=false",
                "only where advantage.estimator is group_relative or gigpo",
            ),
            ("method=cispo surrogate.clip_high=0.3", "only where surrogate.function is not cispo, or"),
            ("method=cispo surrogate.dual_clip=2", "only where surrogate.function is not cispo"),
            ("method=cispo surrogate.floor=6", "surrogate.floor is above surrogate.cap"),
            ("method=grpo-entropy regulariser.limit=0.5", "and regulariser.adaptive is true"),
            ("method=grpo-entropy regulariser.rule=none", "only where regulariser.function is auxiliary"),
            ("method=aepo-arbitrary regulariser.rule=none regulariser.high=2", "and regulariser.rule is not none"),
            (
                "method=aepo-arbitrary regulariser.positive=all regulariser.positive_threshold=1",
                "regulariser.positive is reward",
            ),
            ("method=aepo exploration.penalty=0 exploration.streak=high_entropy", "exploration.penalty is above 0"),
            (
                "method=aepo exploration.branching=false advantage.sharing=hard",
                "only where exploration.branching is true",
            ),
            ("method=aepo exploration.initial=0.25", "only where .*exploration.budget is fixed"),
            ("method=grpo exploration.budget=entropy", "only where exploration.branching is true"),
            ("method=grpo training.loss_weighting=inverse_branching", "only where exploration.branching is true"),
            ("training.importance=off training.importance_cap=3", "only where training.importance is not off"),
            ("method=dapo exploration.k=1", "one trajectory differs from none"),
            ("method=grpo exploration.k=1", "compares a prompt's trajectories with each other"),
            ("method=arpo environment.max_tool_calls=0", "trajectories branch after tool results only"),
            ("exploration.gamma=0 exploration.entropy_turn=before", "only where .*exploration.gamma is above 0"),
            ("method=aepo-official rollout.top_logprobs=9", "made from the 10 most likely tokens"),
            ("method=dapo advantage.overlong_tokens=1000", "beyond rollout.context = 96"),
            ("method=aepo-arbitrary regulariser.positive_threshold=0", "greater than 0"),
            (
                "method=aepo exploration.budget=fixed exploration.initial=0.95",
                "exploration.initial = 0.95 makes all 8 trajectories global .* lower it, or set",
            ),
        ],
    )
    def test_settings_that_make_no_sense_together_are_refused_with_the_reason(self, settings, message):
        with pytest.raises(UserError, match=message):
            load_config("quickstart", settings.split())

    @pytest.mark.parametrize(
        "settings",
        [
            "method=grpo exploration.gamma=0.2 regulariser.target=0.5",
            "method=aepo-official exploration.branching=false",
            "method=grpo-entropy regulariser.function=none",
            "method=dapo surrogate.function=cispo",
            "method=grpo exploration.branching=true",
            "method=aepo exploration.budget=fixed",
            "method=aepo exploration.initial=0.5",
            "method=grpo exploration.branching=true exploration.budget=entropy",
            "method=reinforce++ exploration.branching=true exploration.k=1",
            "method=aepo-official rollout.top_logprobs=10",
            "method=aepo-official exploration.branching=false rollout.top_logprobs=5",
        ],
        ids=str,
    )
    def test_what_is_left_as_it_is_may_be_idle(self, settings):
        """A default that is written out, and what the method itself had set, are no contradiction."""
        assert load_config("quickstart", settings.split())

    @pytest.mark.parametrize("setting", ["exploration.branching=true", "advantage.entropy_weight=0.2"])
    def test_what_is_set_beside_a_method_counts_in_any_order(self, setting):
        one, other = (load_config("tiny", order) for order in (["method=grpo", setting], [setting, "method=grpo"]))
        assert one == other != load_config("tiny", ["method=grpo"])

    def test_several_mistakes_are_told_at_once(self):
        with pytest.raises(UserError) as caught:
            load_config(None, ["exploration.k=0", "training.epochs=0"])
        assert len(str(caught.value).splitlines()) == 2

    def test_a_configuration_cannot_be_changed_in_place(self):
        with pytest.raises(ValueError, match="frozen"):
            Config().seed = 1
