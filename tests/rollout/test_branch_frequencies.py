"""How often trajectories branch, against the closed forms of algorithms.md, 1.2 and 3.6.

The forms are written out here, not taken from the code; frequencies have to lie within 4.5 binomial deviations.
"""

import itertools
from collections import Counter

import pytest

from aepo import keys
from aepo.algorithms.branching import branch_probability
from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Exploration
from aepo.rollout import decisions
from aepo.rollout.decisions import Decisions
from aepo.rollout.growing import Node, Path
from tests.rollout.scripted import Script, calls_then_answers, depth, grow

AEPO = METHODS["aepo"].exploration
ARPO = METHODS["arpo"].exploration
DRAWS = 20_000
CROWD = 100
INITIAL, SCALE = 0.7, 0.25


def aepo_form(delta, streak, penalty=0.05):
    """Pr[α ≥ τ/(1 − P̂(l)) − γ·ΔH] for uniform α."""
    damping = 1 - min(1, penalty * streak)
    return min(1, max(0, 1 - 0.5 / damping + 0.2 * delta)) if damping else 0


def arpo_form(delta):
    return min(1, max(0, 0.5 + 0.2 * delta))


def frequency(rule, delta, streak, draws=DRAWS):
    """Share of `draws` decisions that branch, of trajectories with this ΔH and l."""
    rows = Decisions(rule, ("test", delta, streak), SCALE)
    root = Node(None, "prompt", (), "")
    crowd = [Path(index, 0, root, ()) for index in range(CROWD)]
    branched = 0
    for place in range(1, draws // CROWD + 1):
        for path in crowd:
            path.streak = streak
            path.heads[place] = INITIAL + delta * SCALE
        branched += len(rows.at(place, crowd, {0: INITIAL}, left=CROWD))
    return branched / draws


def within_bounds(found, expected, draws=DRAWS, sigmas=4.5):
    return abs(found - expected) <= sigmas * (expected * (1 - expected) / draws) ** 0.5


@pytest.mark.parametrize("delta", [-1.5, 0.0, 2.0])
@pytest.mark.parametrize("streak", range(11))
def test_aepo_follows_its_closed_form(streak, delta):
    assert within_bounds(frequency(AEPO, delta, streak), aepo_form(delta, streak))


def test_the_closed_form_is_that_of_the_specification():
    spec = {0: 0.5, 1: 0.474, 2: 0.444, 3: 0.412, 4: 0.375, 5: 0.333, 6: 0.286, 8: 0.167, 10: 0.0}
    for streak, expected in spec.items():
        assert aepo_form(0, streak) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("streak", [0, 7])
@pytest.mark.parametrize("delta", [-3.0, -2.5, -1.0, 0.0, 0.5, 2.0, 2.5, 4.0])
def test_arpo_follows_its_closed_form_whatever_the_streak(delta, streak):
    assert within_bounds(frequency(ARPO, delta, streak), arpo_form(delta))


@pytest.mark.parametrize(("penalty", "streak"), [(0.25, 1), (0.25, 2), (1.0, 1)])
def test_a_penalty_of_its_own(penalty, streak):
    rule = AEPO.model_copy(update={"penalty": penalty})
    assert within_bounds(frequency(rule, 0.5, streak), aepo_form(0.5, streak, penalty))


def test_a_constant_alpha_leaves_nothing_to_chance():
    for alpha, delta, expected in [(0.4, 0.25, 0.0), (0.4, 0.75, 1.0), (0.6, -0.25, 1.0), (0.6, -0.75, 0.0)]:
        assert frequency(AEPO.model_copy(update={"alpha": alpha}), delta, 0, draws=CROWD) == expected


class TestInTheExplorer:
    """The same through whole trees, with the streaks that arise there."""

    @pytest.fixture
    def seen(self, monkeypatch):
        counts = {True: Counter(), False: Counter()}

        def spy(delta, streak, **options):
            probability = branch_probability(delta, streak, **options)
            counts[probability >= 0.5][round(delta, 6), streak] += 1
            return probability

        monkeypatch.setattr(decisions, "branch_probability", spy)
        return counts

    def grow(self, rule, trees):
        def entropy(prefix, key):
            return INITIAL + SCALE * (keys.digest("entropy", *key) % 3 - 1) * (depth(prefix) > 0)

        for tree in range(trees):
            script = Script(calls_then_answers(4), entropy=entropy)
            grow(script, rule, k=300, m=60, tool_scale=SCALE, prompt=f"p{tree}")

    @pytest.mark.parametrize(
        ("rule", "form", "trees"),
        [
            (AEPO.model_copy(update={"penalty": 0.2}), lambda delta, streak: aepo_form(delta, streak, 0.2), 46),
            (ARPO, lambda delta, streak: arpo_form(delta), 12),
        ],
        ids=["aepo", "arpo"],
    )
    def test_every_pair_of_entropy_and_streak_has_its_share(self, seen, rule, form, trees):
        self.grow(rule, trees)
        asked = seen[True] + seen[False]
        assert asked.total() >= DRAWS * trees / 46
        assert {(-1.0, 0), (0.0, 0), (1.0, 0), (0.0, 1), (1.0, 2), (1.0, 3)} <= set(asked)
        for pair, draws in asked.items():
            assert within_bounds(seen[True][pair] / draws, form(*pair), draws), pair


def test_one_draw_per_decision():
    """The draws of neighbours in a tree are not the same, and not opposite either."""
    rule = Exploration(branching=True, gamma=0.0, penalty=0.0)
    heads = dict.fromkeys(range(200), 1.0)
    root = Node(None, "prompt", (), "")
    crowd = [Path(index, index, root, (), heads=dict(heads)) for index in range(100)]
    rows = Decisions(rule, ("test",), 1.0)
    wants = []
    for place in range(1, 200):
        parents = {path.index for path in rows.at(place, crowd, {path.family: 1.0 for path in crowd}, left=100)}
        wants.append([path.index in parents for path in crowd])
    sideways = sum(a == b for row in wants for a, b in itertools.pairwise(row))
    downwards = sum(a == b for row, below in itertools.pairwise(wants) for a, b in zip(row, below, strict=True))
    assert within_bounds(sideways / (199 * 99), 0.5, 199 * 99)
    assert within_bounds(downwards / (198 * 100), 0.5, 198 * 100)
