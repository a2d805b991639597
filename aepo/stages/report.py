"""report: what the run did, for people (report.html) and for programs (summary.json), and the gate's decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import STEERED
from aepo.artifacts import read_artifact, write_manifest
from aepo.config import Config, to_yaml
from aepo.errors import UserError
from aepo.evaluation.gate import Decision, decide, paired_difference, samples_by_policy
from aepo.evaluation.health import collapse_bound, explosion_bound
from aepo.evaluation.statistics import Interval, clustered_bootstrap, pass_at_k
from aepo.report import AccuracyRow, ReportData, render
from aepo.report.data import Statistic
from aepo.stages.evaluate import read_scores
from aepo.stages.names import REPORT, ROLLOUTS, SUMMARY
from aepo.stages.policies import Policy, open_policy
from aepo.stages.result import StageResult
from aepo.stages.verdict import entropy_history
from aepo.stages.work import Work, stage
from aepo.stages.workplace import run_folder, store_of
from aepo.storage.addresses import is_local
from aepo.telemetry import summary as written
from aepo.telemetry.summary import Entropy, Summary
from aepo.trajectories.parquet import read_trees
from aepo.trajectories.tree import RolloutTree

BOUNDS: tuple[Literal["before_at_most"], Literal["after_at_most"]] = ("before_at_most", "after_at_most")
MOMENTS: tuple[Literal["before"], Literal["after"]] = ("before", "after")
NAMES = {"baseline": "warm start", "candidate": "candidate", "champion": "champion"}
SHOWN_TREES = 2


@dataclass(frozen=True)
class _Findings:
    policy: Policy
    before: Policy
    accuracy: list[AccuracyRow]
    entropy: Entropy
    gain: Interval
    verdict: str
    decision: Decision


@stage(keep=False)
def report(
    work: Work,
    *,
    candidate: Path,
    baseline: Path,
    scores: Sequence[Path],
    rollouts: Sequence[Path],
    verdict: str,
    output: Path,
) -> StageResult:
    """Write report.html and summary.json, here and into the run's folder in the store; `state` is promote or keep."""
    config, store = work.config, work.store
    policy, before = open_policy(candidate, store), open_policy(baseline, store)
    tables = dict(read_scores(path) for path in scores)
    if missing := [name for name in config.evaluation.benchmarks if name not in tables]:
        raise UserError(f"report was given no scores of {missing[0]}: pass what evaluate wrote for every benchmark.")
    gating = tables[config.evaluation.benchmarks[0]]
    samples = samples_by_policy(gating)
    decision = decide(samples, verdict, config.gate, seed=config.seed)
    findings = _Findings(
        policy=policy,
        before=before,
        accuracy=[row for benchmark, rows in tables.items() for row in _accuracy(config, benchmark, rows)],
        entropy=_entropy(gating),
        gain=paired_difference(samples.get("candidate", {}), samples.get("baseline", {}), seed=config.seed),
        verdict=verdict,
        decision=decision,
    )
    summary = _summary(config, findings)
    shards = [read_artifact(path, "rollouts") for path in rollouts]
    trees = _shown([tree for shard in shards for tree in read_trees(shard.folder / ROLLOUTS)])
    page = render(_data(config, findings, trees))
    output.mkdir(parents=True, exist_ok=True)
    for name, text in ((REPORT, page), (SUMMARY, json.dumps(summary, indent=2) + "\n")):
        (output / name).write_text(text, encoding="utf-8")
        store.write_text(f"{config.run}/{name}", text)
    write_manifest(output, "report", {"decision": decision.state, "policy": policy.sha256})
    return StageResult(_metrics(summary), decision.state)


def _accuracy(config: Config, benchmark: str, rows: list[dict[str, Any]]) -> list[AccuracyRow]:
    samples = samples_by_policy(rows)
    k = config.evaluation.samples
    found = []
    for role, name in NAMES.items():
        questions = samples.get(role)
        if not questions:
            continue
        full = [values for values in questions.values() if len(values) >= k]
        mine = [row for row in rows if row["policy"] == role]
        found.append(
            AccuracyRow(
                policy=name,
                benchmark=benchmark,
                pass_at_1=clustered_bootstrap(list(questions.values()), seed=config.seed),
                pass_at_k=clustered_bootstrap(
                    [[pass_at_k(len(values), sum(value >= 1 for value in values), k)] for values in full],
                    seed=config.seed,
                )
                if full and k > 1
                else None,
                k=k,
                questions=len({row["question"] for row in mine}),
                samples=k,
                unscored=sum(row["value"] is None for row in mine),
            )
        )
    return found


def _summary(config: Config, findings: _Findings) -> Summary:
    gating = config.evaluation.benchmarks[0]
    by_name = {row.policy: row for row in findings.accuracy if row.benchmark == gating}
    return {
        "run": config.run,
        "method": config.method,
        "accuracy": {
            "before": _of(by_name.get("warm start")),
            "after": _of(by_name.get("candidate")),
            "difference": _written(findings.gain),
        },
        "entropy": findings.entropy,
        "steps": findings.policy.state.step,
        "verdict": findings.verdict,
        "decision": findings.decision.state,
        "reasons": list(findings.decision.reasons),
        "policy_sha256": findings.policy.sha256,
        "report": _address(config),
    }


def _address(config: Config) -> str:
    """Where people find the report: a path on this machine, or an address in the store."""
    if is_local(config.storage.root):
        return str(run_folder(config) / REPORT)
    return store_of(config).uri(f"{config.run}/{REPORT}")


def _of(row: AccuracyRow | None) -> written.Interval | None:
    return None if row is None else _written(row.pass_at_1)


def _written(interval: Interval) -> written.Interval:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _entropy(rows: list[dict[str, Any]]) -> Entropy:
    """Of both policies' evaluation samples."""
    return {
        "before": _per_token(rows, "baseline", "entropy"),
        "after": _per_token(rows, "candidate", "entropy"),
        "before_at_most": _per_token(rows, "baseline", "upper_entropy"),
        "after_at_most": _per_token(rows, "candidate", "upper_entropy"),
    }


def _per_token(rows: list[dict[str, Any]], role: str, column: str) -> float | None:
    mine = [row for row in rows if row["policy"] == role and row[column] is not None]
    tokens = sum(row["tokens"] for row in mine)
    return sum(row[column] * row["tokens"] for row in mine) / tokens if tokens else None


def _metrics(summary: Summary) -> dict[str, float]:
    accuracy, entropy = summary["accuracy"], summary["entropy"]
    metrics = {"difference": accuracy["difference"]["mean"], "difference_low": accuracy["difference"]["low"]}
    for moment in MOMENTS:
        if (interval := accuracy[moment]) is not None:
            metrics |= {
                f"accuracy_{moment}": interval["mean"],
                f"accuracy_{moment}_low": interval["low"],
                f"accuracy_{moment}_high": interval["high"],
            }
        if (mean := entropy[moment]) is not None:
            metrics[f"entropy_{moment}"] = mean
    for bound in BOUNDS:
        if (mean := entropy.get(bound)) is not None:
            metrics[f"entropy_{bound}"] = mean
    return metrics


def _statistic(config: Config) -> Statistic:
    """What explorations are decided by."""
    if config.exploration.statistic == "official":
        return "official"
    return "lower bound" if config.rollout.top_logprobs else "exact"


def _shown(trees: list[RolloutTree]) -> list[RolloutTree]:
    """The most branched main trees, one of mixed outcome first: they show most."""

    def interest(tree: RolloutTree) -> tuple[bool, int]:
        return len({leaf.reward for leaf in tree.leaves}) > 1, sum(tree.branches_by_depth().values())

    main = [tree for tree in trees if tree.role == "main"]
    return sorted(main, key=interest, reverse=True)[:SHOWN_TREES]


def _data(config: Config, findings: _Findings, trees: list[RolloutTree]) -> ReportData:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(findings.policy.folder / "tokenizer.json"))
    history = findings.policy.state.history
    entropies = entropy_history(history)
    start = entropies[0] if entropies else 0.0
    method = METHODS[config.method]
    return ReportData(
        title=f"{method.title} on {config.environment.name}",
        run=config.run,
        method=method.id,
        method_title=method.title,
        facts={
            "paper": method.paper,
            "seed": str(config.seed),
            "environment": config.environment.name,
            "rollout steps": str(findings.policy.state.step),
            "policy": findings.policy.sha256[:16],
            "started from": findings.before.sha256[:16],
        },
        history=history,
        accuracy=findings.accuracy,
        difference=findings.gain,
        verdict=findings.verdict,
        decision=findings.decision.state,
        reasons=findings.decision.reasons,
        collapse_floor=collapse_bound(start, config.gate),
        explosion_bound=explosion_bound(start, config.gate),
        statistic=_statistic(config),
        target_entropy=config.regulariser.target if STEERED.holds(config) else None,
        trees=trees,
        token_text=lambda token: tokenizer.decode([token], skip_special_tokens=False),
        config_yaml=to_yaml(config),
    )
