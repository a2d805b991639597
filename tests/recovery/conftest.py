"""Stages with the inputs they need."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.recovery.staging import ORDER, Stages
from tests.storage.s3_server import server_with_bucket


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The stages with inputs that undisturbed ones have made; their store is a folder."""
    root = tmp_path_factory.mktemp("recovery")
    with opened(root, (f"storage.root={root / 'store'}",)) as stages:
        yield stages


@pytest.fixture(scope="module")
def bucket_stages(tmp_path_factory):
    """The same with a bucket for a store."""
    root = tmp_path_factory.mktemp("recovery-s3")
    with server_with_bucket(root / "s3") as server, pytest.MonkeyPatch.context() as patch:
        address = f"127.0.0.1:{server.port}"
        for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        settings = ("storage.root=s3://bucket/team", f"storage.endpoint=http://{address}", f"storage.scratch={root}")
        with opened(root, settings) as stages:
            yield stages


@contextmanager
def opened(root, settings):
    """Stages with a store, and a process that forks them."""
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
        stages = Stages(root, server, settings)
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


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a disk of a given size; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"a disk of its own takes the right to mount: {done.stderr.strip()}")
        return disk

    yield mount
    subprocess.run(["umount", disk], capture_output=True, check=False)
