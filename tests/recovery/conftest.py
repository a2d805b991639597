"""Stages with the inputs they need."""

import subprocess
import sys

import pytest

from tests.recovery.staging import ORDER, Stages


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The stages with inputs that undisturbed ones have made."""
    root = tmp_path_factory.mktemp("recovery")
    with (
        (root / "server.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdout.readline() == "ready\n"
        stages = Stages(root, server)
        at = {stage: {"path": str(stages.output(stage, "undisturbed"))} for stage in ORDER}
        prompts, first, trained = at["prepare"], at["warm_start"], at["train"]
        stages.inputs = {
            "prepare": {},
            "warm_start": {"prompts": prompts},
            "pre_monitor": {"prompts": prompts, "policy": first},
            "rollout": {"prompts": prompts, "plan": at["pre_monitor"], "policy": first, "shard": 0},
            "train": {"prompts": prompts, "policy": first, "rollouts": [at["rollout"]]},
            "verdict": {"policy": trained},
            "evaluate": {"prompts": prompts, "candidate": trained, "baseline": first, "benchmark": "heldout"},
            "report": {
                "candidate": trained,
                "baseline": first,
                "scores": [at["evaluate"]],
                "rollouts": [at["rollout"]],
                "verdict": "healthy",
            },
            "promote": {"candidate": trained, "scores": [at["evaluate"]]},
            "finish": {"status": "SUCCEEDED", "error": ""},
        }
        for stage in ORDER:
            end = stages.run(stage, "undisturbed")
            assert end["code"] == 0, (root / "server.log").read_text()
            stages.seconds[stage], stages.expected[stage] = end["seconds"], stages.result(stage, "undisturbed")
        yield stages
        server.stdin.close()
