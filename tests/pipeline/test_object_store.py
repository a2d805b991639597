"""The whole pipeline through an S3 endpoint: the same policy, weights in the bucket, keys nowhere."""

import json
import os

import pytest
from click.testing import CliRunner
from minio import Minio

from aepo.cli import main
from aepo.storage.s3 import http
from tests.storage.s3_server import server_with_bucket


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_with_bucket(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def aepo(server, tmp_path, monkeypatch):
    """Runs a command line in a folder of its own, with keys for the server in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def objects(server, prefix):
    client = Minio(f"127.0.0.1:{server.port}", server.access_key, server.secret_key, secure=False)
    return {found.object_name: found for found in client.list_objects("bucket", prefix, recursive=True)}


def test_a_run_through_the_pipeline_that_another_machine_finds_finished(aepo, server, tmp_path, monkeypatch):
    settings = ("--config", "tiny", "--set", "storage.root=s3://bucket/team")
    ran = aepo("run", *settings, "--name", "one")
    assert ran.exit_code == 0, ran.output
    summary = json.loads((tmp_path / "runs" / "one" / "summary.json").read_text())
    local = aepo("train", "--config", "tiny", "--name", "local")
    assert local.exit_code == 0, local.output
    assert summary["policy_sha256"] == json.loads((tmp_path / "runs/local/summary.json").read_text())["policy_sha256"]
    assert "<html" in (tmp_path / "runs" / "one" / "report.html").read_text()

    names = objects(server, "team/")
    kinds = {name.split("/")[2] for name in names if name.startswith("team/one/")}
    expected = "config.yaml events opponents policies report.html stages status.json summary.json trainer"
    assert kinds == set(expected.split())
    assert not list((tmp_path / "runs" / "one").rglob("model.safetensors"))
    assert summary["report"] == "s3://bucket/team/one/report.html"
    assert any(name.startswith("team/one/events/train-") for name in names)
    no_secrets(server, tmp_path, ran.output)

    again = aepo("run", *settings, "--name", "one")
    assert (again.exit_code, "is finished" in again.output) == (0, True)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    shown = aepo("train", *settings, "--name", "one")
    assert (shown.exit_code, "is finished" in shown.output) == (0, True)
    Minio(f"127.0.0.1:{server.port}", server.access_key, server.secret_key, secure=False).remove_object(
        "bucket", "team/one/status.json"
    )
    moved = aepo("train", *settings, "--name", "one")
    assert moved.exit_code == 0, moved.output
    assert "going on with runs/one: from what its store holds" in moved.output
    assert "evaluate (heldout)  was finished before" in moved.output
    assert "train (steps 1-5)  was finished before" in moved.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret-key"}, "secret"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "access key"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_message(aepo, change, message, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "UNREACHED_SECONDS", 0.5)
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    result = aepo("run", "--config", "tiny", "--set", "storage.root=s3://bucket/team", "--name", "never")
    assert result.exit_code == 2
    assert result.stderr.startswith("aepo: ")
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert "wrong-secret-key" not in result.output


def no_secrets(server, folder, output):
    """Neither in what was printed, nor in any file of this machine, nor in the bucket."""
    client = Minio(f"127.0.0.1:{server.port}", server.access_key, server.secret_key, secure=False)
    texts = [output.encode(), *(path.read_bytes() for path in folder.rglob("*") if path.is_file())]
    texts += [client.get_object("bucket", name).data for name in objects(server, "")]
    assert not any(server.secret_key.encode() in text for text in texts)
    assert not any(b"X-Amz-Signature" in text for text in texts)
