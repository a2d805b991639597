"""What calls of tools came to: told to the log, once, and put together over shards."""

import asyncio
import json

from aepo.config import load_config
from aepo.stages.champions import champion_key
from aepo.stages.names import ROLLOUTS
from aepo.stages.session import Session
from aepo.telemetry.events import EventLog, StageLog, read_events
from aepo.tools.base import ToolContext
from aepo.tools.calls.statistics import merge_metrics
from aepo.training.policy import build_policy
from tests.stages.steps import learn, roll_out


def asking(tmp_path, *settings):
    (tmp_path / "q.jsonl").write_text('{"question": "half of 4?", "answer": "2"}\n' * 4)
    source = f"environment.source={tmp_path / 'q.jsonl'}"
    return load_config("tiny", ["environment.name=math", source, "environment.tools=[calculator]", *settings])


def test_a_session_says_it_once(tmp_path):
    config = asking(tmp_path)
    log = EventLog(tmp_path / "events.jsonl")
    session = Session(config, *build_policy(config.model, context=96, seed=0), log=StageLog(log, "rollout"))
    assert session.tool_metrics() == {}
    tool = session.environment.tools["calculator"]
    for text in ("1 + 1", "1 +"):
        asyncio.run(tool.call(text, ToolContext("p", {})))
    metrics = session.tool_metrics()
    assert (metrics["tool_calculator_calls"], metrics["tool_calculator_outcome_error"]) == (2.0, 1.0)
    assert session.tool_metrics() == {}
    (event,) = read_events(tmp_path / "events.jsonl")
    assert (event["event"], event["stage"], event["metrics"]) == ("tools_called", "rollout", metrics)


def test_shards_are_added_up():
    one = {"tool_a_calls": 2.0, "tool_a_seconds_p95": 0.5}
    other = {"tool_a_calls": 3.0, "tool_a_seconds_p95": 0.2, "tool_b_calls": 1.0}
    assert merge_metrics([one, other]) == {"tool_a_calls": 5.0, "tool_a_seconds_p95": 0.5, "tool_b_calls": 1.0}
    assert merge_metrics([]) == {}


def test_a_staged_step_has_those_of_its_shards(begun):
    config, folder = begun()
    shards = roll_out(config, folder)
    for shard in shards:
        assert (shard / ROLLOUTS).exists()
        manifest = shard / "manifest.json"
        content = json.loads(manifest.read_text())
        content["metadata"]["tools"] = {"tool_python_calls": 3.0}
        manifest.write_text(json.dumps(content))
    state = learn(config, folder, shards).state
    assert state.history[0]["tool_python_calls"] == 3.0 * len(shards)
    assert "tool_python_calls" not in state.history[1]


def test_policies_of_other_tasks_are_no_rivals(tmp_path):
    keys = [
        champion_key(asking(tmp_path, *settings))
        for settings in (
            (),
            ("environment.tools=[]",),
            ("environment.protocol=hermes",),
            ("environment.answer_field=a",),
        )
    ]
    assert len(set(keys)) == 4
    assert all(key.startswith("champions/math-") for key in keys)
    assert champion_key(asking(tmp_path, "seed=3")) == keys[0]
    assert champion_key(load_config("tiny")) == "champions/lookup.json"
