"""A small run whose stages can be run, killed and run again, each in a process of its own."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from aepo.artifacts import read_manifest
from aepo.config import load_config
from aepo.stages.workplace import run_folder, store_of
from aepo.telemetry.events import read_events

SETTINGS = (
    "environment.train_prompts=24",
    "environment.heldout_prompts=16",
    "model.hidden_size=16",
    "model.heads=2",
    "model.intermediate_size=24",
    "warm_start.steps=60",
    "warm_start.batch_size=8",
    "warm_start.checkpoint_steps=7",
    "warm_start.target=0.9",
    "warm_start.check_every=25",
    "rollout.prompts=12",
    "rollout.shards=1",
    "rollout.slots=8",
    "rollout.decode_rows=8",
    "training.online_steps=4",
    "training.epochs=1",
    "training.checkpoint_steps=2",
    "training.learning_rate=0.01",
    "evaluation.questions=16",
)

ORDER = (
    "prepare",
    "warm_start",
    "pre_monitor",
    "rollout",
    "train",
    "verdict",
    "evaluate",
    "report",
    "promote",
    "finish",
)


@dataclass
class Stages:
    """Runs single stages of one run on the same inputs.

    Attributes:
        inputs: stage → its arguments.
        seconds, expected: stage → duration and result of an undisturbed one.
    """

    root: Path
    server: subprocess.Popen
    settings: tuple
    inputs: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=dict)
    expected: dict = field(default_factory=dict)

    def config(self, run):
        return load_config("tiny", [*SETTINGS, *self.settings, f"run={run}"])

    def run(self, stage, trial, **fate):
        """Run a stage as `trial`; what befalls it is for zygote.py. Returns its end."""
        arguments = {**self.inputs[stage], "output": {"path": str(self.output(stage, trial))}}
        if stage in ("verdict", "finish"):
            del arguments["output"]
        config = self.config(trial)
        request = {
            "stage": stage,
            "config": config.model_dump_json(),
            "arguments": arguments,
            "events": str(run_folder(config) / "events.jsonl"),
            **fate,
        }
        print(json.dumps(request), file=self.server.stdin, flush=True)
        return json.loads(self.server.stdout.readline())

    def output(self, stage, trial):
        return self.root / "artifacts" / trial / stage

    def result(self, stage, trial):
        """All that a stage has made, but for clock times and the trial's name."""
        output, store = self.output(stage, trial), store_of(self.config(trial))
        files = {}
        if output.exists():
            manifest = read_manifest(output)
            files = {name: (output / name).read_bytes() for name in manifest.files}
            files["metadata"] = _without_places(manifest.metadata, store)
        if "history.jsonl" in files:
            files["history.jsonl"] = [_timeless(json.loads(line)) for line in files["history.jsonl"].splitlines()]
        if (name := {"report": "summary.json", "finish": "status.json"}.get(stage)) is not None:
            files[f"store/{name}"] = _timeless(json.loads(store.read_text(f"{trial}/{name}")), "run", "report")
        files.pop("summary.json", None), files.pop("report.html", None)
        if stage == "promote":
            files["champion"] = json.loads(store.read_text("champions/lookup.json"))["policy"]["sha256"]
        return files

    def forget_champion(self):
        store_of(self.config("any")).delete("champions")

    def events(self, trial):
        """The event log of a trial."""
        return read_events(run_folder(self.config(trial)) / "events.jsonl")


def _without_places(metadata, store):
    return {
        name: value
        if name not in ("uri", "key", "first", "optimizer", "pointer") or value is None
        else value.rpartition("/")[2]
        for name, value in metadata.items()
    }


def _timeless(row, *more):
    return {name: value for name, value in row.items() if not name.startswith(("seconds", "time")) and name not in more}
