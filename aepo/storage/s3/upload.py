"""Sending files: small ones whole, large ones in parts, of which only those are sent that the store lacks."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minio.error import S3Error

from aepo.artifacts import DamagedArtifact, file_sha256
from aepo.errors import UserError
from aepo.storage.s3.bucket import DIGEST, Bucket
from aepo.storage.s3.parallel import in_parallel

PART_SIZE = 16 * 2**20
"""Bytes of a part; S3 asks for 5 MiB at least. Files up to this size are sent whole."""
MAX_PARTS = 10_000
_ROUNDS = 3
"""How often a large file is begun, should another process finish or abort the upload meanwhile."""


@dataclass(frozen=True)
class Sending:
    """A file on its way: from where, under which key, and the sha256 that it must have."""

    path: Path
    key: str
    digest: str


def send(bucket: Bucket, files: Sequence[Sending]) -> None:
    """Send the files that the store does not have yet: small ones side by side, of large ones the parts.

    Raises:
        DamagedArtifact: a local file is missing or is not what its digest says.
        UserError: something arrived damaged again and again.
        MinioException, HTTPError: see `aepo.storage.s3.errors`.
    """
    for file in files:
        if not file.path.is_file():
            raise DamagedArtifact(
                f"{file.path} is missing although its manifest lists it. Run the stage that writes it again."
            )
    in_parallel(lambda file, _: _send_whole(bucket, file), [file for file in files if not _is_large(file)])
    for file in files:
        if _is_large(file) and not _has(bucket, file):
            _send_in_parts(bucket, file)


def _is_large(file: Sending) -> bool:
    return file.path.stat().st_size > PART_SIZE


def _has(bucket: Bucket, file: Sending) -> bool:
    found = bucket.stat(file.key)
    return found is not None and found.size == file.path.stat().st_size and found.digest == file.digest


def _send_whole(bucket: Bucket, file: Sending) -> None:
    if _has(bucket, file):
        return
    body = file.path.read_bytes()
    _check(file, hashlib.sha256(body).hexdigest())
    bucket.write(file.key, body, {DIGEST: file.digest})


def _send_in_parts(bucket: Bucket, file: Sending) -> None:
    _check(file, file_sha256(file.path))
    upload, present = _begun(bucket, file) or (bucket.begin(file.key, file.digest), {})
    for _ in range(_ROUNDS):
        try:
            _finish(bucket, file, upload, present)
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise
        if _has(bucket, file):
            for key, other in bucket.unfinished(file.key):
                if key == file.key:
                    bucket.abort(key, other)
            return
        # Another process ended the upload, or it had been begun for another content.
        upload, present = bucket.begin(file.key, file.digest), {}
    raise UserError(
        f"s3://{bucket.name}/{file.key}: other processes kept replacing or aborting this upload. Let one process at a "
        "time write it."
    )


def _finish(bucket: Bucket, file: Sending, upload: str, present: dict[int, str]) -> None:
    """Send the parts that are not present (part number → ETag), then make the object of all."""
    etags = dict(present)

    def send_part(number: int, _stopped: threading.Event) -> None:
        etags[number] = bucket.write_part(file.key, upload, number, _part(file.path, number))

    in_parallel(send_part, [number for number in range(1, _count(file.path) + 1) if number not in present])
    bucket.finish(file.key, upload, etags)


def _begun(bucket: Bucket, file: Sending) -> tuple[str, dict[int, str]] | None:
    """The unfinished upload of this content that has most parts: its id, and part number → ETag."""
    candidates = []
    for key, upload in bucket.unfinished(file.key):
        if key == file.key:
            parts = bucket.parts(key, upload)
            if parts and all(_is_part(file.path, number, *part) for number, part in parts.items()):
                candidates.append((upload, {number: etag for number, (_, etag) in parts.items()}))
    return max(candidates, key=lambda candidate: len(candidate[1]), default=None)


def _is_part(path: Path, number: int, size: int, etag: str) -> bool:
    if number > _count(path):
        return False
    body = _part(path, number)
    return len(body) == size and hashlib.md5(body, usedforsecurity=False).hexdigest() == etag


def _part(path: Path, number: int) -> bytes:
    size = _part_size(path)
    with path.open("rb") as file:
        file.seek((number - 1) * size)
        return file.read(size)


def _count(path: Path) -> int:
    return math.ceil(path.stat().st_size / _part_size(path))


def _part_size(path: Path) -> int:
    """Depends on the file's size alone, so that a later attempt cuts it in the same places."""
    needed = math.ceil(path.stat().st_size / MAX_PARTS / 2**20) * 2**20
    return max(PART_SIZE, needed)


def _check(file: Sending, digest: str) -> None:
    if digest != file.digest:
        raise DamagedArtifact(f"{file.path} was changed after it was written (sha256 differs). Run its stage again.")
