"""A tool that fails now and then costs the trajectories that called it, and nothing else."""

import pytest

from aepo import keys
from aepo.artifacts import read_manifest
from aepo.environments.lookup.tools import SearchTool
from aepo.environments.protocols.tags import TagProtocol
from aepo.telemetry.events import read_events
from aepo.tools.base import Observation, ToolCall
from aepo.trajectories.parquet import read_trees
from tests.bad_input.case import TRAIN, with_settings


@pytest.fixture
def moody(place):
    """Every trajectory calls `search`, which raises for a third of what it is asked."""

    async def call(self, arguments, context):
        if keys.uniform("mood", arguments, context.prompt_id) < 1 / 3:
            raise ConnectionError("the line is dead")
        return Observation("none")

    place.patch.setattr(SearchTool, "call", call)
    place.patch.setattr(TagProtocol, "parse", lambda self, turn: ToolCall("search", str(turn)))
    return place.folder / "runs"


SETTINGS = with_settings(
    "environment.max_tool_calls=1",
    "environment.train_prompts=6",
    "environment.heldout_prompts=6",
    "rollout.prompts=6",
    "exploration.k=4",
    "evaluation.questions=6",
)


def test_the_run_goes_on_and_says_what_failed(moody, aepo):
    result = aepo(*TRAIN, *SETTINGS)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    failures = [event for event in read_events(moody / "one/events.jsonl") if event["event"] == "tool_failed"]
    assert "rollout" in {event["stage"] for event in failures}
    assert {(event["tool"], event["error"]) for event in failures} == {("search", "the line is dead")}
    assert {event["times"] for event in failures} <= {1, 10, 100}
    assert "rollout (shard 1 of 1)  tool search failed (1 times): the line is dead" in result.stdout


def test_who_called_it_in_vain_is_unscored_and_the_others_are_not(moody, aepo):
    assert aepo(*TRAIN, *SETTINGS).exit_code == 0
    trees = read_trees(moody / "one/artifacts/rollouts-1-0/rollouts.parquet")
    ends = {(leaf.finish_reason, leaf.outcome, leaf.reward) for tree in trees for leaf in tree.leaves}
    assert ("error", "infrastructure", None) in ends
    assert {reward for reason, _, reward in ends if reason != "error"} == {-1.0}


def test_it_changes_nothing_of_what_can_be_repeated(moody, aepo):
    for name in ("one", "two"):
        assert aepo(*TRAIN, *SETTINGS, "--name", name).exit_code == 0
    one, two = (read_manifest(moody / name / "artifacts/rollouts-1-0").sha256 for name in ("one", "two"))
    assert one == two
