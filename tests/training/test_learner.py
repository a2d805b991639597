"""The learner: what is computed once for the global mini-batch, and what may never change it."""

import copy
from dataclasses import replace

import pytest
import torch

from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from aepo.training.packing import pack, unroll
from aepo.training.policy import token_statistics
from tests.training.learners import assert_same, gradients, learner, objective
from tests.training.trees import random_tree


@pytest.fixture
def trees():
    return [random_tree(seed, prompt=f"p{seed}", rewards=[1.0, 0.0, -1.0, 1.0]) for seed in range(6)]


class TestStatistics:
    @pytest.mark.parametrize("packing", ["tree", "flat"])
    def test_they_are_those_of_a_plain_forward_pass(self, model, trees, packing):
        for tree, leaves in zip(trees, token_statistics(model, trees, packing=packing), strict=True):
            for path, found in zip(tree.paths(), leaves, strict=True):
                segments = [tree.segments[index] for index in path]
                tokens = torch.tensor([token for segment in segments for token in segment.token_ids])
                policy = torch.tensor([segment.source == "policy" for segment in segments for _ in segment.token_ids])
                logprobs = torch.log_softmax(model(tokens[None]).logits[0, :-1], -1)
                chosen = logprobs.gather(-1, tokens[1:, None])[:, 0][policy[1:]]
                entropies = -(logprobs.exp() * logprobs).sum(-1)[policy[1:]]
                torch.testing.assert_close(found.logprobs.double(), chosen.double(), atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(found.entropies.double(), entropies.double(), atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("temperature", [1.0, 0.7])
    def test_both_packings_have_the_same_values_and_gradients(self, model, trees, temperature):
        """A shared token gets the sum of the gradients of the trajectories that share it."""
        found = []
        for packing in ("tree", "flat"):
            model.zero_grad()
            leaves = [
                leaf
                for tree in token_statistics(model, trees, packing=packing, temperature=temperature)
                for leaf in tree
            ]
            total = sum((n + 1) * leaf.logprobs.sum() + leaf.entropies.square().sum() for n, leaf in enumerate(leaves))
            total.backward()
            gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
            found.append(([leaf.logprobs.detach() for leaf in leaves], gradients))
        for one, two in zip(found[0][0], found[1][0], strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
        assert_same(found[0][1], found[1][1])

    def test_a_micro_batch_holds_at_most_its_budget_of_padded_tokens(self, trees):
        trajectories = unroll(trees)
        for budget in (40, 100, 1000):
            batches = pack(trajectories, budget)
            assert sorted(row for batch in batches for row in batch.rows.tolist()) == list(range(len(trajectories)))
            assert all(batch.token_ids.numel() <= budget or len(batch.rows) == 1 for batch in batches)


def _without_last_leaf(tree):
    """The same tree, grown without its last trajectory."""
    kept = {step for path in tree.paths()[:-1] for step in path}
    ids = {old: new for new, old in enumerate(sorted(kept))}
    segments = tuple(
        replace(tree.segments[old], id=new, parent=ids.get(tree.segments[old].parent)) for old, new in ids.items()
    )
    return replace(
        tree, segments=segments, leaves=tuple(replace(leaf, segment=ids[leaf.segment]) for leaf in tree.leaves[:-1])
    )


class TestInvariance:
    @pytest.mark.parametrize("method", sorted(METHODS))
    def test_micro_batches_never_change_the_gradient(self, model, trees, method):
        auxiliary = [random_tree(n, prompt=f"p{n}", role="auxiliary", rewards=[1.0, 0.0, 1.0, -1.0]) for n in (90, 91)]
        batch = trees + (auxiliary if METHODS[method].regulariser.function == "auxiliary" else [])
        goal = objective(method)
        whole = gradients(model, batch, goal, microbatch_tokens=100_000)
        assert any(gradient.abs().max() > 0 for gradient in whole.values())
        assert_same(whole, gradients(model, batch, goal, microbatch_tokens=64))
        assert_same(whole, gradients(model, batch, goal, microbatch_tokens=150))

    def test_the_order_of_trees_never_changes_a_whole_batch(self, model, trees):
        assert_same(gradients(model, trees), gradients(model, trees[::-1]))

    def test_unscored_trajectories_leave_no_trace(self, model):
        trees = [random_tree(n, prompt=f"p{n}", rewards=[1.0, 0.0, 1.0, None]) for n in range(4)]
        pruned = [_without_last_leaf(tree) for tree in trees]
        assert_same(gradients(model, trees), gradients(model, pruned))
        alone = learner(copy.deepcopy(model)).update([random_tree(1, rewards=[None] * 4)], 0)
        assert alone == {"trained_tokens": 0.0}

    def test_a_batch_of_equal_rewards_teaches_nothing(self, model):
        equal = [random_tree(n, rewards=[1.0] * 4) for n in range(3)]
        assert all(gradient.abs().max() == 0 for gradient in gradients(model, equal).values())


class TestMechanisms:
    """Every switch of the objective reaches the gradient."""

    @pytest.mark.parametrize(
        "other",
        [
            objective(advantage=Advantage(entropy_weight=0.0)),
            objective(advantage=Advantage(entropy_weight=0.2, normalise_std=False)),
        ],
        ids=["no entropy-aware advantage", "no division by the deviation"],
    )
    def test_the_advantage(self, model, trees, other):
        one, two = gradients(model, trees), gradients(model, trees, other)
        assert any((one[name] - two[name]).abs().max() > 1e-6 for name in one)

    def test_the_clip_keeps_gradients_that_ppo_drops(self, model, trees):
        """Only after the first update do ratios leave 1; the two clips then part."""
        ends = []
        for function in ("ppo_clip", "entropy_balanced_clip"):
            mine = copy.deepcopy(model)
            goal = objective(surrogate=Surrogate(function=function))
            learner(mine, goal, epochs=6, learning_rate=3e-2).update(trees, 0)
            ends.append(mine.get_input_embeddings().weight.detach())
        assert (ends[0] - ends[1]).abs().max() > 1e-6

    def test_current_entropies_are_the_old_ones_before_the_first_update(self, model, trees):
        current = objective(advantage=Advantage(entropy_weight=0.2, entropy_from="current"))
        assert_same(gradients(model, trees), gradients(model, trees, current))
        moved = []
        for goal in (objective(), current):
            mine = copy.deepcopy(model)
            learner(mine, goal, epochs=4, learning_rate=3e-2).update(trees, 0)
            moved.append(mine.get_input_embeddings().weight.detach())
        assert (moved[0] - moved[1]).abs().max() > 1e-6

    def test_auxiliary_positives_pull_and_negatives_never_enter(self, model, trees):
        goal = objective("aepo-arbitrary", regulariser=Regulariser(function="auxiliary", coefficient=1.0))
        plain = gradients(model, trees, goal)
        negatives = random_tree(50, role="auxiliary", rewards=[0.0, -1.0, 0.0, -1.0])
        positives = random_tree(50, role="auxiliary", rewards=[1.0, -1.0, 0.0, -1.0])
        assert_same(plain, gradients(model, [*trees, negatives], goal))
        pulled = gradients(model, [*trees, positives], goal)
        assert any((plain[name] - pulled[name]).abs().max() > 1e-4 for name in plain)

    def test_inverse_branching_weighs_rare_leaves_up(self, model, trees):
        lopsided = [random_tree(n, prompt=f"p{n}", leaves=3, rewards=[1.0, 0.0, 0.0]) for n in range(3)]
        one, two = gradients(model, lopsided), gradients(model, lopsided, loss_weighting="inverse_branching")
        assert any((one[name] - two[name]).abs().max() > 1e-6 for name in one)

    def test_inverse_branching_changes_nothing_where_all_leaves_weigh_the_same(self, model):
        even = [random_tree(n, prompt=f"p{n}", leaves=2, rewards=[1.0, 0.0]) for n in range(3)]
        assert_same(gradients(model, even), gradients(model, even, loss_weighting="inverse_branching"))

    def test_the_entropy_that_controllers_see_has_leaf_weights(self, model):
        lopsided = [random_tree(n, prompt=f"p{n}", leaves=3, rewards=[1.0, 0.0, 0.0]) for n in range(3)]
        pairs = [
            (weight, statistics.entropies.detach())
            for tree, leaves in zip(lopsided, token_statistics(model, lopsided), strict=True)
            for weight, statistics in zip(tree.leaf_weights(), leaves, strict=True)
        ]
        assert len({weight for weight, _ in pairs}) > 1
        expected = sum(weight * float(values.sum()) for weight, values in pairs)
        expected /= sum(weight * len(values) for weight, values in pairs)
        assert learner(copy.deepcopy(model)).update(lopsided, 0)["entropy"] == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("importance", ["token", "sequence_mask"])
    def test_mismatch_with_the_sampler_is_corrected(self, model, trees, importance):
        corrected = gradients(model, trees, importance=importance, importance_cap=1.5)
        plain = gradients(model, trees)
        assert any((plain[name] - corrected[name]).abs().max() > 1e-6 for name in plain)
        metrics = learner(copy.deepcopy(model), importance="token", importance_cap=1.5).update(trees, 0)
        assert 0 < metrics["importance"] <= 1.5


class TestLearning:
    def test_good_trajectories_become_likelier(self, model, trees):
        def gap():
            found = zip(trees, token_statistics(model, trees), strict=True)
            good, bad = [], []
            for tree, leaves in found:
                for leaf, statistics in zip(tree.leaves, leaves, strict=True):
                    (good if leaf.reward == 1.0 else bad).append(float(statistics.logprobs.detach().mean()))
            return sum(good) / len(good) - sum(bad) / len(bad)

        before = gap()
        teacher = learner(model, epochs=4, minibatches=2, learning_rate=3e-3)
        for step in range(4):
            teacher.update(trees, step)
        assert gap() > before + 0.05

    def test_the_rate_falls_in_a_straight_line(self, model):
        teacher = learner(model, total_steps=5, learning_rate=1e-3, final_rate=0.1)
        rates = [teacher.learning_rate(step) for step in range(7)]
        assert rates == pytest.approx([1e-3, 7.75e-4, 5.5e-4, 3.25e-4, 1e-4, 1e-4, 1e-4])

    def test_mini_batches_are_whole_trees_and_all_of_them(self, model, trees):
        teacher = learner(model, minibatches=4)
        trajectories = unroll(trees)
        for epoch in range(3):
            parts = teacher._split(trajectories, 0, epoch)
            groups = [{trajectories[index].tree for index in part.tolist()} for part in parts]
            assert sorted(tree for group in groups for tree in group) == list(range(6))
            assert sorted(index for part in parts for index in part.tolist()) == list(range(len(trajectories)))

    def test_a_gradient_that_is_not_finite_is_skipped_and_counted(self, model, trees):
        before = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            model.model.norm.weight[0] = float("nan")
        before = copy.deepcopy(model.state_dict())
        metrics = learner(model, learning_rate=1.0).update(trees, 0)
        assert metrics["skipped"] == 1
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, before[name], equal_nan=True)
