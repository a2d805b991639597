"""What the body of every component does: read the configuration, run one stage, publish its numbers.

A mistake of the user's ends the process with its message as the last line of the log, without a traceback;
any other error keeps its traceback. The stage has recorded either in the run's event log, where the command line
finds what to say. SIGTERM, with which a cluster ends a pod, ends the stage in order: what is done is saved, and the
same step, started again, goes on from there.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from aepo.config import Config, resolve
from aepo.errors import UserError, brief, shorten
from aepo.interrupts import terminable

TERMINATED = 143
"""Exit code of a stage that SIGTERM has ended, as shells give it."""


class Metrics(Protocol):
    """The part of `kfp.dsl.Metrics` that is used."""

    def log_metric(self, metric: str, value: float) -> None:
        """Publish one number."""


def run(
    stage: str,
    config: str,
    metrics: Metrics | None = None,
    *,
    compiled_for: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> str:
    """Run a stage and return the state it decided on, "" if none.

    Args:
        stage: name of a module of `aepo.stages` and of the function in it.
        config: the configuration, as JSON.
        metrics: where the stage's numbers go.
        compiled_for: settings that are built into the graph, by their dotted names; config must agree.
        arguments: what else the stage takes; artifacts of kfp become paths.
    """
    try:
        settings = read_config(config)
        check_compiled(settings, compiled_for or {})
    except UserError as error:
        raise SystemExit(f"{stage}: {error}") from None
    try:
        with terminable():
            function = getattr(importlib.import_module(f"aepo.stages.{stage}"), stage)
            result = function(settings, **{name: _plain(value) for name, value in arguments.items()})
    except UserError as error:
        raise SystemExit(f"{stage}: {error}") from None
    except KeyboardInterrupt:
        print(f"{stage}: terminated; started again, it goes on from what is saved.", file=sys.stderr)  # noqa: T201
        raise SystemExit(TERMINATED) from None
    if metrics is not None:
        _publish(result.metrics, metrics)
    return str(result.state)


def read_config(text: str) -> Config:
    """The configuration in a pipeline's parameter.

    Raises:
        UserError: it is no JSON object, or no configuration.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the parameter config is no valid JSON: {shorten(error)}. {_WRITE_IT}") from None
    if not isinstance(tree, dict):
        raise UserError(f"the parameter config must be a JSON object, not {brief(tree)}. {_WRITE_IT}")
    return resolve(tree)


_WRITE_IT = "Compile the pipeline with `aepo compile`: what it writes is the parameter's default."


def check_compiled(config: Config, compiled_for: Mapping[str, Any]) -> None:
    """Refuse a configuration that asks for another graph than the one that runs.

    Raises:
        UserError: a setting that shapes the graph was changed after the graph was compiled.
    """
    for name, compiled in compiled_for.items():
        section, _, key = name.partition(".")
        value = getattr(getattr(config, section), key)
        value = list(value) if isinstance(value, tuple) else value
        if value != compiled:
            raise UserError(
                f"{name} is {value}, but this graph was compiled for {compiled}: compile it again with `aepo compile`."
            )


def _plain(value: Any) -> Any:
    """A path for an artifact, paths for a list of them, anything else as it is."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return Path(value.path) if hasattr(value, "path") else value


def _publish(numbers: Mapping[str, float], metrics: Metrics) -> None:
    """Hand the numbers to kfp, but for those that JSON cannot carry."""
    for name, value in numbers.items():
        if math.isfinite(value):
            metrics.log_metric(name, value)
