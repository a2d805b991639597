"""No switch is dead: changing a field of a method changes what is explored or learned, or is refused with the reason.

What is compared are trees and weights (tests/switchboard.py), never the configuration itself.
"""

import pytest

from aepo.algorithms.conditions import conditions
from aepo.algorithms.methods import METHODS, PARTS
from aepo.config import Config, resolve
from aepo.errors import UserError
from tests.switchboard import OTHERS, explored, learned

AND = [
    (
        "grpo-entropy",
        {"regulariser.adaptive": True, "regulariser.target": 5.0},
        ("regulariser.target", "regulariser.adaptation", "regulariser.limit"),
    ),
    (
        "gigpo",
        {"exploration.branching": True},
        (
            "exploration.initial",
            "exploration.gamma",
            "advantage.step_weight",
            "advantage.discount",
            "advantage.sharing",
        ),
    ),
    ("cispo", {"regulariser.function": "auxiliary"}, ("surrogate.clip_high",)),
]
"""Methods, settings beside their own, and fields that count with them and not otherwise, or count differently."""

EVERY_FIELD = [f"{part}.{name}" for part in PARTS for name in Config.model_fields[part].annotation.model_fields]


GIVEN = {
    "exploration.streak": {"exploration.penalty": 0.3},
    "exploration.streak_of": {"exploration.penalty": 0.3},
}
"""Field → settings with which it shows in a few trees."""


def configured(method, settings):
    """A method with settings and a small budget."""
    tree = {"method": method, "exploration": {"k": 6}}
    for key, value in settings.items():
        part, name = key.split(".")
        tree.setdefault(part, {})[name] = value
    return resolve(tree)


def changed(config, key):
    """A setting that gives a field another value."""
    part, name = key.split(".")
    mine = getattr(getattr(config, part), name)
    usual = Config.model_fields[part].annotation.model_fields[name].default
    choices = [value for value in OTHERS[key] if value != mine]
    return {key: next((value for value in choices if value != usual), choices[0])}


def missing(config, key):
    """The first condition of a field that does not hold."""
    part, name = key.split(".")
    return next((only for only in conditions(type(getattr(config, part)), name) if not only.holds(config)), None)


def test_every_field_has_another_value():
    assert list(OTHERS) == EVERY_FIELD


def test_every_field_counts_somewhere():
    everywhere = [configured(method, {}) for method in METHODS]
    everywhere += [configured(method, settings) for method, settings, _ in AND]
    assert [key for key in EVERY_FIELD if all(missing(config, key) for config in everywhere)] == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", EVERY_FIELD)
def test_it_changes_what_happens_or_is_refused(method, key):
    config = configured(method, {})
    if (only := missing(config, key)) is None:
        given = GIVEN.get(key, {})
        assert is_different(configured(method, given), configured(method, given | changed(config, key)), key)
    else:
        with pytest.raises(UserError) as refusal:
            configured(method, changed(config, key))
        assert f"{key} = " in str(refusal.value)
        assert f"has no effect: it counts only where {only.where}" in str(refusal.value)


@pytest.mark.parametrize(
    ("method", "settings", "key"),
    [(method, settings, key) for method, settings, found in AND for key in found],
)
def test_it_changes_what_happens_in_company(method, settings, key):
    config = configured(method, settings)
    assert is_different(config, configured(method, settings | changed(config, key)), key)


def is_different(one, two, key):
    """Whether other trees are learned from, or other weights learned; the likelier first, for it is enough."""
    observations = [trees, weights] if key.startswith("exploration.") else [weights, trees]
    return any(observe(one) != observe(two) for observe in observations)


def trees(config):
    return explored(config.exploration, config.regulariser)


def weights(config):
    return learned(config.advantage, config.surrogate, config.regulariser)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_seen_is_no_accident(method):
    """The same parts show the same when they are looked at again."""
    config = configured(method, {})
    assert explored.__wrapped__(config.exploration, config.regulariser) == trees(config)
    assert learned.__wrapped__(config.advantage, config.surrogate, config.regulariser) == weights(config)
