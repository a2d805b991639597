"""Estimators beside the group's mean: returns whitened over a batch, advantages of steps, shared tokens, lengths."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aepo.algorithms.advantages import (
    gigpo,
    overlong_penalty,
    reinforce_plus_plus,
    reinforce_plus_plus_baseline,
    shared_mean,
    whitened,
)
from aepo.algorithms.estimate import ESTIMATORS, Experience, estimate
from aepo.algorithms.parts import Advantage
from tests.algorithms import golden
from tests.algorithms.batches import CONTEXT, parts, rollouts


class TestReinforcePlusPlus:
    def test_the_worked_example(self):
        found = reinforce_plus_plus(golden.REWARDS, golden.MASK)
        torch.testing.assert_close(found, golden.REINFORCE_PLUS_PLUS[:, None] * golden.MASK, atol=1e-6, rtol=0)

    def test_the_return_is_carried_across_tool_results(self):
        """Every turn of a trajectory is credited with its end; verl #7278 leaves all but the last without."""
        found = reinforce_plus_plus(golden.REWARDS, golden.MASK)
        for row, mask in zip(found, golden.MASK.bool(), strict=True):
            assert (row[mask] == row[mask][0]).all()
            assert row[mask][0] != 0

    def test_with_a_baseline_every_prompt_is_judged_by_itself_before_the_batch_scales(self):
        rewards, groups = golden.tensor(1, 0, 11, 10), torch.tensor([0, 0, 1, 1])
        found = reinforce_plus_plus_baseline(rewards, groups, torch.ones(4, 3, dtype=torch.float64))
        assert found[:, 0].tolist() == pytest.approx([found[0, 0].item(), -found[0, 0].item()] * 2)
        assert found.mean().item() == pytest.approx(0, abs=1e-12)
        assert found.std().item() == pytest.approx(1)

    def test_without_one_an_easy_prompt_is_praised_and_a_hard_one_blamed(self):
        rewards, mask = golden.tensor(1, 0, 11, 10), torch.ones(4, 3, dtype=torch.float64)
        assert (reinforce_plus_plus(rewards, mask)[:, 0] > 0).tolist() == [False, False, True, True]

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("reward", [1.1, 1 / 3, 0.0])
    def test_equal_returns_teach_exactly_nothing(self, reward, dtype):
        mask = torch.ones(16, 7, dtype=dtype)
        rewards, groups = torch.full((16,), reward, dtype=dtype), torch.zeros(16, dtype=torch.long)
        assert not reinforce_plus_plus(rewards, mask).any()
        assert not reinforce_plus_plus_baseline(rewards, groups, mask).any()


class TestWhitened:
    def test_it_has_mean_zero_and_unbiased_deviation_one_inside_the_mask_and_is_zero_outside(self):
        found = whitened(golden.LOGPROBS, golden.MASK)
        inside = golden.MASK.bool()
        assert found[inside].mean().item() == pytest.approx(0, abs=1e-12)
        assert found[inside].std().item() == pytest.approx(1, rel=1e-6)
        assert not found[~inside].any()

    @pytest.mark.parametrize("tokens", [0, 1])
    def test_too_few_tokens_have_no_spread(self, tokens):
        assert not whitened(golden.tensor([5.0, 9.0]), golden.tensor([tokens, 0])).any()

    def test_outside_the_mask_not_even_nan_matters(self):
        found = whitened(torch.where(golden.MASK.bool(), golden.LOGPROBS, torch.nan), golden.MASK)
        torch.testing.assert_close(found, whitened(golden.LOGPROBS, golden.MASK))


def steps_as_tokens(rewards, groups, anchors, **settings):
    """Advantages of steps, one token each."""
    width = max(map(len, anchors))
    turns = torch.tensor([[turn if turn < len(row) else -1 for turn in range(width)] for row in anchors])
    found = gigpo(rewards, torch.tensor(groups), turns, anchors, **settings)
    assert not found[turns < 0].any()
    return [row[: len(steps)] for row, steps in zip(found.tolist(), anchors, strict=True)]


class TestGigpo:
    @pytest.mark.parametrize("mode", ["mean", "mean-std"])
    def test_the_worked_example(self, mode):
        found = steps_as_tokens(golden.STEP_REWARDS, [0, 0, 0], golden.STEP_ANCHORS, normalise_std=mode == "mean-std")
        for row, expected in zip(found, golden.GIGPO[mode], strict=True):
            assert row == pytest.approx(list(expected), abs=1e-6)

    def test_the_returns_of_the_worked_example(self):
        """Beside an opponent that returns 0 at every anchor, half of a step's return is its advantage."""
        for reward, anchors, returns in zip(golden.STEP_REWARDS, golden.STEP_ANCHORS, golden.STEP_RETURNS, strict=True):
            rewards = torch.stack([reward, torch.zeros_like(reward)])
            found, _ = steps_as_tokens(rewards, [0, 0], (anchors, anchors))
            episode = reward.item() / 2
            assert [2 * (step - episode) for step in found] == pytest.approx(list(returns))

    def test_a_turn_of_many_tokens_is_one_step(self):
        long = gigpo(golden.tensor(1, 0), torch.zeros(2).long(), torch.tensor([[0, 0, 0, -1, 1]] * 2), ((5, 6), (5, 7)))
        short = gigpo(golden.tensor(1, 0), torch.zeros(2).long(), torch.tensor([[0, 1]] * 2), ((5, 6), (5, 7)))
        torch.testing.assert_close(long[:, [0, 4]], short)
        torch.testing.assert_close(long[:, [0, 1, 2]], long[:, [0, 0, 0]], rtol=0, atol=0)

    def test_a_step_without_its_like_has_only_its_episode(self):
        found = steps_as_tokens(golden.tensor(1, 0), [0, 0], ((1, 2), (3, 4)))
        assert found == [[0.5, 0.5], [-0.5, -0.5]]

    def test_other_prompts_observations_are_none_of_its_like(self):
        apart = steps_as_tokens(golden.tensor(1, 0, 1, 0), [0, 0, 1, 1], ((1, 2), (3, 4), (1, 2), (3, 4)))
        assert apart == [[0.5, 0.5], [-0.5, -0.5]] * 2

    def test_the_weight_of_steps_is_omega(self):
        episode, half, whole = (
            torch.tensor(steps_as_tokens(golden.STEP_REWARDS, [0, 0, 0], golden.STEP_ANCHORS, omega=omega)[0])
            for omega in (0.0, 0.5, 1.0)
        )
        torch.testing.assert_close(half, (episode + whole) / 2)
        assert (episode == episode[0]).all()


class TestSharedMean:
    def test_sharers_of_a_token_share_its_advantage_each_counted_once(self):
        """Three trajectories share a first segment; two of them a second one."""
        advantages = golden.tensor(1, 0, -4)[:, None].expand(3, 3)
        segments = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 4, -1]])
        found = shared_mean(advantages * (segments >= 0), segments)
        assert found.tolist() == [[-1, 0.5, 1], [-1, 0.5, 0], [-1, -4, 0]]

    def test_without_shared_tokens_it_changes_nothing(self):
        segments = torch.arange(12).reshape(3, 4)
        advantages = golden.tensor(1, 0, -4)[:, None].expand(3, 4)
        torch.testing.assert_close(shared_mean(advantages, segments), advantages, rtol=0, atol=0)

    @given(rollouts())
    def test_what_the_batch_gets_in_total_stays(self, its):
        soft, hard = (estimate(its.experience, Advantage(sharing=kind), context=CONTEXT) for kind in ("soft", "hard"))
        assert hard.sum().item() == pytest.approx(soft.sum().item(), abs=1e-9)

    def test_nothing_to_share_is_fine(self):
        nothing = torch.zeros(2, 3, dtype=torch.float64)
        assert torch.equal(shared_mean(nothing, nothing.long() - 1), nothing)


class TestOverlong:
    @pytest.mark.parametrize(
        ("length", "penalty"), [(0, 0), (16384, 0), (16385, -1 / 4096), (18432, -0.5), (20480, -1), (24576, -2)]
    )
    def test_the_published_setting(self, length, penalty):
        found = overlong_penalty(golden.tensor(length), full=20480, buffer=4096)
        assert found.item() == pytest.approx(penalty)

    def test_the_factor_scales_it(self):
        assert overlong_penalty(golden.tensor(10), full=10, buffer=4, factor=0.5).item() == -0.5

    def test_it_counts_policy_tokens_and_turns_equal_rewards_into_a_preference(self):
        mask = golden.tensor([1, 1, 1, 1], [1, 1, 0, 1])  # a tool's token does not count
        its = experience(mask=mask, rewards=golden.tensor(1, 1))
        shaped = Advantage(overlong_factor=1.0, overlong_buffer=0.5, normalise_std=False)
        found = estimate(its, shaped, context=4)
        assert found[:, 0].tolist() == [-0.25, 0.25]  # of penalties 1 and .5
        assert not estimate(
            its, shaped.model_copy(update={"overlong_tokens": 8}), context=4
        ).any()  # the settings' length wins
        assert not estimate(its, Advantage(), context=4).any()


class TestEstimate:
    def test_every_choice_of_the_settings_exists(self):
        assert set(get_args(Advantage.model_fields["estimator"].annotation)) == set(ESTIMATORS)

    @given(rollouts(), parts)
    def test_what_the_mask_leaves_out_gets_nothing(self, its, chosen):
        found = estimate(its.experience, chosen[0], context=CONTEXT)
        assert found.shape == its.experience.mask_NT.shape
        assert not found[its.experience.mask_NT == 0].any()

    @given(rollouts(), parts, st.permutations(range(3)))
    def test_prompts_segments_and_observations_are_only_labels(self, its, chosen, names):
        its = its.experience
        relabelled = replace(
            its,
            groups_N=1000 - 17 * its.groups_N,
            segments_NT=torch.where(its.segments_NT < 0, -1, 70 - 7 * its.segments_NT),
            anchors=[[100 + names[anchor] for anchor in row] for row in its.anchors],
        )
        here, there = (estimate(one, chosen[0], context=CONTEXT) for one in (its, relabelled))
        torch.testing.assert_close(there, here, rtol=1e-12, atol=1e-12)


def experience(mask, rewards):
    """One prompt, one turn, nothing shared."""
    rows, inside = len(mask), mask > 0
    return Experience(
        rewards_N=rewards,
        groups_N=torch.zeros(rows, dtype=torch.long),
        mask_NT=mask,
        turns_NT=torch.where(inside, 0, -1),
        segments_NT=torch.where(inside, torch.arange(rows)[:, None], -1),
        anchors=[[0]] * rows,
    )
