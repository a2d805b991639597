"""Warm start: supervised learning on an environment's demonstrator, until RL has something to improve.

Cross-entropy on the turns that the player wrote; prompts and tool results are context only. Training stops
early where the sampled accuracy reaches a target: a policy that has learned everything leaves RL no room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from transformers import PreTrainedModel

from aepo.environments.base import Demonstrates
from aepo.interrupts import postponed
from aepo.rollout.codec import Codec
from aepo.rollout.dialogue import Dialogue
from aepo.training.packing import Trajectory, pack
from aepo.training.policy import occurrences
from aepo.training.settings import WarmStartSettings

Measure = Callable[[], float]


def demonstrate(environment: Demonstrates, codec: Codec, dialogue: Dialogue, index: int) -> Trajectory:
    """One demonstration as a trajectory."""
    prompt, turns = environment.demonstration(index)
    tokens = list(dialogue.opening(prompt.text).token_ids)
    policy: list[int] = []
    for written, answer in turns:
        turn = codec.encode(written)
        policy.extend(range(len(tokens), len(tokens) + len(turn)))
        tokens.extend(turn)
        if answer is not None:
            tokens.extend(dialogue.reply(turn, [answer]).token_ids)
    return Trajectory(
        token_ids=np.asarray(tokens, dtype=np.int64),
        policy=np.asarray(policy, dtype=np.int64),
        logprobs=np.zeros(len(policy)),
        turns=np.zeros(len(policy), dtype=np.int64),
        segments=np.zeros(len(policy), dtype=np.int64),
        observed=(),
        reward=1.0,
        weight=1.0,
        tree=index,
        auxiliary=False,
    )


def learning_rate(step: int, settings: WarmStartSettings) -> float:
    """Linear warm-up, then a half cosine down to 0 at the last step."""
    rise = max(1, round(settings.warm_up * settings.steps))
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    progress = (step - rise) / max(1, settings.steps - rise)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


class WarmStart:
    """Trains `model` in place, step by step; between two steps it can be saved and gone on from.

    Args:
        model: the policy.
        codec: its tokenizer.
        environment: whose demonstrator is imitated.
        settings: of the optimizer and of the early stop.
        microbatch_tokens: padded tokens of one forward pass.

    Attributes:
        step: steps made.
        measured: the step after which the accuracy was measured last.
        metrics: the last loss, nats per token, and the last measured accuracy.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        codec: Codec,
        environment: Demonstrates,
        settings: WarmStartSettings,
        *,
        microbatch_tokens: int,
    ) -> None:
        self.model = model
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.step = 0
        self.measured = 0
        self.metrics: dict[str, float] = {}
        self._codec = codec
        self._dialogue = Dialogue(codec, environment.protocol)
        self._environment = environment
        self._settings = settings
        self._microbatch_tokens = microbatch_tokens

    def steps(self, measure: Measure) -> Iterator[int]:
        """Make the steps that are left, each number given after it; stop early at the target accuracy.

        Args:
            measure: accuracy of the policy, sampled; asked every `check_every` steps unless the target is 1.
        """
        settings = self._settings
        while self._goes_on(measure):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.step, settings)
            first = self.step * settings.batch_size
            batch = [
                demonstrate(self._environment, self._codec, self._dialogue, first + index)
                for index in range(settings.batch_size)
            ]
            loss = self._gradient(batch)
            with postponed():
                self.optimizer.step()
                self.metrics["loss"] = loss
                self.step += 1
            yield self.step

    def _goes_on(self, measure: Measure) -> bool:
        """Whether steps are left and the accuracy, measured now where that is due, is below the target."""
        settings = self._settings
        due = settings.target < 1 and self.step % settings.check_every == 0
        if due and self.measured != self.step:
            self.metrics["accuracy"], self.measured = measure(), self.step
        return self.step < settings.steps and self.metrics.get("accuracy", -1.0) < settings.target

    def _gradient(self, batch: list[Trajectory]) -> float:
        """Leave the clipped gradient of the loss in the model; returns the loss."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        count = sum(len(trajectory.policy) for trajectory in batch)
        total = 0.0
        for micro in pack(batch, self._microbatch_tokens):
            logprobs, _ = occurrences(self.model, micro)
            loss = -logprobs.sum() / count
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        return total
