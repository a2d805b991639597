"""Mechanisms of the objective, from trees to gradients: shaping, sharing, steps, bonus, and the first policy."""

import copy
from dataclasses import replace

import pytest
import torch

from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from aepo.environments.protocols.tags import TagProtocol
from aepo.training.packing import unroll
from aepo.training.policy import token_statistics
from aepo.trajectories import Leaf, RolloutTree, Segment
from tests.rollout.scripted import Echo
from tests.training.learners import assert_same, differ, gradients, learner, objective, trained
from tests.training.trees import random_tree

GRPO = objective("grpo")
UNCLIPPED = Surrogate(clip_low=0.999, clip_high=1e6, dual_clip=None)
STEPS = {"epochs": 5, "learning_rate": 3e-2}
PROTOCOL = TagProtocol({"look": Echo(), "ask": Echo()}, result="[{}]")


@pytest.fixture
def trees():
    return [random_tree(seed, prompt=f"p{seed}", rewards=[1.0, 0.0, -1.0, 1.0]) for seed in range(4)]


@pytest.fixture
def alike():
    """Trees that teach nothing: all trajectories of a prompt have the same reward."""
    return [random_tree(seed, prompt=f"p{seed}", rewards=[1.0] * 4) for seed in range(4)]


class TestNothingToLearnFrom:
    def test_no_tree_at_all(self, model):
        before = copy.deepcopy(model.state_dict())
        assert learner(model, learning_rate=1.0).update([], 0) == {"trained_tokens": 0.0}
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_auxiliary_trees_alone_still_pull_and_say_nothing_about_the_entropy(self, model):
        goal = objective("aepo-arbitrary")
        metrics = learner(model, goal).update([random_tree(1, role="auxiliary", rewards=[1.0, 0.0, 1.0, 0.0])], 0)
        assert metrics["positives"] == 2
        assert metrics["grad_norm"] > 0
        assert "entropy" not in metrics


class TestOverlongShaping:
    FULL, BUFFER = 8, 0.75

    def shaped(self, tree):
        """The tree with the penalty in its rewards: none up to 2 tokens, 1 at 8."""
        lengths = [len(trajectory.policy) for trajectory in unroll([tree])]
        penalties = [max(0.0, (length - 2) / 6) for length in lengths]
        leaves = [
            replace(leaf, reward=leaf.reward - penalty) for leaf, penalty in zip(tree.leaves, penalties, strict=True)
        ]
        return replace(tree, leaves=tuple(leaves))

    def test_long_trajectories_lose_reward(self, model, trees):
        given = Advantage(overlong_factor=1.0, overlong_tokens=self.FULL, overlong_buffer=self.BUFFER)
        found = gradients(model, trees, objective("grpo", advantage=given))
        assert_same(found, gradients(model, [self.shaped(tree) for tree in trees], GRPO))
        assert differ(found, gradients(model, trees, GRPO))

    def test_without_a_full_length_it_is_the_context(self, model, trees):
        given = Advantage(overlong_factor=1.0, overlong_buffer=self.BUFFER)
        found = gradients(model, trees, objective("grpo", advantage=given), context=self.FULL)
        assert_same(found, gradients(model, [self.shaped(tree) for tree in trees], GRPO))

    def test_it_tells_trajectories_of_equal_reward_apart(self, model, alike):
        given = Advantage(overlong_factor=1.0, overlong_tokens=self.FULL, overlong_buffer=self.BUFFER)
        assert all(gradient.abs().max() == 0 for gradient in gradients(model, alike, GRPO).values())
        assert any(
            value.abs().max() > 0 for value in gradients(model, alike, objective("grpo", advantage=given)).values()
        )


class TestSharing:
    """Hard advantages are the mean over the trajectories that share a token: another sum only where clipping acts."""

    def both(self, surrogate):
        return [objective("arpo", advantage=Advantage(sharing=kind), surrogate=surrogate) for kind in ("soft", "hard")]

    def test_the_first_gradient_is_the_same(self, model, trees):
        soft, hard = (gradients(model, trees, goal) for goal in self.both(Surrogate()))
        assert_same(soft, hard)

    def test_without_clipping_it_stays_the_same(self, model, trees):
        soft, hard = (trained(model, trees, goal, **STEPS) for goal in self.both(UNCLIPPED))
        assert differ(soft, dict(model.named_parameters()), least=1e-2)
        assert_same(soft, hard, tolerance=1e-3)

    def test_where_clipping_acts_they_part(self, model, trees):
        soft, hard = (trained(model, trees, goal, **STEPS) for goal in self.both(Surrogate()))
        assert differ(soft, hard, least=1e-3)


def talk(*trajectories, prompt="p"):
    """A tree of independent trajectories, each a list of turns and answers in turn."""
    segments, ends = [Segment(0, None, "prompt", (1,))], []
    for texts in trajectories:
        parent = 0
        for place, text in enumerate(texts):
            source = "tool" if place % 2 else "policy"
            segments.append(Segment(len(segments), parent, source, (2 + place, 3 + len(text) % 9), text=text))
            parent = segments[-1].id
        ends.append(parent)
    leaves = tuple(Leaf(end, float(place % 2), "partial", "answer") for place, end in enumerate(ends))
    return RolloutTree(prompt, tuple(segments), leaves)


class TestSteps:
    """GiGPO compares steps that began with the same call and the same answer."""

    def anchors(self, model, *trees, call_of=PROTOCOL.parse):
        return learner(model, objective("gigpo"), call_of=call_of)._anchors(unroll(trees))

    def test_the_same_call_with_the_same_answer_is_the_same_whatever_was_thought(self, model):
        one, two = self.anchors(
            model,
            talk(["so <look>x</look>", "[4]", "end"], ["well then <look> x </look>", "[4]", "the end"]),
        )
        assert one == two

    @pytest.mark.parametrize("other", [("<look>y</look>", "[4]"), ("<look>x</look>", "[5]"), ("<ask>x</ask>", "[4]")])
    def test_another_call_or_answer_is_another(self, model, other):
        one, two = self.anchors(model, talk(["<look>x</look>", "[4]", "end"], [*other, "end"]))
        assert one[0] == two[0], "both began with the question"
        assert one[1] != two[1]

    def test_a_broken_call_counts_as_what_it_meant_to_call(self, model):
        said = ["x</look>", "y</look>", "x</ask>"]
        anchors = self.anchors(model, talk(*([text, "[broken]", "end"] for text in said)))
        assert anchors[0][1] == anchors[1][1] != anchors[2][1]

    def test_branches_share_the_steps_before_them_and_the_one_they_begin_with(self, model):
        tree = random_tree(3, leaves=2)
        one, two = self.anchors(model, tree, call_of=str)
        assert tree.branches_by_depth() == {1: 1}
        assert one == two

    def test_they_reach_the_gradient(self, model):
        said = ["so <look>x</look>", "well <look>x</look>", "<look>y</look>", "x <look>x</look>"]
        trees = [talk(*([text, "[4]", "an end", "[3]", "end"] for text in said), prompt=f"p{n}") for n in range(2)]
        texts, calls = (
            gradients(model, trees, objective("gigpo"), call_of=call_of) for call_of in (str, PROTOCOL.parse)
        )
        assert differ(texts, calls)


class TestEntropyBonus:
    BONUS = objective("grpo-entropy", regulariser=Regulariser(function="entropy", coefficient=0.3))

    def plain(self, model, trees, weight):
        """The gradient of −weight · mean(H), written down."""
        model.zero_grad()
        leaves = [leaf for tree in token_statistics(model, trees, packing="flat") for leaf in tree]
        (-weight * torch.cat([leaf.entropies for leaf in leaves]).mean()).backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    def test_it_is_the_mean_entropy_of_the_batch(self, model, alike):
        for budget in (64, 100_000):
            found = gradients(model, alike, self.BONUS, microbatch_tokens=budget)
            assert_same(found, self.plain(model, alike, 0.3), tolerance=1e-4)

    def test_a_controller_sets_its_weight(self, model, alike):
        found = gradients(model, alike, self.BONUS, coefficient=0.7)
        assert_same(found, self.plain(model, alike, 0.7), tolerance=1e-4)

    def test_auxiliary_trajectories_have_no_part_in_it(self, model, alike):
        beside = random_tree(9, role="auxiliary", rewards=[1.0, 0.0, 1.0, 0.0])
        assert_same(gradients(model, alike, self.BONUS), gradients(model, [*alike, beside], self.BONUS))


class TestFirstPolicy:
    NEAR = objective("grpo", regulariser=Regulariser(kl=0.5))

    def other(self, model):
        mine = copy.deepcopy(model)
        torch.manual_seed(5)
        with torch.no_grad():
            for parameter in mine.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return mine

    def distance(self, one, two, trees):
        with torch.no_grad():
            here, there = (
                torch.cat([leaf.logprobs for tree in token_statistics(model, trees) for leaf in tree])
                for model in (one, two)
            )
        return float(((there - here).exp() - (there - here) - 1).mean())

    def test_at_the_first_policy_nothing_pulls(self, model, trees):
        assert_same(gradients(model, trees, self.NEAR, reference=copy.deepcopy(model)), gradients(model, trees, GRPO))

    def test_away_from_it_the_gradient_pulls_back(self, model, alike):
        first = self.other(model)
        before = self.distance(model, first, alike)
        learner(model, self.NEAR, reference=first, epochs=20, learning_rate=3e-3).update(alike, 0)
        assert self.distance(model, first, alike) < 0.7 * before

    def test_the_first_policy_itself_is_never_changed(self, model, trees):
        first = self.other(model)
        before = copy.deepcopy(first.state_dict())
        learner(model, self.NEAR, reference=first, learning_rate=0.1).update(trees, 0)
        assert all(torch.equal(value, before[name]) for name, value in first.state_dict().items())
        assert all(parameter.grad is None for parameter in first.parameters())

    def test_without_it_the_term_is_refused(self, model, trees):
        with pytest.raises(ValueError, match="needs log-probs of the first policy"):
            learner(model, self.NEAR).update(trees, 0)
