"""The learner: one rollout batch in, several clipped updates out.

Old log-probs and entropies come from one pass of the trainer before the updates; the mismatch with the
sampling engine's log-probs is corrected by truncated importance sampling, w = min(exp(old − sampler), cap).
Advantages, entropy statistics and denominators are global over the mini-batch: the micro-batch split never
changes the result. Mini-batches are split by whole trees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from aepo import keys
from aepo.algorithms.estimate import Experience, estimate
from aepo.algorithms.objective import Batch, Targets, auxiliary_weights, loss, targets
from aepo.algorithms.parts import STEPWISE
from aepo.training.packing import MicroBatch, Trajectory, pack, unroll
from aepo.training.policy import occurrences
from aepo.trajectories.tree import RolloutTree

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
    from aepo.training.settings import TrainingSettings


@dataclass(frozen=True)
class Objective:
    """What is optimised."""

    advantage: Advantage
    surrogate: Surrogate
    regulariser: Regulariser


class Learner:
    """Updates a model in place.

    Args:
        model: the policy.
        objective: the method's loss.
        settings: of the optimizer and of batches.
        total_steps: rollout steps of the run, over which the learning rate decays.
        seed: of the run; decides the order of trees.
        context: most tokens of a trajectory.
        reference: the first policy, for objectives that keep near it.
        call_of: what a turn's text asks for; turns that ask for the same and get the same answer are steps alike.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        settings: TrainingSettings,
        *,
        total_steps: int,
        seed: int,
        context: int,
        reference: PreTrainedModel | None = None,
        call_of: Callable[[str], Hashable] = str,
    ) -> None:
        self.model = model
        self._context = context
        self._reference = reference
        self._call_of = call_of
        self._objective = objective
        self._settings = settings
        self._total_steps = total_steps
        self._seed = seed
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def learning_rate(self, step: int) -> float:
        """Linear from `learning_rate` at the first step to `final_rate` of it at the last."""
        progress = min(1.0, step / max(1, self._total_steps - 1))
        return self._settings.learning_rate * (1 - (1 - self._settings.final_rate) * progress)

    def update(self, trees: Sequence[RolloutTree], step: int, *, coefficient: float | None = None) -> dict[str, float]:
        """Learn from a batch of trees; returns metrics.

        Unscored trajectories are left out of everything.

        Args:
            trees: the batch.
            step: of the run.
            coefficient: of the entropy bonus, where a controller has set it.
        """
        trajectories = [trajectory for trajectory in unroll(trees) if trajectory.reward is not None]
        if not trajectories:
            return {"trained_tokens": 0.0}
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.model.train()
        batch = self._batch(trajectories, trees)
        sums: Counter[str] = Counter()
        norms, losses = [], []
        for epoch in range(self._settings.epochs):
            for members in self._split(trajectories, step, epoch):
                chosen = [trajectories[index] for index in members]
                total, norm, counts = self._step(chosen, batch.rows(members), coefficient)
                losses.append(total)
                norms.append(norm)
                sums.update(counts)
        return {
            "loss": float(np.mean(losses)),
            "grad_norm": float(np.mean(norms)),
            "skipped": float(np.sum(~np.isfinite(norms))),
            "learning_rate": self.learning_rate(step),
            "trained_tokens": float(batch.mask_NT.sum()) * self._settings.epochs,
            "clipped_high": sums["clipped_high"] / max(1, sums["positive_tokens"]),
            "clipped_low": sums["clipped_low"] / max(1, sums["tokens"]),
            **{name: sums[name] / max(1, sums["tokens"]) for name in ("kl", "kl_first") if name in sums},
            **_batch_metrics(batch, trajectories, self._objective.regulariser),
        }

    # -- one mini-batch ---------------------------------------------------------------------------------------

    def _step(
        self, trajectories: list[Trajectory], batch: Batch, coefficient: float | None
    ) -> tuple[float, float, Counter[str]]:
        micro_batches = pack(trajectories, self._settings.microbatch_tokens)
        current = None
        if self._objective.advantage.entropy_from == "current" and self._objective.advantage.entropy_weight > 0:
            current = self._statistics(self.model, trajectories, batch.mask_NT.shape[1])[1]
        goal = targets(batch, self._objective.advantage, self._objective.regulariser, current, coefficient=coefficient)
        self.optimizer.zero_grad(set_to_none=True)
        total, counts = 0.0, Counter[str]()
        for micro in micro_batches:
            value, sums = self._backward(micro, goal)
            total += value
            counts.update(sums)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.gradient_clip))
        if np.isfinite(norm):
            self.optimizer.step()
        return total, norm, counts

    def _backward(self, micro: MicroBatch, goal: Targets) -> tuple[float, dict[str, float]]:
        rows = goal.rows(micro.rows)
        logprobs_NT, entropies_NT = (
            torch.zeros_like(rows.batch.old_logprobs_NT).index_put((micro.place[:, 0], micro.place[:, 1]), values)
            for values in occurrences(self.model, micro)
        )
        value, sums = loss(rows, self._objective.surrogate, logprobs_NT, entropies_NT)
        if value.requires_grad:
            value.backward()
        return float(value.detach()), {name: float(number) for name, number in sums.items()}

    def _split(self, trajectories: list[Trajectory], step: int, epoch: int) -> list[Tensor]:
        """Trajectory indices of each mini-batch: whole trees, main and auxiliary ones spread evenly."""
        order = keys.generator(self._seed, step, epoch, "minibatches")
        parts: list[list[int]] = [[] for _ in range(self._settings.minibatches)]
        for auxiliary in (False, True):
            members = sorted({entry.tree for entry in trajectories if entry.auxiliary == auxiliary})
            for position, index in enumerate(order.permutation(len(members))):
                parts[position % len(parts)].append(members[index])
        groups = [set(part) for part in parts if part]
        return [
            torch.tensor([index for index, entry in enumerate(trajectories) if entry.tree in group]) for group in groups
        ]

    # -- the batch --------------------------------------------------------------------------------------------

    def _batch(self, trajectories: list[Trajectory], trees: Sequence[RolloutTree]) -> Batch:
        width = max(len(trajectory.policy) for trajectory in trajectories)
        mask_NT = _laid_out([np.ones(len(entry.policy)) for entry in trajectories], width, 0.0)
        sampler_NT = _laid_out([entry.logprobs for entry in trajectories], width, 0.0)
        auxiliary_N = torch.tensor([trajectory.auxiliary for trajectory in trajectories])
        rewards_N = torch.tensor([trajectory.reward for trajectory in trajectories], dtype=torch.float32)
        groups_N = torch.tensor([trajectory.tree for trajectory in trajectories])
        weights = [
            trajectory.weight * len(trees[trajectory.tree].leaves)
            if self._settings.loss_weighting == "inverse_branching"
            else 1.0
            for trajectory in trajectories
        ]
        old_NT, entropies_NT = self._statistics(self.model, trajectories, width)
        reference_NT = None
        if self._objective.regulariser.kl > 0 and self._reference is not None:
            reference_NT = self._statistics(self._reference, trajectories, width)[0]
        return Batch(
            rewards_N=rewards_N,
            groups_N=groups_N,
            weights_N=torch.tensor(weights, dtype=torch.float32),
            auxiliary_N=auxiliary_N,
            mask_NT=mask_NT,
            advantages_NT=self._advantages(trajectories, rewards_N, groups_N, mask_NT),
            old_logprobs_NT=old_NT,
            old_entropies_NT=entropies_NT,
            importance_NT=self._importance(old_NT, sampler_NT, mask_NT, auxiliary_N),
            reference_logprobs_NT=reference_NT,
        )

    def _advantages(
        self, trajectories: list[Trajectory], rewards_N: Tensor, groups_N: Tensor, mask_NT: Tensor
    ) -> Tensor:
        """The estimator's, of the main trajectories."""
        result_NT = torch.zeros_like(mask_NT)
        rows = [row for row, entry in enumerate(trajectories) if not entry.auxiliary]
        if rows:
            main, width = [trajectories[row] for row in rows], mask_NT.shape[1]
            experience = Experience(
                rewards_N=rewards_N[rows],
                groups_N=groups_N[rows],
                mask_NT=mask_NT[rows],
                turns_NT=_laid_out([entry.turns for entry in main], width, -1),
                segments_NT=_laid_out([entry.segments for entry in main], width, -1),
                anchors=self._anchors(main) if STEPWISE.holds(self._objective) else (),
            )
            result_NT[rows] = estimate(experience, self._objective.advantage, context=self._context)
        return result_NT

    def _anchors(self, trajectories: list[Trajectory]) -> list[list[tuple[Hashable, str]]]:
        """Per trajectory and turn, the call before it and the answer."""
        return [[(self._call_of(turn), answer) for turn, answer in entry.observed] for entry in trajectories]

    def _importance(self, old_NT: Tensor, sampler_NT: Tensor, mask_NT: Tensor, auxiliary_N: Tensor) -> Tensor:
        """Truncated weights of trainer against sampler; 1 for auxiliary rows, whose mismatch is intended."""
        cap = self._settings.importance_cap
        difference = torch.where(mask_NT.bool(), torch.nan_to_num(old_NT - sampler_NT), torch.zeros_like(old_NT))
        if self._settings.importance == "token":
            weights = difference.exp().clamp(max=cap)
        elif self._settings.importance == "sequence_mask":
            weights = (difference.sum(-1).exp() <= cap).float()[:, None].expand_as(mask_NT)
        else:
            weights = torch.ones_like(mask_NT)
        return torch.where(auxiliary_N[:, None], torch.ones_like(mask_NT), weights)

    @torch.no_grad()
    def _statistics(self, model: PreTrainedModel, trajectories: list[Trajectory], width: int) -> tuple[Tensor, Tensor]:
        """Log-probs and entropies of all policy tokens, (N, T) each, nats."""
        logprobs_NT = torch.zeros(len(trajectories), width)
        entropies_NT = torch.zeros(len(trajectories), width)
        for micro in pack(trajectories, self._settings.microbatch_tokens):
            logprobs, entropies = occurrences(model, micro)
            place = (micro.rows[micro.place[:, 0]], micro.place[:, 1])
            logprobs_NT[place], entropies_NT[place] = logprobs, entropies
        return logprobs_NT, entropies_NT


def _laid_out(rows: Sequence[np.ndarray], width: int, rest: float) -> Tensor:
    """Rows of different lengths as (N, width), `rest` behind their ends; of the type of `rest`."""
    result_NT = torch.full((len(rows), width), rest)
    for row, values in enumerate(rows):
        result_NT[row, : len(values)] = torch.from_numpy(values)
    return result_NT


def _batch_metrics(batch: Batch, trajectories: list[Trajectory], regulariser: Regulariser) -> dict[str, float]:
    """Entropy with leaf weights (what every controller uses), importance and auxiliary counts."""
    weights = torch.tensor([trajectory.weight for trajectory in trajectories])[:, None] * batch.main_mask
    metrics = {
        "importance": float(batch.importance_NT[batch.mask_NT.bool()].mean()),
    }
    if batch.old_entropies_NT is not None and weights.any():
        metrics["entropy"] = float((batch.old_entropies_NT * weights).sum() / weights.sum())
    if batch.auxiliary_N.any():
        positive = auxiliary_weights(batch, regulariser) > 0
        metrics |= {"auxiliary": float(batch.auxiliary_N.sum()), "positives": float(positive.sum())}
    return metrics
