"""`aepo prepare`: check a file of questions and split it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from aepo.cli.base import settings_option
from aepo.errors import UserError


@click.command()
@click.option("--source", required=True, metavar="FILE", help="Questions: .jsonl, .json (lines), .parquet.")
@click.option("--environment", required=True, type=click.Choice(["math", "qa"]), help="Kind of questions.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New folder to write.")
@settings_option
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
