"""What a case of bad input is, and the commands that the cases share."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SMALLEST = (
    "warm_start.steps=0",
    "environment.train_prompts=2",
    "environment.heldout_prompts=2",
    "model.hidden_size=8",
    "model.heads=1",
    "model.layers=1",
    "model.intermediate_size=8",
    "rollout.prompts=2",
    "rollout.shards=1",
    "rollout.slots=4",
    "rollout.decode_rows=4",
    "rollout.prefill_rows=2",
    "rollout.turn_tokens=4",
    "rollout.context=32",
    "exploration.k=2",
    "training.online_steps=0",
    "training.epochs=1",
    "training.minibatches=1",
    "evaluation.questions=2",
    "evaluation.samples=1",
)
"""A whole run in a quarter of a second."""


def with_settings(*settings):
    return tuple(part for setting in settings for part in ("--set", setting))


SHOW = ("config", "show")
TRAIN = ("train", "--config", "tiny", "--name", "one", *with_settings(*SMALLEST))
MATH = ("--environment", "math", "--output", "prompts")


@dataclass(frozen=True)
class Place:
    """Where a case happens: the working folder, a model folder that is good, and what can be patched."""

    folder: Path
    good_model: Path
    patch: pytest.MonkeyPatch

    def write(self, name, content):
        path = self.folder / name
        (path.write_bytes if isinstance(content, bytes) else path.write_text)(content)
        return path

    def model(self):
        """A good model folder, anew."""
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        return Path(shutil.copytree(self.good_model, self.folder / "model"))


def nothing(place):
    pass


@dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        id: what is wrong.
        command: of `aepo`; relative paths start in the case's folder.
        says: what the message holds: what is wrong, where, and what to do.
        spoil: makes the bad input.
        mend: makes it good: the same command succeeds then.
        mended: the command as it should have been, where it is the command that is wrong.
    """

    id: str
    command: tuple[str, ...]
    says: tuple[str, str, str]
    spoil: Callable[[Place], object] = nothing
    mend: Callable[[Place], object] | None = None
    mended: tuple[str, ...] | None = None


def write(name, content):
    """Spoils or mends by writing a file."""
    return lambda place: place.write(name, content)
