"""The table of methods: data that validates, names what exists, and loads without heavy libraries."""

import inspect
import subprocess
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from aepo.algorithms import methods
from aepo.algorithms.conditions import idle
from aepo.algorithms.methods import METHODS, PARTS, Method
from aepo.algorithms.parts import Advantage, Exploration, Regulariser, Surrogate
from aepo.algorithms.surrogates import SURROGATES


class TestRows:
    def test_no_row_is_lost_to_a_repeated_id(self):
        assert [row.id for row in methods._ROWS] == list(METHODS)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_row_survives_a_round_trip_through_its_own_data(self, method):
        row = METHODS[method]
        assert Method.model_validate(row.model_dump(mode="json")) == row
        assert row.id == method
        assert row.paper.startswith("arXiv ")

    def test_each_row_switches_on_what_its_paper_adds(self):
        """The difference to plain GRPO is the method."""
        balanced = {
            "exploration": {"budget": "entropy", "branching": True},
            "advantage": {"entropy_weight": 0.2},
            "surrogate": {"function": "entropy_balanced_clip"},
        }
        steered = {"regulariser": {"function": "auxiliary"}}
        official = _difference("aepo-official")
        assert set(official["exploration"]) >= {"beta", "statistic", "entropy_scale", "streak_of", "entropy_turn"}
        assert official["surrogate"] == balanced["surrogate"]
        assert "advantage" not in official  # its scripts leave the entropy-aware term out
        assert {name: _difference(name) for name in METHODS if name != "aepo-official"} == {
            "aepo": balanced,
            "aepo-arbitrary": steered,
            "aepo-unified": balanced | steered,
            "grpo": {},
            "grpo-entropy": {"regulariser": {"function": "entropy", "coefficient": 1e-3, "target": 0.2}},
            "reinforce++": {"advantage": {"estimator": "reinforce_plus_plus"}},
            "reinforce++-baseline": {"advantage": {"estimator": "reinforce_plus_plus_baseline"}},
            "dapo": {
                "exploration": {"dynamic_sampling": True},
                "advantage": {"overlong_factor": 1.0},
                "surrogate": {"clip_high": 0.28},
            },
            "cispo": {"surrogate": {"function": "cispo"}},
            "gppo": {"surrogate": {"function": "gppo"}},
            "arpo": {"exploration": {"branching": True, "penalty": 0.0}},
            "gigpo": {"advantage": {"estimator": "gigpo", "normalise_std": False}},
        }

    @pytest.mark.parametrize("method", METHODS)
    def test_nothing_that_a_row_sets_is_without_effect(self, method):
        set_here = {f"{part}.{name}" for part, its in _difference(method).items() for name in its}
        idling = {name: only.where for name, only in idle(METHODS[method], PARTS)}
        # The fixed target of a bonus that does not adapt is where its adaptive form starts from.
        assert {name for name in set_here if name in idling} <= {"regulariser.target"}

    @pytest.mark.parametrize(
        ("part", "published"),
        [
            (
                Exploration(),
                {"k": 16, "gamma": 0.2, "threshold": 0.5, "penalty": 0.05, "children": 1, "beta": 1.0},
            ),
            (Surrogate(), {"clip_low": 0.2, "clip_high": 0.2, "dual_clip": 3.0, "cap": 5.0, "floor": None}),
            (Advantage(), {"step_weight": 1.0, "discount": 0.95, "sharing": "soft", "overlong_buffer": 0.2}),
            (Regulariser(), {"coefficient": 1 / 64, "share": 0.25, "target": 0.5, "low": 0.8, "high": 1.2}),
            (Regulariser(), {"adaptation": 0.005, "limit": 1.0, "kl": 0.0, "adaptive": False}),
        ],
    )
    def test_defaults_are_the_documented_ones(self, part, published):
        assert part.model_dump(include=set(published)) == published


class TestParts:
    def test_every_surrogate_of_the_table_exists_and_takes_its_settings(self):
        choices = get_args(Surrogate.model_fields["function"].annotation)
        assert set(choices) == set(SURROGATES)
        for name, function in SURROGATES.items():
            keywords = {
                name
                for name, parameter in inspect.signature(function).parameters.items()
                if parameter.kind is inspect.Parameter.KEYWORD_ONLY
            }
            assert keywords == ({"cap", "floor"} if name == "cispo" else {"clip_low", "clip_high", "dual_clip"})

    @pytest.mark.parametrize("part", [Exploration, Advantage, Surrogate, Regulariser])
    def test_every_field_says_what_it_does(self, part):
        assert [name for name, field in part.model_fields.items() if not field.description] == []

    @pytest.mark.parametrize(
        ("part", "setting"),
        [
            (Exploration, {"k": 0}),
            (Exploration, {"alpha": 1.5}),
            (Exploration, {"initial": 0.0}),
            (Exploration, {"streak": "other"}),
            (Exploration, {"gama": 0.2}),
            (Advantage, {"entropy_weight": -0.1}),
            (Advantage, {"entropy_weight": float("nan")}),
            (Surrogate, {"clip_low": 1.0}),
            (Surrogate, {"dual_clip": 1.0}),
            (Surrogate, {"function": "cispo3"}),
            (Surrogate, {"cap": 0.0}),
            (Surrogate, {"floor": 1.5, "cap": 1.2}),
            (Advantage, {"estimator": "gae"}),
            (Advantage, {"discount": 1.1}),
            (Advantage, {"overlong_buffer": 0.0}),
            (Exploration, {"overdraw": 0.5}),
            (Regulariser, {"coefficient": float("inf")}),
            (Regulariser, {"low": 0.0}),
            (Regulariser, {"low": 1.3, "high": 1.2}),
            (Regulariser, {"kl": -0.1}),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, part, setting):
        with pytest.raises(ValidationError, match=next(iter(setting))):
            part(**setting)

    def test_a_row_cannot_be_changed_in_passing(self):
        with pytest.raises(ValidationError, match="frozen"):
            METHODS["aepo"].surrogate.clip_high = 0.3


class TestImports:
    @pytest.mark.parametrize(
        "modules",
        [
            "aepo",
            "aepo.algorithms.methods, aepo.algorithms.budget, aepo.algorithms.branching",
            "aepo.trajectories, aepo.keys, aepo.artifacts, aepo.storage",
        ],
    )
    def test_light_modules_stay_light(self, modules):
        program = f"import sys, {modules}; print(*sorted({{'torch', 'kfp', 'transformers'}} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ""


def _difference(method):
    row, plain = (
        METHODS[method].model_dump(include=set(PARTS)),
        Method(id="", title="", paper="").model_dump(),
    )
    changed = {
        part: {name: value for name, value in settings.items() if value != plain[part][name]}
        for part, settings in row.items()
    }
    return {part: settings for part, settings in changed.items() if settings}
