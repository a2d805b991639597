"""The process in which Kubeflow's local runner works. It reads a configuration, a line of JSON, from its input.

Its input stays open for as long as somebody waits for it. When it closes, because `aepo run` was killed, the runner
ends itself and its stages: no run goes on unseen.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path

from pipelines.warm import start_server, start_stages_warm


def main() -> None:
    """Run the training pipeline.

    The command line names the folder for its artifacts, and the descriptor of the run's lock, if there is one.
    """
    folder, *lock = sys.argv[1:]
    warm = sys.platform == "linux"
    if warm:
        start_server()
    from kfp import local

    from aepo.config import Config
    from pipelines.training import training_pipeline

    use_this_python()
    if warm:
        start_stages_warm(int(lock[0]) if lock else None)
    warnings.filterwarnings("ignore", message=".*non-Python base image")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
    config = Config.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        training_pipeline(config)()
    except RuntimeError as error:
        sys.exit(str(error))


def _end_with_input() -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)


def use_this_python() -> None:
    """Let stages run in this interpreter's environment.

    The runner replaces the word python3 by `sys.executable` in everything it passes to a stage, in paths and
    in the configuration too, and quotes nothing. Found by the search path, the interpreter is the same and
    there is nothing to replace.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    sys.executable = "python3"
