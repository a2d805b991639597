"""Auxiliary samples in the objective: only positives pull, and main trajectories never notice them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aepo.algorithms.objective import Batch, auxiliary_weights, targets
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from tests.algorithms import golden
from tests.algorithms.batches import golden_batch, outcome, parts, rollouts

PLAIN = Advantage()
ENTROPY_AWARE = Advantage(entropy_weight=0.2)
BALANCED = Surrogate(function="entropy_balanced_clip")
NO_REGULARISER = Regulariser()
AUXILIARY = Regulariser(function="auxiliary", coefficient=0.5)

# Rows 1 and 2 are main, rows 3 and 4 auxiliary; row 4 is a positive of two tokens.
IS_AUXILIARY = torch.tensor([False, False, True, True])
MIXED = golden_batch(
    rewards_N=golden.tensor(1, 0, -1, 1),
    auxiliary_N=IS_AUXILIARY,
    advantages_NT=golden.GRPO[:, None] * golden.MASK * ~IS_AUXILIARY[:, None],
)


class TestApart:
    @given(rollouts(auxiliary=st.just(False)), rollouts(auxiliary=st.just(True)), parts)
    def test_they_never_touch_the_main_trajectories(self, main, other, chosen):
        """Same prompts, other rewards, wild entropies: advantages, z statistics and token count stay."""
        alone, extra = main.batch(chosen[0]), other.batch(chosen[0])
        tokens = alone.mask_NT.shape[1]

        def fitted(values):
            return torch.nn.functional.pad(values, (0, tokens))[:, :tokens] if values.ndim == 2 else values

        extra = Batch(**{name: fitted(value) for name, value in vars(extra).items()})
        extra = replace(extra, old_entropies_NT=extra.old_entropies_NT * 100)
        both = Batch(**{name: torch.cat([getattr(extra, name), getattr(alone, name)]) for name in vars(alone)})
        here, there = (targets(batch, chosen[0], chosen[2]) for batch in (alone, both))
        aside = len(extra.rewards_N)
        torch.testing.assert_close(there.advantages_NT[aside:], here.advantages_NT, rtol=0, atol=0)
        assert not there.advantages_NT[:aside].any()
        assert not there.auxiliary_weights_N[aside:].any()
        assert there.denominator == here.denominator

    def test_a_switched_off_regulariser_ignores_them(self):
        assert not auxiliary_weights(MIXED, NO_REGULARISER).any()

    def test_sampler_and_tree_weights_do_not_apply_to_them(self):
        changed = replace(MIXED, importance_NT=torch.full_like(golden.MASK, 0.1), weights_N=golden.tensor(1, 1, 3, 3))
        for batch in (MIXED, changed):
            found = outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, AUXILIARY)
            plain = outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
            assert not plain.logprobs[2:].any()
            assert found.logprobs[3, 3].item() == pytest.approx(-0.125 * math.exp(-0.4))


class TestPositives:
    def test_a_positive_is_reinforced_by_its_own_mean_over_all_samples(self):
        found = outcome(MIXED, golden.LOGPROBS, PLAIN, BALANCED, AUXILIARY)
        # r = e^.5 is above the bound and lets go; r = e^-.4 is below 1 − ε and is still pulled up.
        expected = golden.tensor(0, 0, 0, -0.5 / 2 / 2 * math.exp(-0.4), 0)
        torch.testing.assert_close(found.logprobs[3], expected)

    def test_negatives_never_enter_but_count(self):
        assert not outcome(MIXED, golden.LOGPROBS, PLAIN, BALANCED, AUXILIARY).logprobs[2].any()
        assert auxiliary_weights(MIXED, AUXILIARY).tolist() == [0, 0, 0, 0.5 / (2 * 2)]
        without_negative = MIXED.rows(torch.tensor([0, 1, 3]))
        assert auxiliary_weights(without_negative, AUXILIARY).tolist() == [0, 0, 0.5 / (1 * 2)]

    def test_without_positives_the_loss_is_exactly_that_of_the_main_trajectories(self):
        batch = replace(MIXED, rewards_N=golden.tensor(1, 0, -1, 0))
        found = outcome(batch, golden.LOGPROBS, ENTROPY_AWARE, BALANCED, AUXILIARY)
        plain = outcome(batch, golden.LOGPROBS, ENTROPY_AWARE, BALANCED, NO_REGULARISER)
        assert found.loss == plain.loss
        assert torch.equal(found.logprobs, plain.logprobs)

    def test_hardly_better_than_the_others_is_not_positive(self):
        """A reward of .52 between 0 and 1 has advantage .027, above 0 and below .05."""
        batch = replace(
            golden_batch(),
            rewards_N=golden.tensor(0.0, 1.0, 0.52, 0.0),
            groups_N=torch.tensor([0, 0, 0, 1]),
            auxiliary_N=torch.ones(4, dtype=torch.bool),
        )
        weights = auxiliary_weights(batch, Regulariser(function="auxiliary", positive="advantage"))
        assert (weights > 0).tolist() == [False, True, False, False]

    def test_they_may_be_chosen_by_group_advantage(self):
        batch = golden_batch(
            rewards_N=golden.tensor(0.4, 0.1, 1.0, 1.0),
            groups_N=torch.tensor([0, 0, 1, 1]),
            auxiliary_N=torch.ones(4, dtype=torch.bool),
        )
        weights = auxiliary_weights(batch, Regulariser(function="auxiliary", positive="advantage"))
        assert (weights > 0).tolist() == [True, False, False, False]  # everybody right is nobody better

    def test_all_samples_may_be_reinforced(self):
        weights = auxiliary_weights(MIXED, Regulariser(function="auxiliary", positive="all", coefficient=0.5))
        assert weights.tolist() == [0, 0, 0.5 / (2 * 4), 0.5 / (2 * 2)]

    def test_undecidable_rewards_are_refused(self):
        batch = replace(MIXED, rewards_N=golden.tensor(1, 0, 0.5, 1))
        with pytest.raises(ValueError, match=r"regulariser\.positive_threshold"):
            auxiliary_weights(batch, AUXILIARY)
