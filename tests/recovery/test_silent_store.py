"""A store that does not answer any more holds up nobody who asked a run, or a stage, to end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aepo.config import load_config
from tests.stages.conftest import SMALL
from tests.storage.fault_proxy import FaultProxy
from tests.storage.s3_server import server_with_bucket

STAGE = """
import sys
from pathlib import Path
from components.runtime import run
run("prepare", sys.argv[1], output=Path(sys.argv[2]))
"""
MOMENTS = {
    "begins": ("", ()),
    "learns": ("unfinished/warm_start-", ("warm_start.steps=1000000", "warm_start.check_every=1000000")),
    "explores": ("unfinished/evaluate-", ("environment.heldout_prompts=1000", "evaluation.questions=1000")),
    "is done": ("stages/train-", ()),
}
"""What a run does → what it then asks of the store, and settings with which it comes to that."""

PATIENCE = 20
"""Seconds: it takes 8 on an idle machine, and more than 30 where something waits for the store."""


class Silence:
    """A fault: from the first request on that writes below a key, or from the very first one, none is answered."""

    def __init__(self, key=""):
        self._key = key
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self, request):
        if self.begun.is_set() or not self._key or (request.method == "PUT" and self._key in request.path):
            self.begun.set()
            self.over.wait(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_with_bucket(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def falls_silent(server):
    """Puts a proxy with a fault before the server; returns its address."""
    with FaultProxy(server) as proxy:

        def start(fault):
            proxy.faults.append(fault)
            return proxy.endpoint

        yield start
        for fault in proxy.faults:
            fault.over.set()


@pytest.fixture
def ended(server, tmp_path, falls_silent):
    """Starts a command, sends it a signal when the store falls silent; returns its exit code and what it said."""

    def end(command_with, silence, sent, *settings):
        root = f"storage.root=s3://bucket/{tmp_path.name}"
        store = (root, f"storage.endpoint={falls_silent(silence)}", f"storage.scratch={json.dumps(str(tmp_path))}")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINIO_"))}
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        with subprocess.Popen(
            command_with(*SMALL, *store, *settings),
            env=ours | keys,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert silence.begun.wait(120), "the store was never written to"
                time.sleep(0.2)
                process.send_signal(sent)
                _, said = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return process.returncode, said

    return end


def test_a_stage(ended, tmp_path):
    def command(*settings):
        config = load_config("tiny", [*settings, "run=one"])
        return [sys.executable, "-c", STAGE, config.model_dump_json(), tmp_path / "prompts"]

    code, said = ended(command, Silence(), signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert said == "prepare: terminated; started again, it goes on from what is saved.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "moment", "sent"),
    [
        ("train", "begins", signal.SIGTERM),
        ("train", "learns", signal.SIGTERM),
        ("train", "explores", signal.SIGTERM),
        ("train", "explores", signal.SIGINT),
        ("train", "is done", signal.SIGTERM),
        ("run", "learns", signal.SIGTERM),
        ("run", "explores", signal.SIGINT),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_run(ended, tmp_path, command, moment, sent):
    def command_with(*settings):
        listed = [part for setting in settings for part in ("--set", setting)]
        return [Path(sys.executable).with_name("aepo"), command, "--config", "tiny", "--name", "one", *listed]

    key, settings = MOMENTS[moment]
    code, said = ended(command_with, Silence(key), sent, *settings)
    assert code == 130
    assert said.startswith("aepo: interrupted")
    assert said.count("\n") == 1
