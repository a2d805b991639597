"""The whole pipeline in one process, for research: the same stages in the same order, no Kubeflow."""

from __future__ import annotations

from pathlib import Path

from aepo.config import Config
from aepo.stages.deadline import at_most
from aepo.stages.evaluate import evaluate
from aepo.stages.finish import finish
from aepo.stages.pre_monitor import pre_monitor
from aepo.stages.prepare import prepare
from aepo.stages.promote import promote
from aepo.stages.report import report
from aepo.stages.rollout import rollout
from aepo.stages.train import train
from aepo.stages.verdict import verdict
from aepo.stages.warm_start import warm_start


def run_in_process(config: Config, folder: Path) -> None:
    """Run every stage; artifacts lie below `folder`, the report in the run's folder."""
    try:
        _run(config, folder)
    except Exception as failure:
        finish(config, status="FAILED", error=str(failure))
        raise
    except BaseException:
        at_most(lambda: finish(config, status="CANCELLED", error="interrupted"))
        raise
    finish(config, status="SUCCEEDED", error="")


def _run(config: Config, folder: Path) -> None:
    prompts, baseline = folder / "prompts", folder / "policy-0"
    prepare(config, output=prompts)
    warm_start(config, prompts=prompts, output=baseline)
    policy, state, shards = baseline, "healthy", list[Path]()
    for iteration in range(1, config.training.iterations + 1):
        policy, state, shards = _iterate(config, folder, prompts, policy, iteration)
    scores = []
    for benchmark in config.evaluation.benchmarks:
        scores.append(folder / f"scores-{benchmark}")
        evaluate(
            config,
            prompts=prompts,
            candidate=policy,
            baseline=baseline,
            benchmark=benchmark,
            output=scores[-1],
        )
    decision = report(
        config,
        candidate=policy,
        baseline=baseline,
        scores=scores,
        rollouts=shards,
        verdict=state,
        output=folder / "report",
    ).state
    if decision == "promote":
        promote(config, candidate=policy, scores=scores, output=folder / "promotion")


def _iterate(config: Config, folder: Path, prompts: Path, policy: Path, iteration: int) -> tuple[Path, str, list[Path]]:
    plan, trained = folder / f"plan-{iteration}", folder / f"policy-{iteration}"
    pre_monitor(config, prompts=prompts, policy=policy, output=plan)
    shards = [folder / f"rollouts-{iteration}-{shard}" for shard in range(config.rollout.shards)]
    for shard, output in enumerate(shards):
        rollout(config, prompts=prompts, plan=plan, policy=policy, shard=shard, output=output)
    train(config, prompts=prompts, policy=policy, rollouts=shards, output=trained)
    return trained, verdict(config, policy=trained).state, shards
