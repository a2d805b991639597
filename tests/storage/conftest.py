"""Stores for the tests: a folder, and a bucket behind a proxy that can fail."""

import itertools
import os
import random

import pytest
from fault_proxy import FaultProxy
from minio import Minio
from s3_server import s3_server
from storage_helpers import PART

from aepo.artifacts import write_manifest
from aepo.storage import StorageSettings, open_store
from aepo.storage.s3 import http, upload

_NAMES = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def proxy(server):
    with FaultProxy(server) as running:
        yield running


@pytest.fixture
def bucket(server):
    name = f"bucket-{os.getpid()}-{next(_NAMES)}"
    direct = Minio(f"127.0.0.1:{server.port}", server.access_key, server.secret_key, secure=False, region="us-east-1")
    direct.make_bucket(name)
    return name


@pytest.fixture
def direct(server):
    """A client of the server that no fault reaches."""
    return Minio(f"127.0.0.1:{server.port}", server.access_key, server.secret_key, secure=False, region="us-east-1")


@pytest.fixture
def credentials(server, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)


@pytest.fixture
def settings(proxy, bucket, tmp_path):
    """Of a store in a bucket of its own."""
    return StorageSettings(root=f"s3://{bucket}/team a", endpoint=proxy.endpoint, scratch=str(tmp_path / "scratch"))


@pytest.fixture
def s3(settings, credentials, quick):
    return open_store(settings)


@pytest.fixture
def quick(monkeypatch):
    """Small parts, and a short patience."""
    monkeypatch.setattr(upload, "PART_SIZE", PART)
    monkeypatch.setattr(http, "RETRY_SECONDS", 1.0)
    monkeypatch.setattr(http, "UNREACHED_SECONDS", 0.3)
    monkeypatch.setattr(http, "FIRST_WAIT", 0.02)


@pytest.fixture
def sealed(tmp_path):
    """Makes sealed folders: file name → content, or number of random bytes."""

    def make(name="weights", kind="weights", **files):
        folder = tmp_path / name
        for path, content in (files or {"config.json": b"{}", "shards/0.bin": b"\0\1\2"}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            random_bytes = random.Random(path).randbytes
            (folder / path).write_bytes(random_bytes(content) if isinstance(content, int) else content)
        write_manifest(folder, kind, {"step": 3})
        return folder

    return make
