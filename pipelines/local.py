"""Runs the training pipeline on this machine: the very graph that is compiled, by Kubeflow's local runner.

The runner gets a process of its own, in a session of its own. So its chatter goes to pipeline.log by a plain
redirection, the `print` and the root logger that it patches are not ours, and one signal to the process group
ends it together with every stage.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aepo.config import Config
from aepo.errors import UserError
from aepo.stages.deadline import at_most
from aepo.stages.finish import finish
from aepo.telemetry.events import EVENTS, read_events

GRACE = 7.0
"""Seconds that the runner and its stages get to save what is done and end, before they are killed."""

FULL = 2**16
"""Bytes: a disk with less room is full."""

# Not `-m`: stages that are forked would import a main module again, and with it all of kfp.
_ORCHESTRATOR = "from pipelines.orchestrator import main; main()"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_RAISED = re.compile(r"^(\w+(?:\.\w+)*(?:Error|Exception): .*)$", re.MULTILINE)
_SILENT_FAILURE = re.compile(r"Inner task failed: '([^']+)'")


def run_local(config: Config, folder: Path, lock: int | None = None) -> None:
    """Run the pipeline; artifacts lie below `folder`/pipeline, the runner's log is `folder`/pipeline.log.

    Args:
        config: the run's configuration.
        folder: the run's folder, where the stages write their events.
        lock: file descriptor that the runner and its stages keep open until they end, whatever becomes of this
            process.

    Raises:
        UserError: a stage failed; the message is the stage's own.
        KeyboardInterrupt: the run was interrupted; all its processes have ended.
    """
    log, began = folder / "pipeline.log", time.time()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(  # noqa: S603  our own module, our own interpreter
            [sys.executable, "-c", _ORCHESTRATOR, str(folder / "pipeline"), *([] if lock is None else [str(lock)])],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
            pass_fds=() if lock is None else (lock,),
        )
        try:
            _hand_over(config, process)
            process.wait()
        except BaseException:
            _end(process)
            at_most(lambda: finish(config, status="CANCELLED", error="interrupted"))
            raise
    if process.returncode:
        _end(process)  # the runner may have died before its stages
        reason = _reason(folder, log, began)
        if not _events(folder, began, "stage_finished", "finish"):
            with contextlib.suppress(UserError):  # the reason matters more
                finish(config, status="FAILED", error=reason)
        raise UserError(f"{reason}\nThe whole log is {log}.")


def _hand_over(config: Config, process: subprocess.Popen[str]) -> None:
    """Write the configuration to the runner, and keep the pipe open: when it closes, the runner ends."""
    with contextlib.suppress(BrokenPipeError):  # the runner has died already; its log says why
        print(config.model_dump_json(), file=process.stdin, flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    """End the runner and its stages: ask, wait until all have saved what is done, insist."""
    for demand in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, demand)
        deadline = time.monotonic() + GRACE
        while _group_lives(process) and time.monotonic() < deadline:
            time.sleep(0.05)


def _group_lives(process: subprocess.Popen[str]) -> bool:
    """Whether a process of the runner's group is left, other than dead ones that wait to be collected."""
    process.poll()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-process.pid, os.WNOHANG)[0]:  # ours, where this process is the container's first
            pass
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _reason(folder: Path, log: Path, began: float) -> str:
    """What the failed stages said since `began`, or else the last thing the runner said."""
    failures = _events(folder, began, "stage_failed")
    told = [failure for failure in failures if failure["stage"] != "finish"] or failures
    if told:
        return "\n".join(dict.fromkeys(f"stage {failure['stage']} failed: {failure['error']}" for failure in told))
    if shutil.disk_usage(folder).free < FULL:
        return f"{folder}: the disk is full: free some space, or set storage.root (and TMPDIR) to another disk."
    text = _COLOURS.sub("", log.read_text(encoding="utf-8", errors="replace"))
    if silent := _SILENT_FAILURE.search(text):
        if raised := _RAISED.findall(text[: silent.start()]):
            return f"stage {silent[1]} failed: {raised[-1]}"
        return f"stage {silent[1]} ended without a word: it was most likely killed, for example for lack of memory."
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "the local runner ended without a word.")


def _events(folder: Path, began: float, kind: str, stage: str | None = None) -> list[dict[str, Any]]:
    """The events of a kind, and of a stage, since `began`."""
    return [
        event
        for event in read_events(folder / EVENTS)
        if event["event"] == kind and event["time"] >= began and stage in (None, event.get("stage"))
    ]
