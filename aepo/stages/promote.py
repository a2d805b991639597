"""promote: point the store's champion to the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aepo.artifacts import read_artifact, write_manifest
from aepo.errors import UserError
from aepo.stages.champions import champion, forget_opponent, promote_to_champion
from aepo.stages.policies import open_policy
from aepo.stages.result import StageResult
from aepo.stages.work import Work, stage


@stage(keep=False)
def promote(work: Work, *, candidate: Path, scores: Sequence[Path], output: Path) -> StageResult:
    """Write the champion pointer; whoever trains next is compared with it.

    Raises:
        UserError: the scores are of another policy than the candidate, or against another champion than today's.
    """
    policy, current = open_policy(candidate, work.store), champion(work.config, work.store)
    if current.sha256 != policy.sha256:
        try:
            for path in scores:
                _check_scores(path, policy.sha256, current.sha256)
        except UserError:
            forget_opponent(work.config, work.store, policy.sha256)
            raise
        promote_to_champion(work.config, work.store, policy, current)
    output.mkdir(parents=True, exist_ok=True)
    write_manifest(output, "promotion", {"pointer": work.store.uri(current.key), "policy": policy.sha256})
    return StageResult({"promoted": 1.0}, "promoted")


def _check_scores(path: Path, candidate: str, champion_now: str | None) -> None:
    artifact = read_artifact(path, "scores")
    scored, compared = str(artifact.entry("policies", dict).get("candidate")), artifact.metadata.get("champion")
    if scored != candidate:
        raise UserError(f"the scores {path} are of policy {scored[:16]}, not of {candidate[:16]}: evaluate it first.")
    if compared != champion_now:
        was, now = (str(digest)[:16] if digest else "none" for digest in (compared, champion_now))
        raise UserError(
            f"the champion has changed since the scores {path} were taken (then {was}, now {now}): run again, the "
            "policy is then compared with the new one."
        )
