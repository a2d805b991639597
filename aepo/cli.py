"""The command line. Commands import what they need when they run, so that `aepo --help` answers at once."""

from __future__ import annotations

import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aepo import __version__
from aepo.errors import UserError, explain
from aepo.interrupts import terminable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from aepo.algorithms.methods import Method
    from aepo.algorithms.parts import Part
    from aepo.config import Config

Runner = Callable[["Config", Path, int], None]
"""Takes the configuration, the run's folder, and the descriptor of its lock."""


class _Commands(click.Group):
    """A group that turns the user's mistakes and interrupts into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with terminable(), _explained():
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
@click.argument("method", required=False)
def methods(method: str | None) -> None:
    """List the methods and what each changes, or show one METHOD with every setting that counts in it."""
    from rich.console import Console

    from aepo.algorithms.methods import METHODS
    from aepo.config import resolve

    out = Console(highlight=False)
    if method is None:
        out.print(_methods(list(METHODS.values())))
        out.print("\n[bold]aepo methods METHOD[/bold] shows one with every setting; docs/methods.md has the formulas.")
    else:
        chosen = METHODS[resolve({"method": method}).method]
        out.print(f"[bold]{chosen.id}[/bold]  {chosen.title}\n[dim]{chosen.paper}, docs/methods/{chosen.id}.md[/dim]")
        for each in _settings_of(chosen):
            out.print(each)


_MAIN = {
    "exploration": ("budget", "branching"),
    "advantage": ("estimator",),
    "surrogate": ("function",),
    "regulariser": ("function",),
}
"""The settings that say in a word what a part of a method does."""


def _methods(rows: Sequence[Method]) -> Table:
    """A line per part of each method: what it does, and in bold what differs from the defaults."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for number, row in enumerate(rows):
        if number:
            table.add_row()
        table.add_row(Text(row.id, "bold"), f"{row.title}\n[dim]{row.paper}[/dim]")
        parts = Table.grid(padding=(0, 2, 0, 0))
        for name, main in _MAIN.items():
            part = getattr(row, name)
            shown = dict.fromkeys([*main, *part.model_dump(exclude_defaults=True)])
            words = [Text(f"{key}={_written(part, key)}", _style(part, key)) for key in shown]
            parts.add_row(Text(name, "dim"), Text(" ").join(words))
        table.add_row("", parts)
    return table


def _settings_of(method: Method) -> Iterator[RenderableType]:
    """Per part a heading, a table of the settings that count in it, and the names of the others."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from aepo.algorithms.conditions import idle
    from aepo.algorithms.methods import PARTS

    idlers = [key.split(".") for key, _ in idle(method, PARTS)]
    for name in PARTS:
        part, without = getattr(method, name), [key for section, key in idlers if section == name]
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(min_width=18, no_wrap=True)
        for key, field in type(part).model_fields.items():
            if key not in without:
                value = Text(_written(part, key), _style(part, key))
                table.add_row(f"  {key}", value, Text(field.description or "", "dim"))
        yield Text(f"\n{name}", "bold")
        yield table
        if without:
            yield Padding(Text(f"without effect here: {', '.join(without)}", "dim"), (0, 0, 0, 2))


def _written(part: Part, key: str) -> str:
    """A setting's value as YAML writes it."""
    value = getattr(part, key)
    return value if isinstance(value, str) else json.dumps(value)


def _style(part: Part, key: str) -> str:
    return "" if getattr(part, key) == type(part).model_fields[key].default else "bold cyan"


@main.command()
def presets() -> None:
    """List the presets that --config takes by name."""
    from importlib import resources

    from aepo import config

    for name in config.presets():
        text = (resources.files("aepo") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        click.echo(f"{name:<18}{text.splitlines()[0].removeprefix('# ')}")


@main.group()
def config() -> None:
    """Look at configurations."""


@config.command()
@_source
@_settings
def show(source: str | None, settings: tuple[str, ...]) -> None:
    """Print a configuration with everything resolved, as YAML that --config takes."""
    from aepo.config import load_config, to_yaml
    from aepo.storage.open import check_address

    config = load_config(source, settings)
    check_address(config.storage)  # which refuses one that holds a secret, and shows it without
    click.echo(to_yaml(config), nl=False)


def _run(runner: Runner, source: str | None, settings: tuple[str, ...], name: str | None, new: bool) -> None:
    """Resolve, claim the run's folder, run under the display from where the run stands, and say how it went."""
    from aepo.stages.run import begin, claimed, outcome
    from aepo.stages.workplace import run_folder
    from aepo.telemetry.display import print_summary, print_time_split, watching
    from aepo.telemetry.events import EVENTS, read_events
    from aepo.telemetry.run_state import time_split

    config = _resolve_run(source, settings, name, new)
    folder = run_folder(config)
    with claimed(folder) as lock, _interruptible(f"interrupted; the same command goes on from what is in {folder}"):
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
        with watching(folder / EVENTS, title=f"{config.run}  {config.method}", expected=stages_of(config)):
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
    if name == "":
        raise UserError("--name is empty: give the run a name, or leave it out.")
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
    file = Path(source or "quickstart").name
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", re.sub(r"[.]ya?ml$", "", file)).strip("-.") or "run"
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
    """An interrupt within the context ends it with this message."""
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
