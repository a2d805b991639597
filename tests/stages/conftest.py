"""A run small enough to be repeated: a random policy, no warm start, a handful of episodes."""

import pytest

from aepo.config import load_config
from tests.stages.steps import begin

SMALL = (
    "warm_start.steps=0",
    "environment.train_prompts=12",
    "environment.heldout_prompts=6",
    "model.hidden_size=16",
    "model.heads=2",
    "model.intermediate_size=24",
    "rollout.prompts=6",
    "exploration.k=4",
    "training.online_steps=2",
    "training.learning_rate=0.01",
    "evaluation.questions=6",
)


@pytest.fixture
def make_config(tmp_path):
    def make(run="one", *settings):
        return load_config("tiny", [*SMALL, f"storage.root={tmp_path / 'runs'}", f"run={run}", *settings])

    return make


@pytest.fixture
def begun(make_config, tmp_path):
    """A run that has come to the plan of its first batch: its configuration and its folder."""

    def make(run="one", *settings):
        config = make_config(run, *settings)
        begin(config, tmp_path / run)
        return config, tmp_path / run

    return make
