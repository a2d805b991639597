"""The command line. Commands import what they need when they run, so that `aepo --help` answers at once."""

from __future__ import annotations

import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aepo import __version__
from aepo.errors import UserError, explain, terminable

if TYPE_CHECKING:
    from aepo.config import Config

Runner = Callable[["Config", Path, int], None]
"""Takes the configuration, the run's folder, and the descriptor of its lock."""


class _Commands(click.Group):
    """A group that turns the user's mistakes and interrupts into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _explained():
                return super().invoke(ctx)
        except UserError as error:
            click.echo(f"aepo: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt as interrupt:
            click.echo(f"aepo: {str(interrupt) or 'interrupted'}", err=True)
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aepo")
def main() -> None:
    """Agentic reinforcement learning with entropy under control, as a Kubeflow pipeline."""


_source = click.option("--config", "source", metavar="NAME_OR_FILE", help="Preset or YAML file  [quickstart]")
_settings = click.option("--set", "settings", metavar="A.B=VALUE", multiple=True, help="Change a setting.")
_name = click.option("--name", metavar="RUN", help="Name of the run  [the config's, with the time]")
_new = click.option("--new", is_flag=True, help="Start a new run even if one with this configuration is unfinished.")


@main.command()
@_source
@_settings
@_name
@_new
def run(source: str | None, settings: tuple[str, ...], name: str | None, new: bool) -> None:
    """Train on this machine, through the whole Kubeflow pipeline; an interrupted run goes on."""
    from pipelines.local import run_local

    _run(run_local, source, settings, name, new)


@main.command()
@_source
@_settings
@_name
@_new
def train(source: str | None, settings: tuple[str, ...], name: str | None, new: bool) -> None:
    """Train on this machine, all stages in this process, without Kubeflow; an interrupted run goes on."""

    def run_in_process(config: Config, folder: Path, _: int) -> None:
        from aepo.stages import loop

        loop.run_in_process(config, folder / "artifacts")

    _run(run_in_process, source, settings, name, new)


@main.command("compile")
@_source
@_settings
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("aepo-training.yaml"),
    show_default=True,
    help="YAML file to write.",
)
def compile_pipeline(source: str | None, settings: tuple[str, ...], output: Path) -> None:
    """Write the pipeline as YAML for Kubeflow Pipelines."""
    from aepo.config import load_config
    from aepo.storage.addresses import is_local, local_folder
    from aepo.storage.open import check_address
    from pipelines.compile import compile_training

    config = load_config(source, settings)
    check_address(config.storage)
    compile_training(config, output)
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")
    if is_local(config.storage.root) and not local_folder(config.storage.root).is_absolute():
        click.echo(
            f"note: storage.root is {config.storage.root!r}, a folder of each pod's own; on a cluster set it to one "
            "that all pods share, or to s3://bucket/prefix.",
            err=True,
        )


@main.command()
@click.option("--source", required=True, metavar="FILE", help="Questions: .jsonl, .json (lines), .parquet.")
@click.option("--environment", required=True, type=click.Choice(["math", "qa"]), help="Kind of questions.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New folder to write.")
@_settings
@click.option("--skip-malformed", is_flag=True, help="Leave out rows that cannot be used.")
def prepare(source: str, environment: str, output: Path, settings: tuple[str, ...], skip_malformed: bool) -> None:
    """Check a file of questions and split it into training and held-out ones."""
    from aepo.config import load_config
    from aepo.environments.question_answering import QuestionAnswering
    from aepo.stages.prepare import prepare as stage
    from aepo.stages.workplace import make_environment

    if output.exists():
        raise UserError(f"{output} exists; choose another --output, or remove it.")
    with tempfile.TemporaryDirectory() as scratch:
        config = load_config(
            None,
            [
                f"environment.name={environment}",
                f"environment.source={json.dumps(source)}",
                "environment.train_prompts=0",
                f"environment.malformed_rows={'skip' if skip_malformed else 'refuse'}",
                f"storage.root={json.dumps(scratch)}",
                *settings,
            ],
        )
        counts = stage(config, output=output).metrics
    for name, count in counts.items():
        click.echo(f"{name:<10}{count:>8.0f}")
    questions = make_environment(config)
    if counts.get("malformed") and isinstance(questions, QuestionAnswering):
        click.echo(questions.records.summary_of_bad(), err=True)


@main.command()
def methods() -> None:
    """List the methods: where they come from and which settings they change."""
    from rich.console import Console
    from rich.table import Column, Table

    from aepo.algorithms.methods import METHODS, PARTS

    table = Table(Column("method", no_wrap=True), "title and paper", Column("settings", no_wrap=True))
    for method in METHODS.values():
        changed = method.model_dump(mode="json", include=set(PARTS), exclude_defaults=True)
        lines = [f"{part}.{key}={value}" for part, keys in changed.items() for key, value in keys.items()]
        table.add_row(method.id, f"{method.title}\n{method.paper}", "\n".join(lines))
    Console().print(table)


@main.command()
def presets() -> None:
    """List the presets that --config takes by name."""
    from importlib import resources

    from aepo import config

    for name in config.presets():
        text = (resources.files("aepo") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        comment = " ".join(re.findall(r"^# ?(.*)", text, re.MULTILINE))
        click.echo(f"{name:<12}{comment}")


@main.group()
def config() -> None:
    """Look at configurations."""


@config.command()
@_source
@_settings
def show(source: str | None, settings: tuple[str, ...]) -> None:
    """Print a configuration with everything resolved, as YAML that --config takes."""
    from aepo.config import load_config, to_yaml

    click.echo(to_yaml(load_config(source, settings)), nl=False)


def _run(runner: Runner, source: str | None, settings: tuple[str, ...], name: str | None, new: bool) -> None:
    """Resolve, claim the run's folder, run under the display from where the run stands, and say how it went."""
    from aepo.stages.run import begin, claimed, outcome
    from aepo.stages.workplace import run_folder
    from aepo.telemetry.display import print_summary, print_time_split, watching
    from aepo.telemetry.events import EVENTS, read_events
    from aepo.telemetry.run_state import time_split

    config = _resolve_run(source, settings, name, new)
    folder = run_folder(config)
    with claimed(folder) as lock:
        beginning, why = begin(config)
        if beginning == "finished":
            click.echo(f"the run {folder} is finished; choose another --name for a new one.")
            print_summary(outcome(config))
            return
        if beginning != "new":
            click.echo(
                {"continued": f"going on with {folder}: {why}", "anew": f"starting {folder} anew ({why})"}[beginning]
            )
        began = time.time()
        with (
            _interruptible(f"interrupted; the same command goes on from what is in {folder}"),
            watching(folder / EVENTS, title=f"{config.run}  {config.method}", expected=stages_of(config)),
        ):
            runner(config, folder, lock.fileno())
        print_summary(outcome(config))
        events = [event for event in read_events(folder / EVENTS) if event["time"] >= began]
        print_time_split(time_split(events, began, time.time()))


def _resolve_run(source: str | None, settings: tuple[str, ...], name: str | None, new: bool) -> Config:
    """The configuration, with the run's name in it: `--name`, or the config's own, or the one to go on with."""
    from aepo.config import Config, load_config
    from aepo.stages.run import unfinished_run
    from aepo.stages.workplace import store_of

    config = load_config(source, settings)
    store_of(config)  # an address or credentials that are no use are refused before anything is written
    if name is None and config.run != Config.model_fields["run"].default:
        return config
    if name is None and not new:
        name = unfinished_run(config)
    return load_config(source, [*settings, f"run={json.dumps(name or _new_name(config, source))}"])


def _new_name(config: Config, source: str | None) -> str:
    """A run's name, of its source and the time, that no run has yet. Its folder is made, so that no other takes it."""
    from aepo.storage import local_root

    root = local_root(config.storage)
    root.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^A-Za-z0-9-]+", "-", Path(source or "quickstart").stem).strip("-") or "run"
    name = f"{stem[:40]}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if _made(root / each))


def _made(folder: Path) -> bool:
    with suppress(FileExistsError):
        folder.mkdir()
        return True
    return False


def stages_of(config: Config) -> list[str]:
    """Names of the stages that a run has, in order; whether the last policy is promoted is not yet known."""
    iteration = ["pre_monitor", *["rollout"] * config.rollout.shards, "train", "verdict"]
    return [
        "prepare",
        "warm_start",
        *iteration * config.training.iterations,
        *["evaluate"] * len(config.evaluation.benchmarks),
        "report",
        "promote",
        "finish",
    ]


@contextmanager
def _interruptible(message: str) -> Iterator[None]:
    """Within the context SIGTERM and SIGHUP interrupt like Ctrl-C; each ends the context with this message."""
    with terminable():
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt(message) from None


@contextmanager
def _explained() -> Iterator[None]:
    """A full disk, a read-only folder and their like become the user's mistakes, with what to do."""
    try:
        yield
    except OSError as error:
        if (explained := explain(error)) is None:
            raise
        raise explained from None
