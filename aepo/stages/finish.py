"""finish: the exit handler; records how the run ended, whatever happened."""

from __future__ import annotations

import json
import time

from aepo.stages.result import StageResult
from aepo.stages.work import Work, stage

STATUS = "status.json"
"""Its name in a run's folder."""
SUCCESS = ("SUCCEEDED", "SUCCESS")
"""What runners call a success."""


@stage(detail=lambda _, status, **__: status, keep=False)
def finish(work: Work, *, status: str, error: str) -> StageResult:
    """Write `status.json` into the run's folder.

    Args:
        work: the run's configuration and store.
        status: final state of the pipeline as its runner names it.
        error: message of the failure, empty where there was none.
    """
    run = work.config.run
    content = {"run": run, "status": status, "error": error, "time": time.time()}
    work.store.write_text(f"{run}/{STATUS}", json.dumps(content, indent=2) + "\n")
    return StageResult({"succeeded": float(not error and status.upper() in SUCCESS)}, status)
