"""prepare: the environment's prompts, split into training and held-out, as Parquet."""

from __future__ import annotations

from pathlib import Path

from aepo.artifacts import file_sha256, write_manifest
from aepo.config import Config
from aepo.errors import UserError
from aepo.paths import user_path
from aepo.stages.result import StageResult
from aepo.stages.work import Work, stage
from aepo.stages.workplace import make_environment, write_prompts


def source_digest(config: Config, **_: object) -> str | None:
    """sha256 of the user's file of questions, if there is one."""
    source = config.environment.source
    path = user_path(source) if source else None
    return file_sha256(path) if path is not None and path.is_file() else None


@stage(depends=source_digest)
def prepare(work: Work, *, output: Path) -> StageResult:
    """Write `train.parquet` and `heldout.parquet`.

    Raises:
        UserError: the source cannot be read, or a split is empty.
    """
    environment = make_environment(work.config)
    train, heldout = list(environment.prompts("train")), list(environment.prompts("heldout"))
    for name, split in (("training", train), ("held-out", heldout)):
        if not split:
            source = f" ({work.config.environment.source})" if work.config.environment.source else ""
            raise UserError(
                f"environment {environment.name}{source} has no {name} prompts: give it more rows, or change "
                "environment.train_prompts and environment.heldout_prompts."
            )
    output.mkdir(parents=True, exist_ok=True)
    write_prompts(output / "train.parquet", train)
    write_prompts(output / "heldout.parquet", heldout)
    metrics = {
        "rows": float(len(train) + len(heldout)),
        "train": float(len(train)),
        "heldout": float(len(heldout)),
    }
    records = getattr(environment, "records", None)
    if records is not None:
        metrics |= {"rows": float(len(records.rows)), "malformed": float(len(records.bad))}
    write_manifest(output, "prompts", {"environment": environment.name, **metrics})
    return StageResult(metrics)
