"""Surrogate losses. Forward values of the three clips are the same: only gradients tell the methods apart."""

import math
from unittest import mock

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd.gradcheck import GradcheckError

from aepo.algorithms.aggregation import token_mean
from aepo.algorithms.surrogates import LARGEST_LOG_RATIO, SURROGATES, cispo, log_ratio, ppo_clip
from tests.algorithms import golden

CLIPS = ("ppo_clip", "entropy_balanced_clip", "gppo")
VARIANTS = {
    **{function: (function, {}) for function in CLIPS},
    "cispo, both-sided": ("cispo", {"cap": 1.2, "floor": 0.8}),
    "cispo, one-sided": ("cispo", {}),
}


def r(ratio):
    return ratio


def within(ratio):
    return min(max(ratio, 0.8), 1.2)


def capped(ratio):
    return min(ratio, 5.0)


def always(value):
    return lambda _: value


# algorithms.md, 1.3: c of dL/dlogπ = −A·c at ε = .2 and dual clip 3.
REGIONS = {
    "A>0, r ≤ 1.2": (+1, (0.05, 0.5, 0.79, 0.8, 0.81, 1.0, 1.19)),
    "A>0, r > 1.2": (+1, (1.21, 2.0, 3.5, 40.0, 1e6)),
    "A<0, r < .8": (-1, (0.001, 0.4, 0.79)),
    "A<0, .8 ≤ r ≤ 3": (-1, (0.81, 1.0, 1.2, 1.5, 2.99)),
    "A<0, r > 3": (-1, (3.01, 10.0, 1e6)),
}
COEFFICIENTS = {
    "ppo_clip": (r, always(0), always(0), r, always(0)),
    "entropy_balanced_clip": (r, always(1.2), always(0), r, always(0)),
    "gppo": (r, always(1.2), always(0.8), r, always(0)),
    "cispo, both-sided": (within, always(1.2), always(0.8), within, always(1.2)),
    "cispo, one-sided": (capped, capped, capped, capped, capped),
}
CELLS = [
    pytest.param(variant, sign, ratio, expected(ratio), id=f"{variant}: {region}: r={ratio:g}")
    for variant, row in COEFFICIENTS.items()
    for (region, (sign, ratios)), expected in zip(REGIONS.items(), row, strict=True)
    for ratio in ratios
]

finite_logprobs = st.floats(-30, 0)
advantage_values = st.floats(-5, 5)
clips = st.fixed_dictionaries(
    {
        "clip_low": st.floats(0, 0.9),
        "clip_high": st.floats(0, 2),
        "dual_clip": st.none() | st.floats(1.01, 10),
    }
)


def doubles(*values):
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def coefficient(function, ratio, advantage, *, old_logprob=-1.7, **settings):
    """c of dL/dlogπ = −A·c."""
    logprob, old, a = doubles(old_logprob + math.log(ratio), old_logprob, advantage)
    logprob.requires_grad_()
    (gradient,) = torch.autograd.grad(SURROGATES[function](logprob, old, a, **settings), logprob)
    return -gradient.item() / advantage


class TestGradientTable:
    @pytest.mark.parametrize(("variant", "sign", "ratio", "expected"), CELLS)
    @pytest.mark.parametrize("size", [0.3, 2.5])
    def test_as_published(self, variant, sign, ratio, expected, size):
        function, settings = VARIANTS[variant]
        found = coefficient(function, ratio, sign * size, **settings)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize(("variant", "sign", "ratio", "expected"), CELLS)
    def test_without_dual_clip_an_exploded_ratio_keeps_pulling_on_bad_samples(self, variant, sign, ratio, expected):
        function, settings = VARIANTS[variant]
        if function in CLIPS:
            settings = {"dual_clip": None}
            if sign < 0 and ratio > 3:
                expected = ratio
        found = coefficient(function, ratio, 0.7 * sign, **settings)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize("function", ["entropy_balanced_clip", "gppo"])
    @pytest.mark.parametrize(("clip_high", "kept"), [(0.0, 1.0), (0.28, 1.28), (4.0, 5.0)])
    def test_the_kept_gradient_is_that_of_the_upper_bound(self, function, clip_high, kept):
        assert coefficient(function, 9.0, 1.0, clip_high=clip_high) == pytest.approx(kept, rel=1e-12)

    @pytest.mark.parametrize(("clip_low", "kept"), [(0.0, 1.0), (0.3, 0.7), (0.9, 0.1)])
    def test_and_of_the_lower_bound(self, clip_low, kept):
        assert coefficient("gppo", 0.05, -1.0, clip_low=clip_low) == pytest.approx(kept, rel=1e-12)

    @pytest.mark.parametrize("function", CLIPS)
    def test_low_and_high_bounds_are_separate(self, function):
        assert coefficient(function, 1.25, 1.0, clip_low=0.2, clip_high=0.28) == pytest.approx(1.25)
        assert coefficient(function, 0.75, -1.0, clip_low=0.3, clip_high=0.2) == pytest.approx(0.75)

    @pytest.mark.parametrize("function", SURROGATES)
    @pytest.mark.parametrize("ratio", [0.1, 1.0, 50.0])
    def test_no_advantage_no_gradient(self, function, ratio):
        logprob = golden.tensor(math.log(ratio)).requires_grad_()
        loss = SURROGATES[function](logprob, torch.zeros_like(logprob), torch.zeros_like(logprob)).sum()
        assert loss.item() == 0
        assert torch.autograd.grad(loss, logprob)[0].item() == 0


class TestValues:
    @given(finite_logprobs, finite_logprobs, advantage_values, clips)
    def test_the_three_clips_have_the_same_value_everywhere(self, logprob, old, advantage, settings):
        plain, *others = (SURROGATES[name](*doubles(logprob, old, advantage), **settings) for name in CLIPS)
        assert all(torch.equal(plain, other) for other in others)

    @given(finite_logprobs, finite_logprobs, advantage_values, clips)
    def test_their_gradients_differ_exactly_beyond_the_bounds(self, logprob, old, advantage, settings):
        ratio, low, high = math.exp(logprob - old), 1 - settings["clip_low"], 1 + settings["clip_high"]
        assume(min(abs(ratio - low), abs(ratio - high)) > 1e-9 and abs(advantage) > 1e-6 and abs(logprob - old) < 20)
        plain, balanced, preserving = (
            coefficient(name, ratio, advantage, old_logprob=old, **settings) for name in CLIPS
        )
        praised, blamed = advantage > 0 and ratio > high, advantage < 0 and ratio < low
        assert balanced == pytest.approx(high if praised else plain, rel=1e-9)
        assert preserving == pytest.approx(high if praised else low if blamed else plain, rel=1e-9)
        assert not (praised or blamed) or plain == 0

    @given(finite_logprobs, finite_logprobs, advantage_values)
    def test_the_loss_is_the_pessimistic_objective(self, logprob, old, advantage):
        """Against PPO's formula, written out for one number, with dual clip."""
        ratio = math.exp(max(-20.0, min(20.0, logprob - old)))
        objective = min(ratio * advantage, min(max(ratio, 0.8), 1.2) * advantage)
        if advantage < 0:
            objective = max(objective, 3 * advantage)
        assert ppo_clip(*doubles(logprob, old, advantage)).item() == pytest.approx(-objective, rel=1e-12)

    @given(finite_logprobs, finite_logprobs, advantage_values, st.floats(1, 10), st.none() | st.floats(0, 1))
    def test_cispo_weighs_log_probs(self, logprob, old, advantage, cap, floor):
        weight = min(max(math.exp(max(-20.0, min(20.0, logprob - old))), floor or 0), cap)
        found = cispo(*doubles(logprob, old, advantage), cap=cap, floor=floor)
        assert found.item() == pytest.approx(-weight * advantage * logprob, rel=1e-12)

    @pytest.mark.parametrize("function", SURROGATES)
    def test_the_first_update_sees_the_plain_policy_gradient(self, function):
        logprobs = golden.LOGPROBS.clone().requires_grad_()
        advantages = golden.GRPO[:, None].expand_as(logprobs)
        loss = SURROGATES[function](logprobs, logprobs.detach(), advantages)
        torch.testing.assert_close(torch.autograd.grad(loss.sum(), logprobs)[0], -advantages)
        if function in CLIPS:
            torch.testing.assert_close(loss, -advantages)


class TestExtremes:
    @pytest.mark.parametrize("function", SURROGATES)
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("log_ratio", [1000.0, -1000.0])
    @pytest.mark.parametrize("advantage", [2.0, -2.0])
    @pytest.mark.parametrize("bounded", [True, False])
    def test_overflow_stays_finite(self, function, dtype, log_ratio, advantage, bounded):
        unbounded = {"dual_clip": None} if function in CLIPS else {"cap": 1e30}
        logprob = torch.tensor(log_ratio, dtype=dtype, requires_grad=True)
        loss = SURROGATES[function](
            logprob,
            torch.zeros((), dtype=dtype),
            torch.tensor(advantage, dtype=dtype),
            **({} if bounded else unbounded),
        )
        (gradient,) = torch.autograd.grad(loss, logprob)
        assert math.isfinite(loss.item())
        assert math.isfinite(gradient.item())

    @pytest.mark.parametrize(
        ("function", "log_ratio", "advantage", "kept"),
        [
            ("entropy_balanced_clip", 1000.0, 1.0, 1.2),
            ("gppo", 1000.0, 1.0, 1.2),
            ("gppo", -1000.0, -1.0, 0.8),
            ("cispo", 1000.0, 1.0, 5.0),
            ("cispo", 1000.0, -1.0, 5.0),
        ],
    )
    def test_kept_gradients_survive_overflow(self, function, log_ratio, advantage, kept):
        logprob = torch.tensor(log_ratio, requires_grad=True)
        loss = SURROGATES[function](logprob, torch.tensor(0.0), torch.tensor(advantage))
        assert torch.autograd.grad(loss, logprob)[0].item() == pytest.approx(-kept * advantage)

    @given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
    def test_log_ratios_are_clamped_symmetrically(self, logprob, old):
        found = log_ratio(*doubles(logprob, old)).item()
        assert abs(found) <= LARGEST_LOG_RATIO
        if abs(logprob - old) < LARGEST_LOG_RATIO:
            assert found == logprob - old


def holding_stopped_gradients(function):
    """The function with every sg(x) held at its value in the first call: its derivative is what sg means."""
    held = []

    def with_held(logprobs):
        replayed = iter(list(held))
        stop = torch.Tensor.detach

        def detach(tensor):
            found = next(replayed, None)
            if found is None:
                found = stop(tensor).clone()
                held.append(found)
            return found

        with mock.patch.object(torch.Tensor, "detach", detach):
            return function(logprobs)

    return with_held


class TestGradcheck:
    # Some ratios for every smooth piece, none of them near a bound.
    RATIOS = golden.tensor(0.3, 0.6, 0.95, 1.1, 1.6, 2.4, 4.0, 7.0)
    OLD = torch.full_like(RATIOS, -1.0)

    def at_ratios(self):
        return (self.OLD + self.RATIOS.log()).requires_grad_()

    def surrogate(self, variant, advantage, *, dual_clip=3.0):
        function, settings = VARIANTS[variant]
        settings = settings | ({"dual_clip": dual_clip} if function in CLIPS else {})
        return lambda logprobs: SURROGATES[function](
            logprobs, self.OLD, torch.full_like(self.OLD, advantage), **settings
        )

    @pytest.mark.parametrize("variant", VARIANTS)
    @pytest.mark.parametrize("dual_clip", [3.0, None])
    @pytest.mark.parametrize("advantage", [1.3, -0.6])
    def test_every_gradient_is_the_derivative_with_stopped_gradients_held(self, variant, advantage, dual_clip):
        held = holding_stopped_gradients(self.surrogate(variant, advantage, dual_clip=dual_clip))
        held(self.at_ratios())
        assert torch.autograd.gradcheck(held, (self.at_ratios(),))

    @pytest.mark.parametrize("dual_clip", [3.0, None])
    @pytest.mark.parametrize("advantage", [1.3, -0.6])
    def test_ppo_clip_stops_no_gradient(self, advantage, dual_clip):
        assert torch.autograd.gradcheck(self.surrogate("ppo_clip", advantage, dual_clip=dual_clip), (self.at_ratios(),))

    @pytest.mark.parametrize(
        ("variant", "advantage"),
        [
            ("entropy_balanced_clip", 1.3),
            ("gppo", 1.3),
            ("gppo", -0.6),
            ("cispo, both-sided", 1.3),
            ("cispo, one-sided", 1.3),
        ],
    )
    def test_the_others_are_not_the_derivative_of_their_value(self, variant, advantage):
        with pytest.raises(GradcheckError):
            torch.autograd.gradcheck(self.surrogate(variant, advantage), (self.at_ratios(),))


class TestWorkedExample:
    @pytest.mark.parametrize(
        ("function", "advantages", "expected_loss", "expected_gradient"),
        [
            ("ppo_clip", golden.GRPO[:, None], golden.PPO_LOSS, golden.PPO_GRADIENT),
            ("entropy_balanced_clip", golden.GRPO[:, None], golden.PPO_LOSS, golden.BALANCED_GRADIENT),
            (
                "entropy_balanced_clip",
                golden.unmasked(golden.ENTROPY_AWARE),
                golden.BALANCED_ENTROPY_LOSS,
                golden.BALANCED_ENTROPY_GRADIENT,
            ),
        ],
        ids=["ppo", "aepo clip", "aepo clip and advantage"],
    )
    def test_loss_and_gradient(self, function, advantages, expected_loss, expected_gradient):
        logprobs = golden.LOGPROBS.clone().requires_grad_()
        per_token = SURROGATES[function](logprobs, golden.OLD_LOGPROBS, advantages.expand_as(logprobs))
        loss = token_mean(per_token, golden.MASK)
        (gradient,) = torch.autograd.grad(loss, logprobs)
        assert loss.item() == pytest.approx(expected_loss, abs=1e-6)
        torch.testing.assert_close(gradient, golden.unmasked(expected_gradient), atol=1e-6, rtol=0)


class TestTokenMean:
    def test_masked_tokens_neither_add_nor_count(self):
        assert token_mean(golden.tensor(2.0, 4.0, 99.0), golden.tensor(1, 1, 0)).item() == 3.0

    def test_micro_batches_with_the_global_count_add_up(self):
        loss, mask = torch.arange(12.0).reshape(4, 3), (torch.arange(12).reshape(4, 3) % 5 > 0).float()
        parts = [token_mean(loss[rows], mask[rows], denominator=mask.sum()) for rows in ([0], [1, 3], [2])]
        assert sum(parts).item() == pytest.approx(token_mean(loss, mask).item())

    def test_no_tokens_give_zero_and_not_nan(self):
        assert token_mean(torch.ones(3), torch.zeros(3)).item() == 0
