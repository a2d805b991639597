"""The objective of a mini-batch: what it is, token by token, and that no layout of the batch changes it."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aepo.algorithms.methods import METHODS
from aepo.algorithms.objective import entropy_aware, loss, targets
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from tests.algorithms import golden
from tests.algorithms.batches import golden_batch, outcome, parts, rollouts
from tests.algorithms.written_out import written_out

PLAIN = Advantage()
ENTROPY_AWARE = Advantage(entropy_weight=0.2)
NO_REGULARISER = Regulariser()
BALANCED = Surrogate(function="entropy_balanced_clip")


def by_token(values, like):
    result = torch.zeros_like(like)
    for token, value in values.items():
        result[token] = value
    return result


class TestFormula:
    @pytest.mark.parametrize(
        ("method", "expected_loss", "expected_gradient"),
        [
            ("grpo", golden.PPO_LOSS, golden.PPO_GRADIENT),
            ("arpo", golden.PPO_LOSS, golden.PPO_GRADIENT),  # its mechanism is how it explores
            ("aepo-arbitrary", golden.PPO_LOSS, golden.PPO_GRADIENT),  # without auxiliary samples it is GRPO
            ("grpo-entropy", golden.PPO_LOSS, golden.PPO_GRADIENT),  # without entropy it is GRPO
            ("aepo-official", golden.PPO_LOSS, golden.BALANCED_GRADIENT),
            ("aepo", golden.BALANCED_ENTROPY_LOSS, golden.BALANCED_ENTROPY_GRADIENT),
            ("aepo-unified", golden.BALANCED_ENTROPY_LOSS, golden.BALANCED_ENTROPY_GRADIENT),
        ],
    )
    def test_the_rows_of_the_table_give_the_worked_example(self, method, expected_loss, expected_gradient):
        row = METHODS[method]
        found = outcome(golden_batch(), golden.LOGPROBS, row.advantage, row.surrogate, row.regulariser)
        assert found.loss == pytest.approx(expected_loss, abs=1e-6)
        torch.testing.assert_close(found.logprobs, golden.unmasked(expected_gradient), atol=1e-6, rtol=0)

    @given(rollouts(), parts)
    @settings(max_examples=300)
    def test_it_is_the_formula_written_out_token_by_token(self, its, chosen):
        found = outcome(its.batch(chosen[0]), its.logprobs_NT, *chosen, entropies_NT=its.entropies_NT)
        value, gradient, entropy_gradient = written_out(its, *chosen)
        assert found.loss == pytest.approx(value, rel=1e-8, abs=1e-8)
        expected = by_token(gradient, its.logprobs_NT)
        torch.testing.assert_close(found.logprobs, expected, rtol=1e-7, atol=1e-8)
        torch.testing.assert_close(found.entropies, by_token(entropy_gradient, its.logprobs_NT), rtol=1e-9, atol=1e-12)

    def test_metrics_count_what_the_surrogate_did(self):
        sums = outcome(golden_batch(), golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER).sums
        kl = sum(math.exp(d) - 1 - d for d in golden.LOGPROBS[golden.MASK.bool()].tolist())
        assert sums == {
            "tokens": 13,
            "positive_tokens": 5,  # rows 1 and 4
            "clipped_high": 2,  # r = e^.3 in row 1, e^.5 in row 4
            "clipped_low": 1,  # r = e^-.5 in row 2
            "kl": pytest.approx(kl),
        }

    @pytest.mark.parametrize(
        ("bounds", "high", "low"),
        [({}, 0, 0), ({"cap": 1.4}, 1, 0), ({"cap": 1.3, "floor": 0.7}, 2, 1), ({"floor": 0.95}, 0, 2)],
    )
    def test_what_cispo_caps_and_lifts_is_counted(self, bounds, high, low):
        cispo = Surrogate(function="cispo", **bounds)
        sums = outcome(golden_batch(), golden.LOGPROBS, PLAIN, cispo, NO_REGULARISER).sums
        assert (sums["clipped_high"], sums["clipped_low"]) == (high, low)


class TestLayout:
    @given(rollouts(), parts, st.data())
    def test_any_split_into_micro_batches_adds_up_to_the_same(self, its, chosen, data):
        owner = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=len(its), max_size=len(its))))
        splits = [torch.nonzero(owner == micro)[:, 0] for micro in range(4)]  # some of them empty
        batch = its.batch(chosen[0])
        whole = outcome(batch, its.logprobs_NT, *chosen, entropies_NT=its.entropies_NT)
        parted = outcome(batch, its.logprobs_NT, *chosen, entropies_NT=its.entropies_NT, splits=splits)
        assert parted.loss == pytest.approx(whole.loss, rel=1e-12, abs=1e-12)
        torch.testing.assert_close(parted.logprobs, whole.logprobs, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(parted.entropies, whole.entropies, rtol=1e-12, atol=1e-14)
        assert parted.sums == pytest.approx(whole.sums, rel=1e-12)

    def test_a_row_without_policy_tokens_is_as_good_as_absent_from_the_loss(self):
        mask = golden.MASK.clone()
        mask[1] = 0
        goal = targets(golden_batch(mask_NT=mask), ENTROPY_AWARE, NO_REGULARISER)
        shares = [loss(goal.rows(torch.tensor([row])), BALANCED, golden.LOGPROBS[[row]])[0].item() for row in range(4)]
        assert shares[1] == 0
        assert all(shares[row] != 0 for row in (0, 2, 3))
        assert goal.denominator == 9

    @pytest.mark.parametrize("function", ["none", "auxiliary", "entropy"])
    def test_a_batch_without_policy_tokens_has_no_loss(self, function):
        nothing = torch.zeros_like(golden.MASK)
        batch = golden_batch(mask_NT=nothing, advantages_NT=nothing, reference_logprobs_NT=nothing)
        regulariser = Regulariser(function=function, kl=0.1)
        found = outcome(batch, golden.LOGPROBS, ENTROPY_AWARE, BALANCED, regulariser, entropies_NT=golden.ENTROPIES)
        assert found.loss == 0
        assert not found.logprobs.any()
        assert not found.entropies.any()


class TestWeights:
    def test_importance_multiplies_the_surrogate_outside_its_clip(self):
        weights = torch.linspace(0.1, 2.0, 20, dtype=torch.float64).reshape(4, 5)
        plain = outcome(golden_batch(), golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
        corrected = outcome(golden_batch(importance_NT=weights), golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
        torch.testing.assert_close(corrected.logprobs, plain.logprobs * weights)

    def test_a_trajectory_of_weight_two_pulls_twice(self):
        weights = golden.tensor(2, 1, 1, 0)
        plain = outcome(golden_batch(), golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
        weighted = outcome(golden_batch(weights_N=weights), golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
        torch.testing.assert_close(weighted.logprobs, plain.logprobs * weights[:, None])

    @pytest.mark.parametrize("regulariser", [Regulariser(function="entropy", coefficient=0.3), Regulariser(kl=0.3)])
    def test_neither_applies_to_a_regulariser(self, regulariser):
        """The difference that a regulariser makes is the same under any weights."""
        reference = golden.LOGPROBS.flip(1)

        def difference(**weights):
            batch = golden_batch(reference_logprobs_NT=reference, **weights)
            found, plain = (
                outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, its, entropies_NT=golden.ENTROPIES)
                for its in (regulariser, NO_REGULARISER)
            )
            return found.loss - plain.loss, found.logprobs - plain.logprobs, found.entropies - plain.entropies

        weighted = difference(importance_NT=torch.full_like(golden.MASK, 0.1), weights_N=golden.tensor(2, 1, 1, 0))
        for here, there in zip(difference(), weighted, strict=True):
            torch.testing.assert_close(here, there)
        assert any(torch.as_tensor(part).any() for part in weighted)


class TestEntropies:
    def test_missing_entropies_are_an_error_and_not_a_silent_skip(self):
        with pytest.raises(ValueError, match=r"advantage\.entropy_weight"):
            entropy_aware(golden_batch(old_entropies_NT=None), ENTROPY_AWARE)

    def test_nobody_needs_entropies_that_nothing_uses(self):
        batch = golden_batch(old_entropies_NT=None)
        assert torch.equal(entropy_aware(batch, PLAIN), batch.advantages_NT)

    def test_current_entropies_replace_the_old_ones(self):
        current = golden.ENTROPIES.flip(0)
        found = entropy_aware(golden_batch(), ENTROPY_AWARE, current)
        torch.testing.assert_close(found, entropy_aware(golden_batch(old_entropies_NT=current), ENTROPY_AWARE))
        assert not torch.allclose(found, entropy_aware(golden_batch(), ENTROPY_AWARE))

    def test_rows_of_a_batch_without_entropies_have_none(self):
        assert golden_batch(old_entropies_NT=None).rows(torch.tensor([2])).old_entropies_NT is None

    def test_a_bonus_without_entropies_is_an_error_and_not_a_silent_skip(self):
        goal = targets(golden_batch(), PLAIN, Regulariser(function="entropy"))
        with pytest.raises(ValueError, match="entropy bonus needs the policy's entropies"):
            loss(goal, BALANCED, golden.LOGPROBS)

    def test_a_controllers_coefficient_replaces_that_of_the_settings(self):
        bonus = Regulariser(function="entropy", coefficient=0.3)
        for coefficient, used in ((None, 0.3), (0.7, 0.7), (0.0, 0.0)):
            assert targets(golden_batch(), PLAIN, bonus, coefficient=coefficient).bonus == used
        assert targets(golden_batch(), PLAIN, NO_REGULARISER, coefficient=0.7).bonus == 0


class TestDivergence:
    KL = Regulariser(kl=0.1)

    def test_without_a_first_policy_it_is_an_error_and_not_a_silent_skip(self):
        with pytest.raises(ValueError, match=r"regulariser\.kl"):
            loss(targets(golden_batch(), PLAIN, self.KL), BALANCED, golden.LOGPROBS)

    def test_the_first_policy_itself_is_not_pulled(self):
        batch = golden_batch(reference_logprobs_NT=golden.LOGPROBS)
        found = outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, self.KL)
        plain = outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, NO_REGULARISER)
        assert found.loss == plain.loss
        assert torch.equal(found.logprobs, plain.logprobs)

    def test_auxiliary_trajectories_are_not_held_back(self):
        batch = golden_batch(reference_logprobs_NT=golden.LOGPROBS - 1)
        batch = replace(batch, auxiliary_N=torch.tensor([False, False, True, False]))
        found = outcome(batch, golden.LOGPROBS, PLAIN, BALANCED, self.KL)
        assert not found.logprobs[2].any()
