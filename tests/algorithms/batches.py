"""Rollout batches to optimise: random ones for hypothesis, and the worked example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from aepo.algorithms.estimate import Experience, estimate
from aepo.algorithms.objective import Batch, loss, targets
from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from tests.algorithms import golden

CONTEXT = 6
"""Most tokens of a random trajectory: its mask is never wider."""
EITHER = st.booleans()
SIGNS = st.sampled_from([-1.0, 0.0, 1.0])
PROMPTS = st.integers(0, 2)


@dataclass(frozen=True)
class Rollouts:
    """Trajectories, and what the policy says of their tokens.

    Attributes:
        experience: of all trajectories, auxiliary ones included.
        auxiliary_N: bool.
        weights_N: loss weights.
        old_logprobs_NT: nats.
        old_entropies_NT: nats.
        importance_NT: weights of trainer against sampler.
        reference_logprobs_NT: nats.
        logprobs_NT: of the policy that is optimised, nats.
        entropies_NT: of the same, nats.
    """

    experience: Experience
    auxiliary_N: Tensor
    weights_N: Tensor
    old_logprobs_NT: Tensor
    old_entropies_NT: Tensor
    importance_NT: Tensor
    reference_logprobs_NT: Tensor
    logprobs_NT: Tensor
    entropies_NT: Tensor

    def __len__(self) -> int:
        return len(self.auxiliary_N)

    def rows(self, index: Tensor) -> Rollouts:
        """The trajectories at `index`, as if there were no others."""
        its = {name: value[index] for name, value in vars(self).items() if name != "experience"}
        return Rollouts(experience=experience_rows(self.experience, index), **its)

    def with_experience(self, **changes: object) -> Rollouts:
        return replace(self, experience=replace(self.experience, **changes))

    def batch(self, advantage: Advantage, *, context: int = CONTEXT) -> Batch:
        """What the objective sees: the estimator's advantages of the main trajectories."""
        main = torch.nonzero(~self.auxiliary_N)[:, 0]
        advantages_NT = torch.zeros_like(self.experience.mask_NT)
        if len(main):
            advantages_NT[main] = estimate(experience_rows(self.experience, main), advantage, context=context)
        return Batch(
            rewards_N=self.experience.rewards_N,
            groups_N=self.experience.groups_N,
            weights_N=self.weights_N,
            auxiliary_N=self.auxiliary_N,
            mask_NT=self.experience.mask_NT,
            advantages_NT=advantages_NT,
            old_logprobs_NT=self.old_logprobs_NT,
            importance_NT=self.importance_NT,
            old_entropies_NT=self.old_entropies_NT,
            reference_logprobs_NT=self.reference_logprobs_NT,
        )


def experience_rows(its: Experience, index: Tensor) -> Experience:
    tensors = {name: value[index] for name, value in vars(its).items() if name != "anchors"}
    return Experience(anchors=[its.anchors[row] for row in index.tolist()], **tensors)


@st.composite
def rollouts(draw, auxiliary=EITHER, rewards=SIGNS, groups=PROMPTS):
    """Masks have holes, rows may be wholly masked, prompts may have one trajectory, steps share anchors."""
    rows, tokens = draw(st.integers(1, 7)), draw(st.integers(1, CONTEXT))
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))

    def uniform(*shape, low=0.0, high=1.0):
        return low + (high - low) * torch.rand(*shape, generator=random, dtype=torch.float64)

    def integers(*shape, below):
        return torch.randint(below, shape, generator=random)

    def per_row(values):
        return torch.tensor(draw(st.lists(values, min_size=rows, max_size=rows)))

    groups_N = per_row(groups)
    mask_NT = (uniform(rows, tokens) < draw(st.sampled_from([0.0, 0.5, 0.8, 1.0]))).double()
    turns_NT = (uniform(rows, tokens) < 0.4).long().cumsum(-1)
    observed = integers(rows, CONTEXT + 1, below=3).tolist()
    old = uniform(rows, tokens, low=-4.0)
    return Rollouts(
        experience=Experience(
            rewards_N=per_row(rewards).double(),
            groups_N=groups_N,
            mask_NT=mask_NT,
            turns_NT=torch.where(mask_NT > 0, turns_NT, -1),
            segments_NT=torch.where(mask_NT > 0, 3 * groups_N[:, None] + integers(rows, tokens, below=3), -1),
            anchors=[anchors[: last + 1] for anchors, last in zip(observed, turns_NT[:, -1].tolist(), strict=True)],
        ),
        auxiliary_N=per_row(auxiliary),
        weights_N=uniform(rows, low=0.5, high=1.5),
        old_logprobs_NT=old,
        old_entropies_NT=uniform(rows, tokens, high=3.0),
        importance_NT=uniform(rows, tokens, high=2.0),
        reference_logprobs_NT=old + uniform(rows, tokens, low=-1.0),
        logprobs_NT=old + uniform(rows, tokens, low=-1.8, high=1.8),
        entropies_NT=uniform(rows, tokens, high=3.0),
    )


parts = st.tuples(
    st.builds(
        Advantage,
        estimator=st.sampled_from(["group_relative", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "gigpo"]),
        normalise_std=EITHER,
        step_weight=st.sampled_from([0.5, 1.0]),
        discount=st.sampled_from([0.5, 0.95, 1.0]),
        sharing=st.sampled_from(["soft", "hard"]),
        entropy_weight=st.sampled_from([0.0, 0.2, 1.0]),
        overlong_factor=st.sampled_from([0.0, 1.0]),
        overlong_tokens=st.sampled_from([None, 4]),
        overlong_buffer=st.sampled_from([0.5, 1.0]),
    ),
    st.builds(
        Surrogate,
        function=st.sampled_from(["ppo_clip", "entropy_balanced_clip", "gppo", "cispo"]),
        clip_low=st.sampled_from([0.1, 0.2]),
        clip_high=st.sampled_from([0.2, 0.28]),
        dual_clip=st.sampled_from([None, 3.0]),
        cap=st.sampled_from([1.2, 5.0]),
        floor=st.sampled_from([None, 0.8]),
    ),
    st.builds(
        Regulariser,
        function=st.sampled_from(["none", "auxiliary", "entropy"]),
        coefficient=st.sampled_from([1 / 64, 0.5]),
        positive=st.sampled_from(["reward", "advantage", "all"]),
        kl=st.sampled_from([0.0, 0.1]),
    ),
)


def golden_batch(**changes: object) -> Batch:
    """The worked example, with neutral weights."""
    ones = torch.ones_like(golden.MASK)
    batch = Batch(
        rewards_N=golden.REWARDS,
        groups_N=golden.GROUPS,
        weights_N=ones[:, 0],
        auxiliary_N=torch.zeros(4, dtype=torch.bool),
        mask_NT=golden.MASK,
        advantages_NT=golden.GRPO[:, None] * golden.MASK,
        old_logprobs_NT=golden.OLD_LOGPROBS,
        old_entropies_NT=golden.ENTROPIES,
        importance_NT=ones,
    )
    return replace(batch, **changes)


@dataclass(frozen=True)
class Outcome:
    """A mini-batch's loss, its gradients with respect to log-probs and entropies, and metric sums."""

    loss: float
    logprobs: Tensor
    entropies: Tensor
    sums: dict[str, float]


def outcome(
    batch: Batch,
    logprobs_NT: Tensor,
    advantage: Advantage,
    surrogate: Surrogate,
    regulariser: Regulariser,
    *,
    entropies_NT: Tensor | None = None,
    splits: Sequence[Tensor] = (),
) -> Outcome:
    """The loss, computed in micro-batches of the rows in `splits`; of all rows at once where there are none."""
    goal = targets(batch, advantage, regulariser)
    leaf = logprobs_NT.clone().requires_grad_()
    entropy = (torch.zeros_like(leaf) if entropies_NT is None else entropies_NT).clone().requires_grad_()
    total, sums = torch.zeros_like(leaf.detach().sum()), dict[str, float]()
    for rows in splits or [torch.arange(len(leaf))]:
        part, diagnostics = loss(goal.rows(rows), surrogate, leaf[rows], entropy[rows])
        part.backward()
        total += part.detach()
        for name, value in diagnostics.items():
            sums[name] = sums.get(name, 0.0) + value.item()
    gradients = [torch.zeros_like(x) if x.grad is None else x.grad for x in (leaf, entropy)]
    return Outcome(total.item(), *gradients, sums)
