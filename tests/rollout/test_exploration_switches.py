"""Every switch of the exploration does what its description says, and nothing else has to be changed for it."""

import asyncio

import pytest

from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Exploration
from aepo.environments.base import Prompt
from aepo.rollout.batch import rollout
from aepo.rollout.plan import BatchPlan, PromptPlan, Scales
from tests.rollout.scripted import Script, calls_then_answers, depth, grow, task

ALWAYS = Exploration(branching=True, alpha=1.0, gamma=0.0, penalty=0.0)
BY_ENTROPY = Exploration(branching=True, alpha=0.0, gamma=1.0, penalty=0.0, threshold=0.5)
OFFICIAL = METHODS["aepo-official"].exploration


def switched(rule, **changes):
    return Exploration(**(rule.model_dump() | changes))


def owners(tree):
    """Trajectory → segments that no earlier one goes through."""
    seen, found = {0}, []
    for path in tree.paths():
        found.append([segment for segment in path if segment not in seen])
        seen.update(path)
    return found


def branches(tree):
    """Per trajectory, the depths at which it branched, once per child."""
    return [
        [tree.depth(segment) for segment in own for _ in tree.children[segment][1:]] if own else []
        for own in owners(tree)
    ]


class TestHandOut:
    """Root 0 branches after its first result; after the second, everyone wants the one place that is left."""

    def grow(self, **changes):
        def entropy(prefix, key):
            return float(depth(prefix) == 2 or (depth(prefix) == 1 and key[4] == 0))

        rule = switched(BY_ENTROPY, **changes)
        return branches(grow(Script(calls_then_answers(2), entropy=entropy), rule, k=4, m=2))

    def test_to_the_family_with_fewest_branches(self):
        assert self.grow() == [[1], [2], [], []]

    def test_to_the_oldest(self):
        assert self.grow(hand_out="oldest") == [[1, 2], [], [], []]

    def test_among_equals_the_keys_decide(self):
        """Of eight equal roots three may branch: not always the same ones, and never by age alone."""
        chosen = set()
        for prompt in range(20):
            tree = grow(Script(calls_then_answers(1)), ALWAYS, k=11, m=8, prompt=f"p{prompt}")
            chosen.add(tuple(index for index, depths in enumerate(branches(tree)) if depths))
        assert all(len(parents) == 3 for parents in chosen)
        assert len(chosen) > 10

    def test_where_there_is_enough_everyone_gets_a_place(self):
        fewest, oldest = (
            grow(Script(calls_then_answers(1)), switched(ALWAYS, hand_out=rule), k=16, m=8)
            for rule in ("fewest", "oldest")
        )
        assert fewest == oldest


class TestRefill:
    def test_together_they_do_not_branch(self):
        tree = grow(Script(calls_then_answers(1)), ALWAYS, k=7, m=1)
        assert branches(tree) == [[1], [], [], [], [], [], []]
        assert tree.roots == 6

    def test_one_by_one_they_may(self):
        tree = grow(Script(calls_then_answers(1)), switched(ALWAYS, refill="one_by_one"), k=7, m=1)
        assert branches(tree) == [[1], [], [1], [], [1], [], []]
        assert tree.roots == 4

    def test_one_by_one_means_that_each_waits_for_the_one_before(self):
        script = Script(calls_then_answers(1), delay=lambda key: 30 - key[4])
        grow(script, switched(ALWAYS, refill="one_by_one"), k=7, m=1)
        order = [key[4] for key in script.log if key[5] == 0]
        assert order == sorted(order)
        last_turn = {key[4]: place for place, key in enumerate(script.log)}
        first_turn = {key[4]: place for place, key in reversed(list(enumerate(script.log)))}
        assert all(first_turn[later] > last_turn[later - 2] for later in (2, 4, 6)), "roots are 0, 2, 4 and 6"

    def test_without_branching_nobody_waits(self):
        script = Script(calls_then_answers(1), delay=lambda key: 1)
        grow(script, switched(ALWAYS, refill="one_by_one"), k=4, m=1, branching=False)
        assert [key[4:] for key in script.log[2:5]] == [(1, 0), (2, 0), (3, 0)]


class TestStreak:
    """With α = τ, whoever has branched just before does not branch again."""

    ONCE = Exploration(branching=True, alpha=0.5, gamma=0.0, penalty=0.05, threshold=0.5)

    def grow(self, calls=2, k=40, m=1, entropy=lambda prefix, key: 1.0, **changes):
        script = Script(calls_then_answers(calls), entropy=entropy)
        return branches(grow(script, switched(self.ONCE, **changes), k=k, m=m))

    def late(self, **changes):
        """Two roots; the second one's ΔH is −1 after its first result, so that it could branch only later."""

        def entropy(prefix, key):
            return 1.0 - float(depth(prefix) == 1 and key[4] == 1)

        return self.grow(m=2, entropy=entropy, gamma=1.0, **changes)[:2]

    def test_a_trajectory_counts_its_own(self):
        assert self.late() == [[1], [2]]

    def test_a_prompt_counts_the_depths_at_which_anyone_branched(self):
        assert self.late(streak_of="prompt") == [[1], []]
        assert self.late(streak_of="prompt", calls=4) == [[1, 3], [3]]

    def test_it_ends_with_a_step_that_does_not_branch(self):
        assert self.grow(calls=4)[0] == [1, 3]

    def test_a_child_inherits_its_parent_s(self):
        """Born at depth 1 with l = 1: no branch at depth 2, one at depth 3."""
        assert self.grow(calls=4)[1] == [3]

    def test_without_a_penalty_it_counts_for_nothing(self):
        assert self.grow(calls=4, penalty=0.0)[0] == [1, 2, 3, 4]

    def test_a_refused_branch_is_none(self):
        """Nine of ten roots get the last places; nobody's decisions are left, and there are k trajectories."""
        assert [len(depths) for depths in self.grow(m=10, k=19, calls=1)].count(1) == 9

    def test_the_other_reading_counts_high_entropy_without_a_branch(self):
        """ΔH = 1 and a score below τ at every step: l grows, and with it the distance to τ."""
        rises = lambda prefix, key: float(depth(prefix) > 0)  # noqa: E731
        rule = {"streak": "high_entropy", "alpha": 0.9, "threshold": 0.85, "penalty": 0.1}
        assert self.grow(calls=4, entropy=rises, **rule)[0] == [1, 2, 3, 4], "who branches never counts"
        low = {**rule, "alpha": 0.8}
        assert self.grow(calls=4, entropy=rises, **low)[0] == []

    @pytest.mark.parametrize(("owner", "found"), [("trajectory", [[], [2]]), ("prompt", [[], []])])
    def test_a_prompt_is_at_high_entropy_when_anyone_is(self, owner, found):
        """ΔH = ±.2 after the first result and .6 after the second, which branches unless l = 1 halves it."""
        after = {0: (1.0, 1.0), 1: (1.2, 0.8), 2: (1.6, 1.6)}
        rule = {"streak": "high_entropy", "streak_of": owner, "alpha": 0.0, "gamma": 1.0, "penalty": 0.5}
        entropy = lambda prefix, key: after[depth(prefix)][min(key[4], 1)]  # noqa: E731
        assert self.grow(m=2, k=3, entropy=entropy, **rule)[:2] == found


class TestScore:
    def test_the_turn_after_the_result(self):
        rises_at_one = lambda prefix, key: float(depth(prefix) == 1)  # noqa: E731
        script = Script(calls_then_answers(3), entropy=rises_at_one)
        assert branches(grow(script, BY_ENTROPY, k=9, m=1))[0] == [1]

    def test_the_turn_before_the_result(self):
        """ΔH of the first result is always 0 there: the turn before it is the root's first."""
        rises_at_one = lambda prefix, key: float(depth(prefix) == 1)  # noqa: E731
        script = Script(calls_then_answers(3), entropy=rises_at_one)
        assert branches(grow(script, switched(BY_ENTROPY, entropy_turn="before"), k=9, m=1))[0] == [2]

    def test_there_a_trajectory_s_own_first_turn_is_what_they_start_from(self):
        """The child, born after a result with H = 1, sees the same H before its next result: no difference."""
        always_up = lambda prefix, key: float(depth(prefix) > 0)  # noqa: E731
        script = Script(calls_then_answers(3), entropy=always_up)
        found = branches(grow(script, switched(BY_ENTROPY, entropy_turn="before"), k=9, m=1))
        assert found[:3] == [[2, 3], [], []]

    @pytest.mark.parametrize(("scale", "found"), [(1.0, [[]]), (0.5, [[1]])])
    def test_differences_are_divided_by_the_scale(self, scale, found):
        script = Script(calls_then_answers(1), entropy=lambda prefix, key: 0.3 * depth(prefix))
        assert branches(grow(script, BY_ENTROPY, k=2, m=1, tool_scale=scale))[:1] == found

    @pytest.mark.parametrize(("scales", "found"), [(Scales(9.0, 0.5), [1]), (Scales(0.5, 9.0), [])])
    def test_in_a_planned_batch_it_is_that_of_tool_results(self, scales, found):
        work = task(Script(calls_then_answers(1), entropy=lambda prefix, key: 0.3 * depth(prefix)), BY_ENTROPY)
        plan = BatchPlan(0, (PromptPlan("p0", k=2, m=1),), scales)
        (tree,) = asyncio.run(rollout(work, work, [Prompt("p0", "?", ())], plan, seed=0))
        assert branches(tree)[0] == found

    def test_the_root_s_own_first_turn_is_what_they_start_from(self):
        """Family 1 starts uncertain, so that the same entropy after a tool says less."""
        script = Script(calls_then_answers(1), entropy=lambda prefix, key: 1.0 if depth(prefix) else float(key[4] == 1))
        assert branches(grow(script, BY_ENTROPY, k=6, m=3))[:3] == [[1], [], [1]]

    @pytest.mark.parametrize(("alpha", "found"), [(0.6, [1]), (0.5, [1]), (0.49, [])])
    def test_a_constant_alpha_against_the_threshold(self, alpha, found):
        rule = switched(ALWAYS, alpha=alpha)
        assert branches(grow(Script(calls_then_answers(1)), rule, k=2, m=1))[0] == found

    def test_the_threshold(self):
        found = [
            branches(grow(Script(calls_then_answers(1)), switched(ALWAYS, alpha=0.7, threshold=tau), k=2, m=1))[0]
            for tau in (0.0, 0.7, 0.71, 1.0)
        ]
        assert found == [[1], [1], [], []]

    def test_mean_and_official_measure_the_same_head_differently(self):
        """Twenty tokens of .1: a mean of .1, and a sum of 2."""
        script = Script(calls_then_answers(0), entropy=lambda prefix, key: 0.1)
        mean, official = (
            grow(script, switched(ALWAYS, statistic=name), k=1, m=1).segments[1].head for name in ("mean", "official")
        )
        assert mean == pytest.approx(0.1)
        assert official == pytest.approx(0.1 * 20)
        assert grow(script, switched(ALWAYS, statistic="official", entropy_tokens=5), k=1, m=1).segments[1].head == 0.5


class TestChildren:
    def test_each_branching_has_so_many(self):
        tree = grow(Script(calls_then_answers(1)), switched(ALWAYS, children=3), k=8, m=2)
        assert branches(tree)[:2] == [[1, 1, 1], [1, 1, 1]]
        assert [len(tree.children[tree.paths()[root][2]]) for root in (0, 1)] == [4, 4]

    def test_the_last_one_gets_what_is_left(self):
        tree = grow(Script(calls_then_answers(2)), switched(ALWAYS, children=2, hand_out="oldest"), k=6, m=1)
        assert branches(tree) == [[1, 1, 2, 2], [2], [], [], [], []]


class TestOfficial:
    """The row of the published code, as a whole."""

    SURE = switched(OFFICIAL, alpha=1.0, gamma=0.0, penalty=0.5, threshold=0.6)

    def test_its_streak_goes_on_through_roots_that_follow_one_another(self):
        """A score of 1, halved right after a branching: of the roots that come one by one, each second branches."""
        tree = grow(Script(calls_then_answers(1)), self.SURE, k=8, m=2)
        assert branches(tree) == [[1], [1], [], [], [], [1], [], []]
        assert tree.roots == 5

    def test_places_go_to_the_oldest(self):
        rule = switched(self.SURE, penalty=0.0)
        assert branches(grow(Script(calls_then_answers(1)), rule, k=11, m=8)) == [[1]] * 3 + [[]] * 8
