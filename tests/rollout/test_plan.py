"""The budget plan: scales from the batch, m from the entropies, auxiliary prompts from their keys."""

import math
import statistics
from dataclasses import replace

import pytest

from aepo.algorithms.budget import FIRST_SCALE, global_rollouts
from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Exploration, Regulariser
from aepo.rollout.plan import Scales, head_entropy, make_plan, turn_entropies
from aepo.trajectories import Leaf, RolloutTree, Segment

AEPO = METHODS["aepo"].exploration
NONE = Regulariser()


def first(prompt, *turns):
    """A pre-monitor trajectory whose policy turns have these entropies."""
    segments = [Segment(0, None, "prompt", (1, 2))]
    for number, entropies in enumerate(turns):
        if number:
            segments.append(Segment(len(segments), len(segments) - 1, "tool", (3,)))
        tokens = tuple(range(len(entropies)))
        segments.append(Segment(len(segments), len(segments) - 1, "policy", tokens, tokens, tuple(entropies)))
    return RolloutTree(prompt, tuple(segments), (Leaf(len(segments) - 1, 1.0, "correct", "answer"),))


def test_entropies_are_means_over_the_first_tokens_of_each_turn():
    tree = first("p", [1.0] * 20 + [9.0] * 5, [0.5, 1.5], [2.0])
    assert turn_entropies(tree, 20) == (1.0, (1.0, 2.0))


class TestSplit:
    def trees(self, count=10):
        return [first(f"p{n}", [0.1 * n], [0.5], [0.7 + 0.02 * n]) for n in range(count)]

    def test_m_follows_the_standardised_difference(self):
        trees = self.trees()
        plan = make_plan(0, [tree.prompt_id for tree in trees], trees, AEPO, NONE, seed=0)
        for row in plan.prompts:
            expected = global_rollouts(row.root_entropy, row.tool_entropy, budget=16, beta=1.0, scale=plan.scales.root)
            assert row.m == expected
        assert plan.prompts[0].m < 8 < plan.prompts[-1].m

    def test_the_scales_are_deviations_over_the_batch(self):
        trees = self.trees()
        plan = make_plan(0, [tree.prompt_id for tree in trees], trees, AEPO, NONE, seed=0)
        roots, tools = ([0.1 * n for n in range(10)], [(0.5, 0.7 + 0.02 * n) for n in range(10)])
        of_roots = [root - sum(pair) / 2 for root, pair in zip(roots, tools, strict=True)]
        of_tools = [tool - root for root, pair in zip(roots, tools, strict=True) for tool in pair]
        assert plan.scales.root == pytest.approx(statistics.stdev(of_roots))
        assert plan.scales.tool == pytest.approx(statistics.stdev(of_tools))

    def test_a_trajectory_without_a_tool_call_is_split_in_half(self):
        plan = make_plan(0, ["p"], [first("p", [3.0])], AEPO, NONE, seed=0)
        assert plan.prompts[0].m == 8

    @pytest.mark.parametrize("k", range(1, 65))
    def test_every_budget_follows_the_sigmoid(self, k):
        """floor(k·σ(β·(H_root − H_tool)/s) + ½) within [1, k], written out again, from far below 0 to far above."""
        differences = [-30.0, -2.0, -0.7, -0.1, 0.0, 0.1, 0.4, 1.1, 3.0, 30.0]
        trees = [first(f"p{n}", [40.0 + difference], [40.0]) for n, difference in enumerate(differences)]
        ids = [tree.prompt_id for tree in trees]
        for beta in (0.0, 1.0, 5.0):
            rule = AEPO.model_copy(update={"k": k, "beta": beta})
            scale = statistics.stdev(differences)
            shares = [1 / (1 + math.exp(-beta * difference / scale)) for difference in differences]
            expected = [max(1, min(k, math.floor(k * share + 0.5))) for share in shares]
            plan = make_plan(0, ids, trees, rule, NONE, seed=0)
            assert plan.scales.root == pytest.approx(scale)
            assert [row.m for row in plan.prompts] == expected
            assert [row.k for row in plan.prompts] == [k] * len(ids)

    @pytest.mark.parametrize("k", range(1, 65))
    def test_the_published_split_is_rounded_down_and_has_one_more(self, k):
        differences = [-8.0, -1.0, -0.2, 0.0, 0.3, 1.0, 8.0]
        trees = [first(f"p{n}", [9.0 + difference], [9.0]) for n, difference in enumerate(differences)]
        rule = METHODS["aepo-official"].exploration.model_copy(update={"k": k})
        plan = make_plan(0, [tree.prompt_id for tree in trees], trees, rule, NONE, seed=0)
        expected = [min(k, math.floor(k / (1 + math.exp(-0.5 * difference))) + 1) for difference in differences]
        assert [row.m for row in plan.prompts] == expected
        assert not plan.firsts

    @pytest.mark.parametrize(("extra", "m"), [(0.0, 8), (0.5, 9), (1.0, 9), (7.0, 15), (8.0, 16), (900.0, 16)])
    def test_extra_global_rollouts_never_exceed_the_budget(self, extra, m):
        rule = AEPO.model_copy(update={"extra_global": extra})
        assert make_plan(0, ["p"], [first("p", [3.0])], rule, NONE, seed=0).prompts[0].m == m

    def test_the_statistic_that_was_recorded_is_the_one_that_counts(self):
        """H of a turn is what its explorer took, whatever its token entropies would give."""
        tree = first("p", [1.0, 3.0], [5.0])
        recorded = tree.segments[1]
        told = RolloutTree("p", (tree.segments[0], replace(recorded, head=7.0), *tree.segments[2:]), tree.leaves)
        assert turn_entropies(tree, 20) == (2.0, (5.0,))
        assert turn_entropies(told, 20) == (7.0, (5.0,))

    @pytest.mark.parametrize(
        ("statistic", "values", "tokens", "expected"),
        [("mean", [1, 2, 9], 2, 1.5), ("official", [1, 2, 9], 2, 3), ("mean", [], 2, 0), ("official", [], 2, 0)],
    )
    def test_h_of_a_head(self, statistic, values, tokens, expected):
        assert head_entropy(values, tokens, statistic) == expected

    def test_too_few_values_carry_the_scale_of_the_batch_before(self):
        trees = self.trees(3)
        ids = [tree.prompt_id for tree in trees]
        plan = make_plan(0, ids, trees, AEPO, NONE, seed=0)
        assert plan.scales.root == FIRST_SCALE
        assert make_plan(1, ids, trees, AEPO, NONE, seed=0, previous=Scales(0.7, 0.9)).scales == Scales(0.7, 0.9)

    def test_scales_can_be_switched_off(self):
        rule = AEPO.model_copy(update={"entropy_scale": "none"})
        trees = self.trees()
        assert make_plan(0, [t.prompt_id for t in trees], trees, rule, NONE, seed=0).scales == Scales(1.0, 1.0)

    def test_discarding_the_first_trajectory(self):
        rule = AEPO.model_copy(update={"pre_monitor": "discard"})
        trees = self.trees()
        ids = [tree.prompt_id for tree in trees]
        assert not make_plan(0, ids, trees, rule, NONE, seed=0).firsts
        assert list(make_plan(0, ids, trees, AEPO, NONE, seed=0).firsts) == ids

    def test_a_fixed_split_needs_no_measurement(self):
        for rule, m in ((Exploration(k=16, branching=True), 8), (Exploration(k=16), 16)):
            assert [row.m for row in make_plan(0, ["a", "b"], [], rule, NONE, seed=0).prompts] == [m, m]


def test_only_the_auxiliary_regulariser_has_auxiliary_prompts():
    for method in METHODS.values():
        plan = make_plan(0, ["a", "b"], [], Exploration(), method.regulariser, seed=0)
        assert any(row.auxiliary for row in plan.prompts) == (method.regulariser.function == "auxiliary"), method.id


@pytest.mark.parametrize(("share", "count"), [(0.25, 6), (0.01, 1), (1.0, 24)])
def test_auxiliary_prompts_are_a_keyed_share_of_the_batch(share, count):
    ids = [f"p{n}" for n in range(24)]
    regulariser = Regulariser(function="auxiliary", share=share)

    def chosen(order, step):
        plan = make_plan(step, order, [], Exploration(), regulariser, seed=0)
        return {row.prompt_id for row in plan.prompts if row.auxiliary}

    assert len(chosen(ids, 0)) == count
    assert len(chosen(ids[:1], 0)) == (share > 0), "a small batch has one too"
    assert chosen(ids, 0) == chosen(ids[::-1], 0)
    assert share in (0.0, 1.0) or chosen(ids, 0) != chosen(ids, 1)


def test_what_nothing_depends_on_is_not_measured():
    rule = {"branching": True, "budget": "fixed", "entropy_scale": "none", "pre_monitor": "discard"}
    assert not Exploration(**rule).pre_monitored
    assert make_plan(0, ["p"], [], Exploration(**rule), NONE, seed=0).scales == Scales(1.0, 1.0)
    for changed in ({"budget": "entropy"}, {"entropy_scale": "batch"}, {"pre_monitor": "keep"}):
        assert Exploration(**rule | changed).pre_monitored
    assert not Exploration(**rule | {"branching": False, "budget": "entropy"}).pre_monitored
