"""pre-monitor: measure a batch's entropy before exploring it, and split its budget."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aepo.artifacts import read_artifact, write_manifest
from aepo.errors import UserError, reason
from aepo.rollout.metrics import plan_metrics
from aepo.rollout.plan import BatchPlan, PromptPlan, Scales
from aepo.stages.names import FIRSTS, PLAN
from aepo.stages.policies import open_policy, step_of
from aepo.stages.result import StageResult
from aepo.stages.session import Session
from aepo.stages.unfinished import TreeJournal
from aepo.stages.work import Work, stage
from aepo.stages.workplace import prompt_window, read_prompts
from aepo.training.model_folder import load_policy
from aepo.trajectories.parquet import read_trees, write_trees

PLAN_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("k", pa.int32(), nullable=False),
        pa.field("m", pa.int32(), nullable=False),
        pa.field("root_entropy", pa.float64()),
        pa.field("tool_entropy", pa.float64()),
        pa.field("auxiliary", pa.bool_(), nullable=False),
    ]
)


@stage(detail=lambda _, policy, **__: f"step {step_of(policy) + 1}")
def pre_monitor(work: Work, *, prompts: Path, policy: Path, output: Path) -> StageResult:
    """Write the budget plan of the next batch: one row per prompt, and the pre-monitor trees."""
    opened = open_policy(policy, work.store)
    state, config = opened.state, work.config
    count = config.exploration.staged_prompts(config.rollout.prompts)
    batch = prompt_window(read_prompts(prompts, "train"), state.cursor, count)
    session = Session(config, *load_policy(opened.folder), log=work.log)
    with TreeJournal(work.store, f"{work.unfinished}/firsts", work.log.counting(len(batch))) as journal:
        plan = session.plan(batch, state.step, state.scales, state.entropy, journal)
    write_plan(output, plan, opened.sha256)
    return StageResult(plan_metrics(plan) | session.tool_metrics())


def write_plan(output: Path, plan: BatchPlan, policy: str) -> None:
    """Write a plan as an artifact that names the policy it was made with."""
    output.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in plan.prompts], schema=PLAN_SCHEMA), output / PLAN)
    write_trees(output / FIRSTS, plan.firsts.values())
    metadata = {
        "policy": policy,
        "rollout_step": plan.step,
        "scales": asdict(plan.scales),
        "temperature": plan.temperature,
    }
    write_manifest(output, "plan", json.loads(json.dumps(metadata)))


def read_plan(folder: Path, policy: str) -> BatchPlan:
    """Read a plan and check that `policy` made it.

    Raises:
        UserError: the plan is missing, damaged, or of another policy.
    """
    artifact = read_artifact(folder, "plan")
    made_by = str(artifact.metadata.get("policy"))
    if made_by != policy:
        raise UserError(
            f"the plan {folder} was made by policy {made_by[:16]}, not by {policy[:16]}: entropies of another "
            "policy say nothing about this one. Run pre-monitor again."
        )
    try:
        rows = pq.read_table(folder / PLAN).cast(PLAN_SCHEMA).to_pylist()
        return BatchPlan(
            step=artifact.entry("rollout_step", int),
            prompts=tuple(PromptPlan(**row) for row in rows),
            scales=Scales(**artifact.entry("scales", dict)),
            temperature=artifact.entry("temperature", float),
            firsts={tree.prompt_id: tree for tree in read_trees(folder / FIRSTS)},
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UserError(f"the plan {folder} cannot be read ({reason(error)}). Run pre-monitor again.") from error
