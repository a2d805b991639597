"""Receiving files: streamed to the disk, resumed where a connection broke off, in place only once they are verified."""

from __future__ import annotations

import hashlib
import threading
from http import HTTPStatus
from pathlib import Path

from minio.error import MinioException
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from aepo.artifacts import DamagedArtifact
from aepo.storage.s3 import http
from aepo.storage.s3.bucket import Bucket, is_absent
from aepo.storage.s3.errors import status_of

BLOCK = 2**20
"""Bytes that are read at a time."""
_RECEIVINGS = 2
"""How often an object is received whole before it counts as damaged in the store."""


def receive(bucket: Bucket, key: str, target: Path, digest: str, stopped: threading.Event) -> None:
    """Bring an object to `target`; what an earlier attempt received is not asked for again.

    Raises:
        DamagedArtifact: the object is missing, or is not what its digest says.
        MinioException, HTTPError: see `aepo.storage.s3.errors`.
        OSError: the disk is full, read-only or failing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{digest[:16]}.part")
    for _ in range(_RECEIVINGS):
        received = _receive(bucket, key, part, stopped)
        if stopped.is_set():
            return
        if received == digest:
            part.replace(target)
            return
        part.unlink()
    raise DamagedArtifact(
        f"s3://{bucket.name}/{key} is damaged in the store: its sha256 is not the manifest's. Delete its folder there "
        "and run the stage that writes it again."
    )


def _receive(bucket: Bucket, key: str, part: Path, stopped: threading.Event) -> str:
    """Append to `part` what it lacks; the sha256 of the whole."""
    patience = http.Patience(http.RETRY_SECONDS)
    with part.open("ab+") as file:
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256")
        while not stopped.is_set():
            begun = file.tell()
            response = _open(bucket, key, begun)
            if response is None:
                break
            if response.status != HTTPStatus.PARTIAL_CONTENT and begun:  # the store sends all of it anyway
                file.seek(0)
                file.truncate()
                digest = hashlib.sha256()
            try:
                with response:
                    for block in response.stream(BLOCK, decode_content=False):
                        if stopped.is_set():
                            break
                        file.write(block)
                        digest.update(block)
                break
            except HTTPError as error:
                if file.tell() > begun:
                    patience = http.Patience(http.RETRY_SECONDS)
                if not patience.after(error):
                    raise
        return digest.hexdigest()


def _open(bucket: Bucket, key: str, offset: int) -> BaseHTTPResponse | None:
    """The object's bytes from `offset` on; None where there are none."""
    try:
        return bucket.stream(key, offset)
    except MinioException as error:
        if status_of(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        if is_absent(error):
            raise DamagedArtifact(
                f"s3://{bucket.name}/{key} is missing although its manifest lists it. Run its stage again."
            ) from None
        raise
