"""What holds for every row of METHODS, from rewards to gradients, whatever the batch.

A property holds for advantages where it says so, and otherwise for the loss, its gradients and metric sums.
"""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aepo.algorithms.methods import METHODS
from aepo.algorithms.objective import entropy_aware, targets
from tests.algorithms.batches import CONTEXT, outcome, rollouts

MAIN_ONLY = rollouts(auxiliary=st.just(False))
WITH_TOKENS = MAIN_ONLY.filter(lambda its: its.experience.mask_NT.any())
GRADED = rollouts(rewards=st.sampled_from([-1.0, 0.0, 0.5, 1.0]))
FEW = settings(max_examples=20)
WITHIN_PROMPTS = {name: row for name, row in METHODS.items() if row.advantage.estimator != "reinforce_plus_plus"}
"""All that compare a trajectory with its prompt's others; the rest compares it with the batch."""


def each(rows):
    return pytest.mark.parametrize("row", rows.values(), ids=rows)


def changed(row, **parts):
    """The method with other settings in some of its parts."""
    return row.model_copy(update={name: getattr(row, name).model_copy(update=its) for name, its in parts.items()})


def outcome_of(its, row, splits=()):
    batch, parts = its.batch(row.advantage), (row.advantage, row.surrogate, row.regulariser)
    return outcome(batch, its.logprobs_NT, *parts, entropies_NT=its.entropies_NT, splits=splits)


def advantages_of(its, row, *, context=CONTEXT):
    """As the loss uses them, entropy-aware where the method is."""
    return entropy_aware(its.batch(row.advantage, context=context), row.advantage)


def assert_same(found, expected, *, rtol=1e-9, atol=1e-9):
    torch.testing.assert_close(found.logprobs, expected.logprobs, rtol=rtol, atol=atol)
    torch.testing.assert_close(found.entropies, expected.entropies, rtol=rtol, atol=atol)
    assert found.loss == pytest.approx(expected.loss, rel=rtol, abs=atol)
    assert found.sums == pytest.approx(expected.sums, rel=rtol, abs=atol)


@each(METHODS)
class TestLayout:
    @given(its=rollouts(), random=st.randoms(use_true_random=False))
    @FEW
    def test_the_order_of_trajectories_is_irrelevant(self, row, its, random):
        order = torch.tensor(random.sample(range(len(its)), len(its)))
        here, there = outcome_of(its, row), outcome_of(its.rows(order), row)
        torch.testing.assert_close(there.logprobs, here.logprobs[order], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(there.entropies, here.entropies[order], rtol=1e-9, atol=1e-9)
        assert there.loss == pytest.approx(here.loss, rel=1e-9, abs=1e-9)
        assert there.sums == pytest.approx(here.sums, rel=1e-9)

    @given(its=rollouts(), ranks=st.integers(1, 4), micro_batches=st.integers(1, 3), data=st.data())
    @FEW
    def test_neither_ranks_nor_micro_batches_change_it(self, row, its, ranks, micro_batches, data):
        """Rows are dealt to ranks × micro-batches, some of them empty; losses and gradients are summed."""
        places = st.integers(0, ranks * micro_batches - 1)
        owner = torch.tensor(data.draw(st.lists(places, min_size=len(its), max_size=len(its)), label="owner"))
        splits = [torch.nonzero(owner == place)[:, 0] for place in range(ranks * micro_batches)]
        assert_same(outcome_of(its, row, splits=splits), outcome_of(its, row), rtol=1e-11, atol=1e-13)
        goal = targets(its.batch(row.advantage), row.advantage, row.regulariser)
        parted = torch.cat([goal.rows(rows).advantages_NT for rows in splits])
        assert torch.equal(parted, goal.advantages_NT[torch.cat(splits)])

    @given(its=rollouts())
    @FEW
    def test_what_stands_outside_the_mask_never_matters(self, row, its):
        outside = its.experience.mask_NT == 0
        noise = {
            "old_logprobs_NT": -3.0,
            "old_entropies_NT": 99.0,
            "importance_NT": 55.0,
            "reference_logprobs_NT": -9.0,
            "logprobs_NT": -0.25,
            "entropies_NT": 77.0,
        }
        noisy = replace(its, **{name: torch.where(outside, x, getattr(its, name)) for name, x in noise.items()})
        found, expected = outcome_of(noisy, row), outcome_of(its, row)
        assert_same(found, expected, rtol=0, atol=0)
        assert not expected.logprobs[outside].any()
        assert not expected.entropies[outside].any()

    @given(its=rollouts())
    @FEW
    def test_a_batch_that_is_wholly_masked_has_no_loss(self, row, its):
        masked = its.with_experience(
            mask_NT=torch.zeros_like(its.experience.mask_NT),
            turns_NT=torch.full_like(its.experience.turns_NT, -1),
            segments_NT=torch.full_like(its.experience.segments_NT, -1),
        )
        found = outcome_of(masked, row)
        assert found.loss == 0
        assert not found.logprobs.any()
        assert not found.entropies.any()


@each(METHODS)
class TestRewards:
    @given(its=GRADED, shift=st.sampled_from([-8.0, -0.5, 0.25, 64.0]))
    @FEW
    def test_a_bonus_for_everybody_changes_no_advantage(self, row, its, shift):
        """Everything is relative; but discounted returns of steps are so only where nothing is discounted."""
        if row.advantage.estimator == "gigpo":
            row = changed(row, advantage={"discount": 1.0})
        shifted = its.with_experience(rewards_N=its.experience.rewards_N + shift)
        torch.testing.assert_close(advantages_of(shifted, row), advantages_of(its, row), rtol=1e-6, atol=1e-6)

    @given(its=GRADED, unit=st.sampled_from([0.5, 4.0, 100.0]))
    @FEW
    def test_the_unit_of_rewards_cancels_where_a_deviation_divides(self, row, its, unit):
        """Without one (gigpo) advantages have the unit of rewards. No length is penalised here: that has a unit."""
        scaled = its.with_experience(rewards_N=its.experience.rewards_N * unit)
        kept, found = (advantages_of(one, row, context=1000 * CONTEXT) for one in (its, scaled))
        divided = row.advantage.normalise_std or row.advantage.estimator != "gigpo"
        torch.testing.assert_close(found, kept * (1 if divided else unit), rtol=2e-5, atol=1e-9)

    @given(its=MAIN_ONLY, reward=st.sampled_from([1.1, 0.1, -1.0, 0.0]))
    @FEW
    def test_equal_rewards_move_no_log_prob(self, row, its, reward):
        """Exactly. But a discount prefers steps nearer to the end, and a penalty on lengths prefers short ones."""
        row = changed(row, advantage={"overlong_factor": 0.0, "discount": 1.0 if reward else row.advantage.discount})
        equal = its.with_experience(rewards_N=torch.full_like(its.experience.rewards_N, reward))
        assert not outcome_of(equal, row).logprobs.any()


class TestSingletons:
    @each(WITHIN_PROMPTS)
    @given(its=MAIN_ONLY)
    @FEW
    def test_prompts_of_one_trajectory_move_no_log_prob(self, row, its):
        """Whose steps are all different: a trajectory may be compared with itself where it came twice to a place."""
        different = [range(len(turns)) for turns in its.experience.anchors]
        alone = its.with_experience(groups_N=torch.arange(len(its)), anchors=different)
        assert not outcome_of(alone, row).logprobs.any()

    @given(its=MAIN_ONLY)
    @FEW
    def test_but_a_comparison_with_the_batch_needs_no_others_of_the_prompt(self, its):
        alone = its.with_experience(groups_N=torch.arange(len(its)))
        row = METHODS["reinforce++"]
        torch.testing.assert_close(advantages_of(alone, row), advantages_of(its, row), rtol=0, atol=0)


@each(METHODS)
class TestRatios:
    @given(its=WITH_TOKENS, sign=st.sampled_from([-1000.0, 1000.0]))
    @FEW
    def test_exploded_ones_stay_finite_in_value_and_gradient(self, row, its, sign):
        exploded = replace(its, logprobs_NT=its.old_logprobs_NT + sign)
        found = outcome_of(exploded, changed(row, regulariser={"kl": 0.1}))
        assert torch.isfinite(torch.tensor([found.loss, *found.sums.values()])).all()
        assert torch.isfinite(found.logprobs).all()
        assert torch.isfinite(found.entropies).all()

    @given(its=WITH_TOKENS)
    @FEW
    def test_the_first_update_is_the_plain_policy_gradient(self, row, its):
        """At r = 1 every surrogate is REINFORCE with the method's advantages."""
        mask = its.experience.mask_NT
        found = outcome_of(replace(its, logprobs_NT=its.old_logprobs_NT), row)
        pull = advantages_of(its, row) * its.importance_NT * its.weights_N[:, None] * mask
        torch.testing.assert_close(found.logprobs, -pull / mask.sum())
