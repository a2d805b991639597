"""Starts the stages of a local run in processes that have torch and transformers imported already.

Kubeflow's local runner starts every stage in a new interpreter. The imports of one take seconds, longer than
most stages of a small run take to work. Here a server, the one of `multiprocessing`, imports once and forks a
process per stage; what a stage does and sees is the same. The server runs no Python thread and touches no
accelerator; the threads that OpenBLAS and jemalloc keep in it are made to be forked. Elsewhere than on Linux
forking is not that safe, and stages start the runner's way.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, reduction
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PRELOADED = [
    "pipelines.warm",
    "components.runtime",
    "kfp.dsl.executor_main",
    "aepo.stages.train",
    "aepo.stages.report",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
]
"""What the server imports. A stage may import more, and none of it is needed for the result."""


def start_server() -> None:
    """Start importing in the background. Call it before kfp is imported: the server needs its small half only."""
    multiprocessing.set_forkserver_preload(PRELOADED)
    os.environ["_KFP_RUNTIME"] = "true"
    forkserver.ensure_running()
    del os.environ["_KFP_RUNTIME"]


def start_stages_warm(lock: int | None = None) -> None:
    """Make the local runner fork from the server, for commands of the form that it gives to components.

    Args:
        lock: descriptor that every stage keeps open until it ends, whatever becomes of its runner.
    """
    from kfp.local import subprocess_task_handler as handler

    cold = handler.run_local_subprocess

    def run_local_subprocess(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
        match full_command:
            case ["sh", "-ec", script, source, *arguments] if "kfp.dsl.executor_main" in script:
                return _fork(source, arguments, dict(env_vars or {}), _Descriptor(lock))
        return int(cold(full_command, env_vars))

    handler.run_local_subprocess = run_local_subprocess


class _Descriptor:
    """An open file that a forked process is to inherit; in that process, it stands for the inherited one."""

    def __init__(self, number: int | None) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        if self._number is None:
            return _Descriptor, (None,)
        return _inherited, (reduction.DupFd(self._number),)


def _inherited(duplicate: Any) -> _Descriptor:
    return _Descriptor(duplicate.detach())


def _fork(source: str, arguments: list[str], environment: dict[str, str], lock: _Descriptor) -> int:
    sys.stdout.flush()
    process = multiprocessing.get_context("forkserver").Process(
        target=_execute, args=(source, arguments, environment, lock)
    )
    process.start()
    process.join()
    return int(process.exitcode or 0)


def _execute(source: str, arguments: list[str], environment: dict[str, str], _lock: _Descriptor) -> None:
    """What the command would have done: run kfp's executor on the component's source."""
    _end_with_parent()
    from kfp.dsl.executor_main import executor_main

    os.environ.update(environment)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ephemeral_component.py"
        program.write_text(source, encoding="utf-8")
        sys.argv = ["executor_main", "--component_module_path", str(program), *arguments]
        executor_main()


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the server ends, which ends with the runner: no stage goes on unseen."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
