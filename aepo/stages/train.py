"""train: learn from the staged rollouts, then make on-policy steps with a rollout engine held in memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aepo.algorithms.parts import Regulariser
from aepo.algorithms.regularisers import adapted_coefficient
from aepo.artifacts import Artifact, read_artifact
from aepo.config import Config
from aepo.environments.base import Diagnoses, Prompt
from aepo.errors import UserError
from aepo.rollout.metrics import plan_metrics, tree_metrics
from aepo.rollout.plan import BatchPlan, Scales
from aepo.rollout.selection import informative, selected
from aepo.stages.names import ROLLOUTS
from aepo.stages.policies import Policy, PolicyState, open_policy, save_policy, step_of
from aepo.stages.result import StageResult
from aepo.stages.session import Session
from aepo.stages.unfinished import Checkpoints
from aepo.stages.work import Work, stage
from aepo.stages.workplace import prompt_window, read_prompts
from aepo.storage import Store
from aepo.tools.calls.statistics import merge_metrics
from aepo.training.checkpoints import load_optimizer, load_training, save_training
from aepo.training.learner import Learner, Objective
from aepo.training.model_folder import load_policy
from aepo.trajectories.parquet import read_trees
from aepo.trajectories.tree import RolloutTree

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@stage(detail=lambda config, policy, **_: f"steps {step_of(policy) + 1}-{_last_step(config, step_of(policy))}")
def train(work: Work, *, prompts: Path, policy: Path, rollouts: Sequence[Path], output: Path) -> StageResult:
    """Write the trained policy.

    Args:
        work: the run's configuration and store.
        prompts: prompts artifact.
        policy: the policy that made the rollouts.
        rollouts: all shards of one staged batch, in any order.
        output: folder of the new policy artifact.

    Raises:
        UserError: a shard is missing, or the rollouts are of another policy.
    """
    opened = open_policy(policy, work.store)
    shards = _shards(rollouts, opened)
    trainer = _Trainer(work, opened, read_prompts(prompts, "train"))
    last = _last_step(work.config, opened.state.step)
    if trainer.state.step == opened.state.step:
        trainer.staged(shards)
    while trainer.state.step < last:
        trainer.online()
    digest = save_policy(
        work.store,
        work.config.run,
        output,
        trainer.learner.model,
        trainer.tokenizer,
        state=trainer.state,
        parent=opened,
        optimizer=trainer.learner.optimizer,
    )
    metrics = {name: value for name, value in trainer.state.history[-1].items() if math.isfinite(value)}
    return StageResult(metrics, digest)


class _Trainer:
    """A learner, a session that follows it, and the state they advance together, from the newest checkpoint on."""

    def __init__(self, work: Work, opened: Policy, prompts: list[Prompt]) -> None:
        config = work.config
        self._config = config
        self._prompts = prompts
        self._log = work.log
        self._first = opened.state.step
        self._checkpoints = Checkpoints(work.store, work.unfinished)
        self.state: PolicyState = opened.state
        model, self.tokenizer = load_policy(opened.folder)
        self._session = Session(config, model, self.tokenizer, log=work.log)
        self.learner = Learner(
            model,
            Objective(config.advantage, config.surrogate, config.regulariser),
            config.training,
            total_steps=config.total_steps,
            seed=config.seed,
            context=config.rollout.context,
            reference=self._reference(work.store, opened) if config.regulariser.kl > 0 else None,
            call_of=self._session.environment.protocol.parse,
        )
        if (newest := self._checkpoints.newest()) is not None:
            self._resume(newest)
        elif opened.optimizer is not None:
            load_optimizer(self.learner.optimizer, model, opened.optimizer)

    def _reference(self, store: Store, opened: Policy) -> PreTrainedModel:
        """The policy with which the run began."""
        return load_policy(store.fetch(opened.first, "weights").folder)[0]

    def _resume(self, checkpoint: Artifact) -> None:
        load_training(checkpoint.folder, self.learner.model, self.learner.optimizer)
        self.state = PolicyState.from_json(checkpoint.metadata, tuple(checkpoint.metadata["history"]))
        self._log.resumed(self.state.step - self._first, 1 + self._config.training.online_steps)

    def _save(self) -> None:
        self._checkpoints.save(
            self.state.step,
            lambda folder: save_training(folder, self.learner.model, self.learner.optimizer),
            {**self.state.to_json(), "history": self.state.history},
        )

    def staged(self, shards: list[Artifact]) -> None:
        """Learn from rollouts that other stages made."""
        trees = [tree for shard in shards for tree in read_trees(shard.folder / ROLLOUTS)]
        scales, plan = (shards[0].entry(name, dict) for name in ("scales", "plan"))
        tools = merge_metrics(shard.entry("tools", dict) for shard in shards)
        self._learn(trees, Scales(**scales), {"staged": 1.0, **plan, **tools})

    def online(self) -> None:
        """Explore with the newest weights, and learn from it."""
        started = time.perf_counter()
        self._session.follow(self.learner.model)
        trees, plan = draw(self._session, self._prompts, self.state)
        seconds = time.perf_counter() - started
        explored = {**plan_metrics(plan), **self._session.tool_metrics(), "seconds_rollout": seconds}
        self._learn(trees, plan.scales, {"staged": 0.0, **explored})

    def _learn(self, trees: list[RolloutTree], scales: Scales, metrics: dict[str, Any]) -> None:
        state, config = self.state, self._config
        trees = sorted(trees, key=lambda tree: (tree.role != "main", tree.prompt_id))  # no shard count changes this
        kept = teaching(trees, self._prompts, state.cursor, config)
        environment = self._session.environment
        diagnosed = environment.diagnostics(trees) if isinstance(environment, Diagnoses) else {}
        coefficient = entropy_coefficient(config.regulariser, state)
        started = time.perf_counter()
        learned = self.learner.update(kept, state.step, coefficient=coefficient)
        row = {
            "step": float(state.step + 1),
            **metrics,
            **tree_metrics(trees),
            **diagnosed,
            **learned,
            **({} if coefficient is None else {"entropy_coefficient": coefficient}),
            **({"prompts_kept": float(_main(kept))} if config.exploration.dynamic_sampling else {}),
            "seconds_train": time.perf_counter() - started,
        }
        self.state = replace(
            state,
            step=state.step + 1,
            cursor=state.cursor + _main(trees),
            entropy=learned.get("entropy", state.entropy),
            scales=scales,
            coefficient=coefficient,
            history=(*state.history, row),
        )
        done, total = self.state.step - self._first, 1 + config.training.online_steps
        if done < total and done % config.training.checkpoint_steps == 0:
            self._save()
        self._log.progress(done, total, row)


def draw(session: Session, prompts: Sequence[Prompt], state: PolicyState) -> tuple[list[RolloutTree], BatchPlan]:
    """Trees of the next prompts, and the plan of the last batch of them.

    With dynamic sampling, batches are drawn until enough prompts teach something, the batches of a step are spent, or
    one more would draw a prompt again.
    """
    rule, wanted = session.config.exploration, session.config.rollout.prompts
    trees: list[RolloutTree] = []
    scales, left = state.scales, rule.draws if rule.dynamic_sampling else 1
    while True:
        batch = prompt_window(prompts, state.cursor + _main(trees), wanted)
        plan = session.plan(batch, state.step, scales, state.entropy)
        trees += session.rollout(batch, plan)
        scales, left = plan.scales, left - 1
        if not left or _main(filter(informative, trees)) >= wanted or _main(trees) + wanted > len(prompts):
            return trees, plan


def teaching(trees: list[RolloutTree], prompts: Sequence[Prompt], cursor: int, config: Config) -> list[RolloutTree]:
    """Those of the trees, which were drawn from `cursor` on, that a step learns from."""
    if not config.exploration.dynamic_sampling:
        return trees
    order = [prompt.id for prompt in prompt_window(prompts, cursor, _main(trees))]
    return selected(trees, order, config.rollout.prompts)


def entropy_coefficient(rule: Regulariser, state: PolicyState) -> float | None:
    """That of the entropy bonus, from the entropy of the update before; None where no controller moves it."""
    if rule.function != "entropy" or not rule.adaptive:
        return None
    before = rule.coefficient if state.coefficient is None else state.coefficient
    return adapted_coefficient(before, state.entropy, target=rule.target, adaptation=rule.adaptation, limit=rule.limit)


def _main(trees: Iterable[RolloutTree]) -> int:
    """How many of the trees are main ones: as many prompts were drawn."""
    return sum(tree.role == "main" for tree in trees)


def _last_step(config: Config, first: int) -> int:
    return first + 1 + config.training.online_steps


def _shards(folders: Sequence[Path], policy: Policy) -> list[Artifact]:
    """The shards of a staged batch, complete and made by `policy`."""
    shards = [read_artifact(Path(folder), "rollouts") for folder in folders]
    if not shards:
        raise UserError("train was given no rollouts: pass every shard of the rollout stage.")
    for shard in shards:
        if (sampler := shard.entry("policy", str)) != policy.sha256:
            raise UserError(
                f"the rollouts {shard.folder} were sampled by policy {sampler[:16]}, not by "
                f"{policy.sha256[:16]}. Run rollout again with this policy."
            )
    found, wanted = sorted(shard.entry("shard", int) for shard in shards), shards[0].entry("shards", int)
    if found != list(range(wanted)):
        raise UserError(f"the staged batch has {wanted} shards and train was given {found}: pass each exactly once.")
    return shards
