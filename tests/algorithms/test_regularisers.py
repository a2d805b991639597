"""Regularisers: warmer samples when entropy is low, and only their successes; a bonus; a leash."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aepo.algorithms.regularisers import (
    adapted_coefficient,
    auxiliary_temperature,
    is_positive,
    k3,
    positive_reinforce,
)
from tests.algorithms import golden

entropies = st.floats(0, 12)


class TestTemperature:
    @pytest.mark.parametrize(("entropy", "expected"), [(0.3, 1.2), (0.45, 1.05), (0.5, 1.0), (0.8, 0.8)])
    def test_continuous(self, entropy, expected):
        assert auxiliary_temperature(entropy, target=0.5) == pytest.approx(expected)

    @pytest.mark.parametrize(("entropy", "expected"), [(0.0, 1.2), (0.499, 1.2), (0.5, 0.8), (3.0, 0.8)])
    def test_two_point(self, entropy, expected):
        assert auxiliary_temperature(entropy, target=0.5, rule="two-point") == expected

    @pytest.mark.parametrize("rule", ["continuous", "two-point"])
    def test_the_first_step_knows_no_entropy(self, rule):
        assert auxiliary_temperature(None, target=0.5, rule=rule) == 1.0

    @given(entropies)
    def test_without_a_rule_it_is_that_of_the_policy(self, entropy):
        assert auxiliary_temperature(entropy, target=0.5, rule="none") == 1.0

    @given(entropies, entropies, entropies, st.sampled_from(["continuous", "two-point"]))
    def test_it_stays_in_range_and_never_rises_with_entropy(self, one, other, target, rule):
        low_entropy, high_entropy = sorted([one, other])
        cold, warm = (
            auxiliary_temperature(entropy, target=target, low=0.7, high=1.4, rule=rule)
            for entropy in (high_entropy, low_entropy)
        )
        assert 0.7 <= cold <= warm <= 1.4


class TestPositives:
    def test_without_a_threshold_a_positive_is_a_reward_of_one(self):
        assert is_positive(golden.tensor(-1, 0, 1), None).tolist() == [False, False, True]

    @pytest.mark.parametrize("reward", [0.5, 1.1, -0.2])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_graded_rewards_need_a_threshold(self, reward, dtype):
        rewards = torch.tensor([1.0, reward], dtype=dtype)
        with pytest.raises(ValueError, match=rf"{reward:g} is none of .* set regulariser\.positive_threshold"):
            is_positive(rewards, None)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_the_threshold_itself_is_positive(self, dtype):
        rewards = torch.tensor([0.59, 0.6, 1.1], dtype=dtype)
        assert is_positive(rewards, 0.6).tolist() == [False, True, True]
        assert is_positive(rewards, 1.1).tolist() == [False, False, True]


class TestReinforce:
    OLD = golden.tensor(-1.0)
    RATIOS = golden.tensor([0.05, 0.5, 0.79, 0.95, 1.15, 1.25, 6.0])

    def test_it_pulls_up_until_the_upper_bound_and_then_lets_go(self):
        logprobs = (self.OLD + self.RATIOS.log()).requires_grad_()
        loss = positive_reinforce(logprobs, self.OLD)
        (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
        pulled = torch.where(self.RATIOS < 1.2, self.RATIOS, 0.0)
        torch.testing.assert_close(loss, -self.RATIOS.clamp(max=1.2))
        torch.testing.assert_close(gradient, -pulled)

    def test_its_gradient_is_the_derivative_of_its_value(self):
        logprobs = (self.OLD + self.RATIOS.log()).requires_grad_()
        assert torch.autograd.gradcheck(lambda values: positive_reinforce(values, self.OLD), (logprobs,))

    @pytest.mark.parametrize("log_ratio", [1000.0, -1000.0])
    def test_overflow_stays_finite(self, log_ratio):
        logprob = torch.tensor(log_ratio, requires_grad=True)
        loss = positive_reinforce(logprob, torch.tensor(0.0))
        (gradient,) = torch.autograd.grad(loss, logprob)
        assert math.isfinite(loss.item())
        assert gradient.item() == 0


class TestAdaptedCoefficient:
    @pytest.mark.parametrize(
        ("coefficient", "entropy", "expected"),
        [
            (0.001, 0.19, 0.006),
            (0.006, 0.2, 0.001),  # at the target it is lowered already
            (0.006, 0.9, 0.001),
            (0.001, 0.9, 0.0),
            (0.998, 0.0, 1.0),
            (0.25, None, 0.25),
        ],
    )
    def test_the_published_setting(self, coefficient, entropy, expected):
        assert adapted_coefficient(coefficient, entropy, target=0.2) == pytest.approx(expected, abs=1e-15)

    @given(st.floats(0, 0.5), entropies, entropies)
    def test_it_stays_in_range_and_moves_by_at_most_one_step(self, coefficient, entropy, target):
        found = adapted_coefficient(coefficient, entropy, target=target, adaptation=0.1, limit=0.5)
        assert 0 <= found <= 0.5
        assert abs(found - coefficient) <= 0.1 + 1e-12

    @given(st.floats(0, 1), entropies, entropies)
    def test_it_steers_against_the_entropy(self, coefficient, entropy, target):
        found = adapted_coefficient(coefficient, entropy, target=target)
        assert found >= coefficient if entropy < target else found <= coefficient

    def test_a_controlled_entropy_swings_around_its_target(self):
        """With an entropy of half a nat per unit of c: c climbs to target / .5 and stays within two steps of it."""
        coefficient, found = 0.0, []
        for _ in range(200):
            coefficient = adapted_coefficient(coefficient, 0.5 * coefficient, target=0.2)
            found.append(coefficient)
        assert max(abs(late - 0.4) for late in found[100:]) <= 2 * 0.005


class TestDivergence:
    LOGPROBS = golden.tensor([-3.0, -1.0, -0.2, -5.0])
    REFERENCE = golden.tensor([-1.0, -1.0, -2.0, -4.5])

    def test_by_hand(self):
        assert k3(*golden.tensor(-3.0, -1.0)).item() == pytest.approx(math.e**2 - 2 - 1)

    @given(st.floats(-30, 0), st.floats(-30, 0))
    def test_it_is_never_negative_and_zero_only_where_the_policies_agree(self, logprob, reference):
        found = k3(torch.tensor(logprob, dtype=torch.float64), torch.tensor(reference, dtype=torch.float64)).item()
        assert found >= 0
        if abs(logprob - reference) > 1e-6:
            assert found > 0

    @given(st.integers(0, 2**32 - 1))
    def test_its_expectation_is_the_divergence(self, seed):
        """Over all tokens of two distributions, not a sample of them."""
        random = torch.Generator().manual_seed(seed)
        policy, first = (torch.randn(9, generator=random, dtype=torch.float64).log_softmax(-1) for _ in range(2))
        exact = (policy.exp() * (policy - first)).sum()
        torch.testing.assert_close((policy.exp() * k3(policy, first)).sum(), exact)

    def test_its_gradient_is_the_derivative_of_its_value(self):
        logprobs = self.LOGPROBS.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda values: k3(values, self.REFERENCE), (logprobs,))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("difference", [1000.0, -1000.0])
    def test_overflow_stays_finite(self, difference, dtype):
        logprob = torch.tensor(difference, dtype=dtype, requires_grad=True)
        loss = k3(logprob, torch.zeros((), dtype=dtype))
        (gradient,) = torch.autograd.grad(loss, logprob)
        assert math.isfinite(loss.item())
        assert math.isfinite(gradient.item())
