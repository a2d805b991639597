"""rollout: grow the trees of one shard of a planned batch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from aepo.artifacts import write_manifest
from aepo.errors import UserError
from aepo.rollout.metrics import plan_metrics, tree_metrics
from aepo.stages.names import ROLLOUTS
from aepo.stages.policies import open_policy
from aepo.stages.pre_monitor import read_plan
from aepo.stages.result import StageResult
from aepo.stages.session import Session
from aepo.stages.unfinished import TreeJournal
from aepo.stages.work import Work, stage
from aepo.stages.workplace import read_prompts
from aepo.training.model_folder import load_policy
from aepo.trajectories.parquet import write_trees


@stage(detail=lambda config, shard, **_: f"shard {shard + 1} of {config.rollout.shards}")
def rollout(work: Work, *, prompts: Path, plan: Path, policy: Path, shard: int, output: Path) -> StageResult:
    """Write the rollouts of the prompts whose position in the plan is `shard` modulo `rollout.shards`.

    Raises:
        UserError: the plan is of another policy, or names prompts that the prompts artifact lacks.
    """
    shards = work.config.rollout.shards
    opened = open_policy(policy, work.store)
    batch = read_plan(plan, opened.sha256)
    known = {prompt.id: prompt for prompt in read_prompts(prompts, "train")}
    rows = batch.prompts[shard::shards]
    names = [row.prompt_id for row in rows]
    if missing := [name for name in names if name not in known]:
        raise UserError(f"the plan {plan} names prompts that {prompts} lacks, {missing[0]} first: they do not match.")
    session = Session(work.config, *load_policy(opened.folder), log=work.log)
    total = len(rows) + sum(row.auxiliary for row in rows)
    with TreeJournal(work.store, f"{work.unfinished}/trees", work.log.counting(total)) as journal:
        trees = session.rollout([known[name] for name in names], batch, journal)
    tools = session.tool_metrics()
    output.mkdir(parents=True, exist_ok=True)
    write_trees(output / ROLLOUTS, trees)
    metadata = {
        "policy": opened.sha256,
        "rollout_step": batch.step,
        "shard": shard,
        "shards": shards,
        "scales": asdict(batch.scales),
        "plan": plan_metrics(batch),
        "tools": tools,
    }
    write_manifest(output, "rollouts", metadata)
    return StageResult(tree_metrics(trees) | tools)
