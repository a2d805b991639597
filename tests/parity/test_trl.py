"""Our objective against the loss of TRL's installed trainer: `GRPOTrainer.compute_loss`, value and gradient.

The same, with a dual clip of None: PPO's clip under every pair of bounds (`dapo`, whose denominator is the batch's
token count as ours is), `cispo` where `epsilon_high` is the cap, truncated importance sampling, the entropy bonus,
and k3 where `use_bias_correction_kl` is off. TRL's `delta` is our dual clip.

Differences:
- `grpo` is the mean over trajectories of their token means; ours is the token mean. They agree once a trajectory
  weighs as much as its tokens are few.
- TRL multiplies k3 by the ratio by default; ours is never weighted.
- TRL takes 1e-4 for the ε beside a group's deviation, and we 1e-6: advantages are handed to both here.
- Masked tokens of TRL are those of the completion's padding and of `tool_mask`.
"""

from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from aepo.algorithms.advantages import group_relative
from aepo.algorithms.objective import Batch, loss, targets
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from aepo.training.packing import pack, unroll
from aepo.training.policy import occurrences
from benchmarks.losses import trl_loss
from tests.training.trees import random_tree

PRECISIONS = {"float64": (torch.float64, 1e-12), "float32": (torch.float32, 1e-6)}
precisions = pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS.values(), ids=PRECISIONS)
BOUNDS = [(0.2, 0.2), (0.2, 0.28), (0.05, 1.5), (0.9, 0.01)]
PLAIN = Surrogate(dual_clip=None)
NO_REGULARISER = Regulariser()
TRAJECTORIES, TOKENS = 8, 12


@dataclass(frozen=True)
class Policy:
    """What the policy says of the tokens, nats."""

    logprobs_NT: torch.Tensor
    entropies_NT: torch.Tensor


@dataclass(frozen=True)
class Found:
    """A loss, and its gradients."""

    value: torch.Tensor
    logprobs: torch.Tensor
    entropies: torch.Tensor

    def assert_close(self, other, tolerance):
        for name, value in vars(self).items():
            named = partial("{}: {}".format, name)
            torch.testing.assert_close(value, getattr(other, name), atol=tolerance, rtol=tolerance, msg=named)


def sample(dtype, seed=0):
    """Two prompts; rows end early, have holes where tools answered, and the last one is wholly masked."""
    random = torch.Generator().manual_seed(seed)

    def normal():
        return torch.randn(TRAJECTORIES, TOKENS, generator=random, dtype=torch.float64)

    lengths_N = torch.randint(4, TOKENS + 1, (TRAJECTORIES,), generator=random)
    completed_NT = torch.arange(TOKENS) < lengths_N[:, None]
    mask_NT = (completed_NT & (normal() < 0.8)).double()
    mask_NT[-1] = 0
    rewards_N, groups_N = torch.randn(TRAJECTORIES, generator=random).double(), torch.arange(TRAJECTORIES) // 4
    old_NT = -normal().abs() - 0.1
    batch = Batch(
        rewards_N=rewards_N,
        groups_N=groups_N,
        weights_N=torch.ones(TRAJECTORIES).double(),
        auxiliary_N=torch.zeros(TRAJECTORIES, dtype=torch.bool),
        mask_NT=mask_NT,
        advantages_NT=group_relative(rewards_N, groups_N)[:, None] * mask_NT,
        old_logprobs_NT=old_NT,
        importance_NT=torch.ones_like(old_NT),
        old_entropies_NT=normal().abs(),
        reference_logprobs_NT=old_NT + 0.5 * normal(),
    )
    policy = Policy(old_NT + 0.8 * normal(), normal().abs())
    return as_type(batch, dtype), as_type(policy, dtype)


def as_type(its, dtype):
    return replace(its, **{name: x.to(dtype) for name, x in vars(its).items() if x.is_floating_point()})


def found(loss_of, policy):
    logprobs, entropies = (leaf.clone().requires_grad_() for leaf in (policy.logprobs_NT, policy.entropies_NT))
    value = loss_of(logprobs, entropies)
    value.backward()
    gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in (logprobs, entropies)]
    return Found(value.detach(), *gradients)


def ours(batch, policy, surrogate, regulariser=NO_REGULARISER):
    goal = targets(batch, Advantage(), regulariser)
    return found(lambda *values: loss(goal, surrogate, *values)[0], policy)


def theirs(trainer, batch, policy):
    """Advantages are per trajectory there, masked tokens included."""
    advantages_NT = group_relative(batch.rewards_N, batch.groups_N)[:, None].expand_as(batch.mask_NT)
    return found(lambda *values: trl_loss(trainer, batch, advantages_NT, *values), policy)


class TestTokenMean:
    @precisions
    @pytest.mark.parametrize(("low", "high"), BOUNDS)
    def test_the_clip(self, trainer_of, dtype, tolerance, low, high):
        batch, policy = sample(dtype)
        trainer = trainer_of(loss_type="dapo", epsilon=low, epsilon_high=high)
        surrogate = Surrogate(clip_low=low, clip_high=high, dual_clip=None)
        ours(batch, policy, surrogate).assert_close(theirs(trainer, batch, policy), tolerance)

    @precisions
    @pytest.mark.parametrize("delta", [1.5, 3.0])
    def test_their_delta_is_our_dual_clip(self, trainer_of, dtype, tolerance, delta):
        batch, policy = sample(dtype)
        trainer = trainer_of(loss_type="dapo", epsilon=0.2, epsilon_high=0.28, delta=delta)
        bounded = Surrogate(clip_high=0.28, dual_clip=delta)
        ours(batch, policy, bounded).assert_close(theirs(trainer, batch, policy), tolerance)
        unbounded = ours(batch, policy, Surrogate(clip_high=0.28, dual_clip=None))
        assert not torch.allclose(unbounded.logprobs, ours(batch, policy, bounded).logprobs)

    @precisions
    @pytest.mark.parametrize("cap", [1.2, 2.0, 5.0])
    def test_cispo(self, trainer_of, dtype, tolerance, cap):
        batch, policy = sample(dtype)
        trainer = trainer_of(loss_type="cispo", epsilon_high=cap)
        ours(batch, policy, Surrogate(function="cispo", cap=cap)).assert_close(
            theirs(trainer, batch, policy), tolerance
        )

    def test_two_accumulated_micro_batches_are_two_splits_of_ours(self, trainer_of):
        batch, policy = sample(torch.float64)
        trainer = trainer_of(loss_type="dapo", gradient_accumulation_steps=2)
        advantages_NT = group_relative(batch.rewards_N, batch.groups_N)[:, None].expand_as(batch.mask_NT)
        tokens, goal = batch.mask_NT.sum(), targets(batch, Advantage(), NO_REGULARISER)
        for rows in (torch.tensor([0, 5]), torch.tensor([1, 2, 3, 4, 6, 7])):
            part = Policy(policy.logprobs_NT[rows], policy.entropies_NT[rows])
            here = found(lambda *values, rows=rows: loss(goal.rows(rows), PLAIN, *values)[0], part)
            there = found(
                lambda *values, rows=rows: trl_loss(
                    trainer, batch.rows(rows), advantages_NT[rows], *values, tokens=tokens
                ),
                part,
            )
            here.assert_close(there, 1e-12)


class TestSequenceMean:
    @precisions
    @pytest.mark.parametrize(("low", "high"), BOUNDS)
    def test_grpo_weighs_short_trajectories_more(self, trainer_of, dtype, tolerance, low, high):
        batch, policy = sample(dtype)
        theirs_found = theirs(trainer_of(loss_type="grpo", epsilon=low, epsilon_high=high), batch, policy)
        surrogate = Surrogate(clip_low=low, clip_high=high, dual_clip=None)
        lengths_N = batch.mask_NT.sum(-1).clamp(min=1)
        weighted = replace(batch, weights_N=batch.mask_NT.sum() / (TRAJECTORIES * lengths_N))
        ours(weighted, policy, surrogate).assert_close(theirs_found, tolerance)
        assert not torch.allclose(ours(batch, policy, surrogate).logprobs, theirs_found.logprobs, rtol=1e-2)


class TestBeside:
    @precisions
    def test_the_entropy_bonus(self, trainer_of, dtype, tolerance):
        batch, policy = sample(dtype)
        bonus = Regulariser(function="entropy", coefficient=0.03)
        trainer = trainer_of(loss_type="dapo", entropy_coef=0.03)
        here = ours(batch, policy, PLAIN, bonus)
        here.assert_close(theirs(trainer, batch, policy), tolerance)
        assert here.entropies.any()

    @precisions
    def test_the_divergence_from_the_first_policy(self, trainer_of, dtype, tolerance):
        batch, policy = sample(dtype)
        trainer = trainer_of(loss_type="dapo", use_bias_correction_kl=False)
        trainer.beta = 0.04  # set here, since as an argument it makes the trainer load a second model
        ours(batch, policy, PLAIN, Regulariser(kl=0.04)).assert_close(theirs(trainer, batch, policy), tolerance)

    @precisions
    def test_weights_of_trainer_against_sampler(self, trainer_of, dtype, tolerance):
        """On the surrogate and not on the divergence."""
        batch, policy = sample(dtype)
        random = torch.Generator().manual_seed(1)
        batch = replace(batch, importance_NT=2 * torch.rand(batch.mask_NT.shape, generator=random).to(dtype))
        trainer = trainer_of(loss_type="dapo", use_bias_correction_kl=False)
        trainer.beta, trainer.use_vllm, trainer.vllm_importance_sampling_correction = 0.04, True, True
        ours(batch, policy, PLAIN, Regulariser(kl=0.04)).assert_close(theirs(trainer, batch, policy), tolerance)


class TestPower:
    """The comparison tells losses apart that are not the same."""

    def test_every_region_of_the_clip_is_met(self):
        batch, policy = sample(torch.float64)
        inside = batch.mask_NT > 0
        ratio, advantage = (policy.logprobs_NT - batch.old_logprobs_NT).exp()[inside], batch.advantages_NT[inside]
        for sign in (1, -1):
            signed = ratio[advantage * sign > 0]
            assert (signed < 0.8).any()
            assert ((signed > 0.8) & (signed < 1.2)).any()
            assert ((signed > 1.2) & (signed < 3)).any()
        assert (ratio[advantage < 0] > 3).any()

    @pytest.mark.parametrize("function", ["entropy_balanced_clip", "gppo"])
    def test_a_clip_that_keeps_gradients_has_their_value_and_another_gradient(self, trainer_of, function):
        batch, policy = sample(torch.float64)
        there = theirs(trainer_of(loss_type="dapo", epsilon=0.2), batch, policy)
        here = ours(batch, policy, Surrogate(function=function, dual_clip=None))
        torch.testing.assert_close(here.value, there.value)
        assert (here.logprobs - there.logprobs).abs().max() > 1e-3

    @pytest.mark.parametrize(
        "changed",
        [
            Surrogate(clip_low=0.21, dual_clip=None),
            Surrogate(clip_high=0.21, dual_clip=None),
            Surrogate(),
            Surrogate(function="cispo", cap=1.2),
        ],
    )
    def test_so_have_other_settings(self, trainer_of, changed):
        batch, policy = sample(torch.float64)
        there = theirs(trainer_of(loss_type="dapo", epsilon=0.2), batch, policy)
        with pytest.raises(AssertionError):
            ours(batch, policy, changed).assert_close(there, 1e-6)


class TestModel:
    """From token ids to gradients of parameters, through either side's own pass through the model."""

    @pytest.mark.parametrize(
        ("settings", "surrogate"),
        [
            ({"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28}, Surrogate(clip_high=0.28, dual_clip=None)),
            ({"loss_type": "cispo", "epsilon_high": 1.2}, Surrogate(function="cispo", cap=1.2)),
        ],
        ids=["dapo", "cispo"],
    )
    def test_the_step_is_the_same(self, trainer_of, settings, surrogate):
        trainer = trainer_of(**settings)
        trees = [random_tree(seed, leaves=4, rewards=[1.0, 0.0, -1.0, 1.0]) for seed in (1, 2)]
        trajectories = unroll(trees)
        here, inputs = step_of_ours(trainer.model, trajectories, surrogate)
        trainer.model.zero_grad()
        trainer.compute_loss(trainer.model, inputs).backward()
        for name, parameter in trainer.model.named_parameters():
            named = partial("{}: {}".format, name)
            torch.testing.assert_close(parameter.grad, here[name], atol=1e-6, rtol=1e-5, msg=named)


def step_of_ours(model, trajectories, surrogate):
    """Gradients of parameters, and the same batch for TRL; the old policy is a little off."""
    (micro,) = pack(trajectories, budget=10_000)
    trajectories = [trajectories[row] for row in micro.rows]
    place, shape = tuple(micro.place.T), (len(trajectories), int(micro.place[:, 1].max()) + 1)

    def laid_out(values):
        return torch.zeros(shape).index_put(place, values)

    logprobs_NT, mask_NT = laid_out(occurrences(model, micro)[0]), laid_out(torch.ones(len(micro.place)))
    rewards_N = torch.tensor([entry.reward for entry in trajectories])
    groups_N = torch.tensor([entry.tree for entry in trajectories])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    batch = Batch(
        rewards_N=rewards_N,
        groups_N=groups_N,
        weights_N=torch.ones(len(trajectories)),
        auxiliary_N=torch.zeros(len(trajectories), dtype=torch.bool),
        mask_NT=mask_NT,
        advantages_NT=group_relative(rewards_N, groups_N)[:, None] * mask_NT,
        old_logprobs_NT=logprobs_NT.detach() + 0.5 * noise,
        importance_NT=torch.ones(shape),
    )
    value, _ = loss(targets(batch, Advantage(), NO_REGULARISER), surrogate, logprobs_NT)
    model.zero_grad()
    value.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}, for_trl(micro, batch)


def for_trl(micro, batch):
    """A prompt of one token; in the completion, whatever the policy did not write is a tool's."""
    completion = micro.token_ids[:, 1:]
    predicted, place = tuple(micro.source.T), tuple(micro.place.T)  # the output at s is of completion token s

    def laid_out(values):
        return torch.zeros(completion.shape).index_put(predicted, values[place])

    return {
        "prompt_ids": micro.token_ids[:, :1],
        "prompt_mask": torch.ones_like(micro.token_ids[:, :1]),
        "completion_ids": completion,
        "completion_mask": torch.ones_like(completion),
        "tool_mask": laid_out(batch.mask_NT),
        "advantages": group_relative(batch.rewards_N, batch.groups_N),
        "old_per_token_logps": laid_out(batch.old_logprobs_NT),
        "num_items_in_batch": batch.mask_NT.sum(),
    }
