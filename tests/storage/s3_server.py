"""An S3 endpoint for the tests: a real MinIO or SeaweedFS server where one is on the PATH, else moto's.

moto checks signatures and policies here, as a real server does: its IAM holds the one user of the tests.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from minio import Minio

MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@dataclass(frozen=True)
class Server:
    """Where it listens, and the keys it knows."""

    port: int
    access_key: str
    secret_key: str
    moto: bool = False


@contextmanager
def s3_server(folder):
    """Runs a server with its data in a folder."""
    if binary := shutil.which("minio"):
        port = free_port()
        keys = {"MINIO_ROOT_USER": "test-access-key", "MINIO_ROOT_PASSWORD": "test-secret-key"}
        command = [binary, "server", str(folder), "--address", f"127.0.0.1:{port}"]
        with running(command, env=os.environ | keys):
            yield answering(Server(port, *keys.values()))
    elif binary := shutil.which("weed"):
        port = free_port()
        keys = {"accessKey": "test-access-key", "secretKey": "test-secret-key"}
        identity = {"name": "test", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        options = ["-ip=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}"]
        with running([binary, "server", *options]):
            yield answering(Server(port, *keys.values()))
    else:
        with running([sys.executable, "-c", MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield with_moto_user(int(process.stdout.readline()))


def with_moto_user(port):
    import boto3

    address = f"http://127.0.0.1:{port}"
    anyone = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=address, **anyone)
    iam.create_user(UserName="test")
    iam.put_user_policy(UserName="test", PolicyName="s3", PolicyDocument=json.dumps(POLICY))
    keys = iam.create_access_key(UserName="test")["AccessKey"]
    urllib3.request("POST", f"{address}/moto-api/reset-auth", body=b"0")  # from now on every request is checked
    return Server(port, keys["AccessKeyId"], keys["SecretAccessKey"], moto=True)


@contextmanager
def server_with_bucket(folder):
    """An `s3_server` that has the bucket `bucket`."""
    with s3_server(folder) as server:
        address = f"127.0.0.1:{server.port}"
        Minio(address, server.access_key, server.secret_key, secure=False).make_bucket("bucket")
        yield server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answering(server):
    for _ in range(120):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return server
        time.sleep(0.25)
    raise RuntimeError(f"no S3 server on port {server.port}")


@contextmanager
def running(command, **options):
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **{"stdout": subprocess.DEVNULL, **options})
    try:
        yield process
    finally:
        process.kill()
        process.wait()
