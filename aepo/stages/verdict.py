"""verdict: is the policy's entropy healthy? An output of a successful task, never a failure."""

from __future__ import annotations

from pathlib import Path

from aepo.evaluation.health import entropy_health
from aepo.stages.policies import open_policy, step_of
from aepo.stages.result import StageResult
from aepo.stages.work import Work, stage


@stage(detail=lambda _, policy: f"step {step_of(policy)}", keep=False)
def verdict(work: Work, *, policy: Path) -> StageResult:
    """`state` is healthy, collapsed or exploding."""
    entropies = entropy_history(open_policy(policy, work.store).state.history)
    state = entropy_health(entropies, work.config.gate)
    metrics = {"healthy": float(state == "healthy")}
    if entropies:
        metrics |= {"entropy_start": entropies[0], "entropy": entropies[-1]}
    return StageResult(metrics, state)


def entropy_history(history: tuple[dict[str, float], ...]) -> list[float]:
    """The entropies of a history, nats, where they were measured."""
    return [row["entropy"] for row in history if "entropy" in row]
