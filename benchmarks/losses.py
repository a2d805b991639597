"""What the loss of a method costs on this machine: advantages and surrogate of a million tokens, beside TRL's loss.

    python benchmarks/losses.py > benchmarks/results/losses.jsonl

One JSON object a line on stdout, and a table of them on stderr. Times are medians, over repeats in which all methods
take turns, of processor time on one thread: of the estimator with everything that is computed once per mini-batch,
and of the loss, forward and backward to log-probs. TRL's loss is its trainer's own on the same tensors, with the
log-probs handed to it: `dapo`, which has the same denominator, and for cispo `cispo`. `--quick` is a smoke run on few
tokens.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from aepo.algorithms.estimate import Experience, estimate
from aepo.algorithms.methods import METHODS, Method
from aepo.algorithms.objective import Batch, Targets, loss, targets

GROUP = 16
TURNS = 4
SHARE_OF_AUXILIARY = 0.25


def rollouts(trajectories: int, tokens: int) -> tuple[Experience, Batch]:
    """Trajectories of four turns that share nothing, all of the same length; advantages are left to be estimated."""
    random = torch.Generator().manual_seed(0)

    def normal(scale: float = 1.0) -> Tensor:
        return scale * torch.randn(trajectories, tokens, generator=random)

    turns_NT = (torch.arange(tokens) * TURNS // tokens).expand(trajectories, tokens)
    rewards_N = torch.randint(-1, 2, (trajectories,), generator=random).float()
    old_NT = -normal().exp()
    experience = Experience(
        rewards_N=rewards_N,
        groups_N=torch.arange(trajectories) // GROUP,
        mask_NT=torch.ones(trajectories, tokens),
        turns_NT=turns_NT,
        segments_NT=torch.arange(trajectories)[:, None] * TURNS + turns_NT,
        anchors=torch.randint(0, 8, (trajectories, TURNS), generator=random).tolist(),
    )
    batch = Batch(
        rewards_N=rewards_N,
        groups_N=experience.groups_N,
        weights_N=torch.ones(trajectories),
        auxiliary_N=torch.zeros(trajectories, dtype=torch.bool),
        mask_NT=experience.mask_NT,
        advantages_NT=torch.zeros(trajectories, tokens),
        old_logprobs_NT=old_NT,
        importance_NT=torch.ones(trajectories, tokens),
        old_entropies_NT=normal().abs(),
    )
    return experience, batch


class Ours:
    """A method's two parts on these rollouts; where it has auxiliary samples, the last prompts are such."""

    def __init__(self, row: Method, experience: Experience, batch: Batch) -> None:
        self.row = row
        self._experience = experience
        self._main = len(batch.rewards_N)
        if row.regulariser.function == "auxiliary":
            self._main -= int(len(batch.rewards_N) * SHARE_OF_AUXILIARY) // GROUP * GROUP
            batch = replace(batch, auxiliary_N=torch.arange(len(batch.rewards_N)) >= self._main)
            self._experience = Experience(**{name: value[: self._main] for name, value in vars(experience).items()})
        self._batch = batch

    def prepare(self) -> Targets:
        """From rewards to what the loss needs beside the policy."""
        advantages_NT = torch.zeros_like(self._batch.mask_NT)
        context = advantages_NT.shape[1]
        advantages_NT[: self._main] = estimate(self._experience, self.row.advantage, context=context)
        return targets(replace(self._batch, advantages_NT=advantages_NT), self.row.advantage, self.row.regulariser)

    def step(self, goal: Targets, logprobs_NT: Tensor, entropies_NT: Tensor) -> None:
        """The loss, and its gradient."""
        value, _ = loss(goal, self.row.surrogate, logprobs_NT, entropies_NT)
        value.backward()


def trl_trainer(folder: str, model: Any, tokenizer: Any, **settings: Any) -> Any:
    """TRL's trainer, ready to compute its loss on one batch."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    quiet = {"report_to": [], "disable_tqdm": True, "output_dir": folder}
    on_cpu = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=lambda **_: [0.0],
        args=GRPOConfig(**quiet, **on_cpu, per_device_train_batch_size=2, num_generations=2, **settings),
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"prompt": ["one"]}),
    )
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    return trainer


def trl_loss(
    trainer: Any,
    batch: Batch,
    advantages_NT: Tensor,
    logprobs_NT: Tensor,
    entropies_NT: Tensor,
    *,
    tokens: Tensor | None = None,
) -> Tensor:
    """TRL's loss of these tensors; its pass through the model is replaced by the log-probs and entropies given.

    Args:
        trainer: of `trl_trainer`.
        batch: the rest of what it needs.
        advantages_NT: of each token.
        logprobs_NT: differentiable, nats.
        entropies_NT: nats.
        tokens: policy tokens of the global mini-batch; None = those of this one.
    """
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (logprobs_NT, entropies_NT, None)
    completion = torch.ones_like(logprobs_NT, dtype=torch.long)
    inputs = {
        "prompt_ids": completion[:, :1],
        "prompt_mask": completion[:, :1],
        "completion_ids": completion,
        "completion_mask": completion,
        "tool_mask": batch.mask_NT,
        "advantages": advantages_NT,
        "old_per_token_logps": batch.old_logprobs_NT,
        "ref_per_token_logps": batch.reference_logprobs_NT,
        "importance_sampling_ratio": batch.importance_NT,
        "num_items_in_batch": batch.mask_NT.sum() if tokens is None else tokens,
    }
    value: Tensor = trainer.compute_loss(trainer.model, inputs)
    return value


def small_model() -> tuple[Any, Any]:
    """The least that TRL's trainer accepts."""
    from aepo.training.policy import build_policy
    from aepo.training.settings import ModelSettings

    smallest = ModelSettings(hidden_size=16, intermediate_size=16, layers=1, heads=1)
    return build_policy(smallest, context=64, seed=0)


def measure(trajectories: int, tokens: int, repeats: int) -> list[dict[str, Any]]:
    """A result per method: seconds, and the ratio to TRL's."""
    experience, batch = rollouts(trajectories, tokens)
    logprobs_NT = (batch.old_logprobs_NT + 0.3 * torch.randn(trajectories, tokens)).requires_grad_()
    entropies_NT = batch.old_entropies_NT.clone().requires_grad_()
    methods = {name: Ours(row, experience, batch) for name, row in METHODS.items()}
    goals = {name: method.prepare() for name, method in methods.items()}
    with tempfile.TemporaryDirectory() as folder:
        trainers = {kind: trl_trainer(folder, *small_model(), loss_type=kind) for kind in ("dapo", "cispo")}

    def step_of_trl(kind: str) -> None:
        trl_loss(trainers[kind], batch, goals["grpo"].advantages_NT, logprobs_NT, entropies_NT.detach()).backward()

    jobs: dict[tuple[str, str], Callable[[], object]] = {}
    for name, method in methods.items():
        jobs["advantages", name] = method.prepare
        jobs["loss", name] = lambda method=method, goal=goals[name]: method.step(goal, logprobs_NT, entropies_NT)
    for kind in trainers:
        jobs["trl", kind] = lambda kind=kind: step_of_trl(kind)
    seconds = _medians(jobs, repeats, [logprobs_NT, entropies_NT])
    return [_result(name, seconds, trajectories * tokens, repeats) for name in methods]


def _medians(jobs: dict[Any, Callable[[], object]], repeats: int, leaves: Sequence[Tensor]) -> dict[Any, float]:
    taken: dict[Any, list[float]] = {job: [] for job in jobs}
    for repeat in range(repeats + 1):  # the first one warms caches up
        for job, run in jobs.items():
            for leaf in leaves:
                leaf.grad = None
            started = time.process_time()
            run()
            if repeat:
                taken[job].append(time.process_time() - started)
    return {job: statistics.median(times) for job, times in taken.items()}


def _result(method: str, seconds: dict[Any, float], tokens: int, repeats: int) -> dict[str, Any]:
    theirs = "cispo" if method == "cispo" else "dapo"
    advantages, own, trl = seconds["advantages", method], seconds["loss", method], seconds["trl", theirs]
    return {
        "name": f"{method} advantages and loss",
        "value": round(advantages + own, 4),
        "unit": "s",
        "advantages_s": round(advantages, 4),
        "loss_s": round(own, 4),
        "trl": theirs,
        "trl_loss_s": round(trl, 4),
        "loss_to_trl": round(own / trl, 2),
        "tokens": tokens,
        "repeats": repeats,
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as a Markdown table, in milliseconds."""
    head = ["method", "advantages", "loss", "both", "TRL's loss", "loss to TRL's"]
    lines = [f"| {' | '.join(head)} |", "|---|--:|--:|--:|--:|--:|"]
    for its in results:
        times = [f"{1000 * its[name]:.1f} ms" for name in ("advantages_s", "loss_s", "value", "trl_loss_s")]
        lines.append(f"| {its['name'].split()[0]} | {' | '.join(times)} ({its['trl']}) | {its['loss_to_trl']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run on few tokens")
    parser.add_argument("--repeats", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = measure(64, 16, 2) if arguments.quick else measure(512, 2048, arguments.repeats)
    for result in results:
        print(json.dumps(result), flush=True)
    print(table(results), file=sys.stderr)


if __name__ == "__main__":
    main()
