"""Receiving files: streamed to the disk, resumed where a connection broke off, in place only once they are verified."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from minio.error import MinioException

from aepo.artifacts import DamagedArtifact
from aepo.storage.s3 import http
from aepo.storage.s3.bucket import Bucket
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
            try:
                response = _open(bucket, key, begun)
                if response is None:
                    break
                with response:
                    if response.status != 206 and begun:  # the store sends all of it anyway
                        file.truncate(0)
                        digest = hashlib.sha256()
                    for block in response.stream(BLOCK, decode_content=False):
                        if stopped.is_set():
                            break
                        file.write(block)
                        digest.update(block)
                break
            except http.PASSING_ERRORS as error:
                if file.tell() > begun:
                    patience = http.Patience(http.RETRY_SECONDS)
                lost = http.READ_TIMEOUT if isinstance(error, http.ReadTimeoutError) else 0
                if not patience.another(lost=lost):
                    raise
        return digest.hexdigest()


def _open(bucket: Bucket, key: str, offset: int) -> http.urllib3.BaseHTTPResponse | None:
    """The object's bytes from `offset` on; None where there are none."""
    try:
        return bucket.stream(key, offset)
    except MinioException as error:
        if status_of(error) == 416:
            return None
        if status_of(error) == 404 and getattr(error, "code", "") != "NoSuchBucket":
            raise DamagedArtifact(
                f"s3://{bucket.name}/{key} is missing although its manifest lists it. Run its stage again."
            ) from None
        raise
