"""The requests to one bucket.

Conditional writes and the steps of a multipart upload are private calls of the minio client. Presigned requests, its
public way to send others, can neither carry an object's metadata (AWS wants those headers signed) nor list unfinished
uploads.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import InvalidResponseError, MinioException, S3Error
from minio.helpers import DictType

from aepo.errors import UserError
from aepo.storage.s3 import http
from aepo.storage.s3.errors import status_of

DIGEST = "x-amz-meta-sha256"
_WRITER = "x-amz-meta-writer"
_TYPE = "application/octet-stream"
_SENDINGS = 3
"""How often a body is sent that does not arrive, or not as it was."""
_NOT_ARRIVED = (
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
    "RequestTimeout",
)


@dataclass(frozen=True)
class Content:
    """A small object: its bytes, and the tag of exactly this version."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class Stat:
    """Of an object: bytes, and the sha256 that its writer noted."""

    size: int
    digest: str | None


class Bucket:
    """One bucket, seen through a client.

    Raises (every method):
        MinioException, HTTPError: see `aepo.storage.s3.errors`.
    """

    def __init__(self, client: Minio, name: str) -> None:
        self._client = client
        self.name = name

    def read(self, key: str) -> Content | None:
        """A small object; None where there is none."""
        try:
            response = self._client._execute("GET", self.name, key)
        except MinioException as error:
            if is_absent(error):
                return None
            raise
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html") or "ETag" not in response.headers:
            raise InvalidResponseError(response.status, kind, None)  # a web page: of a console's port, or a login
        return Content(response.data, response.headers["ETag"])

    def stat(self, key: str) -> Stat | None:
        """What is known of an object; None where there is none."""
        try:
            found = self._client.stat_object(self.name, key)
        except MinioException as error:
            if is_absent(error):
                return None
            raise
        return Stat(found.size or 0, (found.metadata or {}).get(DIGEST))

    def stream(self, key: str, offset: int) -> urllib3.BaseHTTPResponse:
        """An object's bytes from `offset` on, to be read as they arrive; the caller closes the response."""
        return self._client.get_object(self.name, key, offset=offset)

    def write(self, key: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a small object and see that it arrived.

        Raises:
            UserError: every time something else arrived than was sent.
        """
        self._put(key, body, {**(headers or {})}, {})

    def write_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Send a part of an unfinished upload, as `write` does; its ETag."""
        return self._put(key, body, {}, {"uploadId": upload, "partNumber": str(number)})

    def write_if(self, key: str, body: bytes, condition: Mapping[str, str]) -> bool:
        """Write a small object under a condition (`If-Match`, `If-None-Match`); whether it was met.

        A store that does not know the condition writes in any case.
        """
        writer = uuid.uuid4().hex
        patience = http.Patience(http.RETRY_SECONDS)
        while True:
            try:
                self.write(key, body, {**condition, _WRITER: writer})
                return True
            except S3Error as error:
                if error.code == "NotImplemented":
                    self.write(key, body)
                    return True
                if status_of(error) == HTTPStatus.CONFLICT and patience.another():
                    continue  # another writer is at work
                if status_of(error) == HTTPStatus.PRECONDITION_FAILED or is_absent(error):
                    return self._written_by(writer, key)
                raise

    def delete(self, key: str) -> None:
        """Remove an object; no error where there is none."""
        self._client.remove_object(self.name, key)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys of all objects below a prefix."""
        for found in self._client.list_objects(self.name, prefix=prefix, recursive=True):
            yield str(found.object_name)

    def begin(self, key: str, digest: str) -> str:
        """Begin a multipart upload; its id."""
        return self._client._create_multipart_upload(self.name, key, {DIGEST: digest})

    def finish(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        """Make the object of the parts that were sent, given as part number → ETag."""
        parts = [Part(number, etags[number]) for number in sorted(etags)]
        for _ in range(_SENDINGS):
            # A store that answers before it is done reports its failure in a body with status 200.
            if self._client._complete_multipart_upload(self.name, key, upload, parts).etag:
                return

    def abort(self, key: str, upload: str) -> None:
        """Forget an unfinished upload and its parts; no error where it is gone."""
        try:
            self._client._abort_multipart_upload(self.name, key, upload)
        except MinioException as error:
            if not is_absent(error):
                raise

    def unfinished(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of every unfinished upload below a prefix (some stores list those of one full key only)."""
        found: list[tuple[str, str]] = []
        marker: str | None = None
        while True:
            page = self._client._list_multipart_uploads(self.name, prefix=prefix, key_marker=marker)
            found += [(str(upload.object_name), str(upload.upload_id)) for upload in page.uploads]
            marker = page.next_key_marker
            if not (page.is_truncated and marker):
                return found

    def parts(self, key: str, upload: str) -> dict[int, tuple[int, str]]:
        """What an unfinished upload has: part number → (bytes, ETag); nothing where it is gone."""
        found: dict[int, tuple[int, str]] = {}
        marker: str | None = None
        while True:
            try:
                page = self._client._list_parts(self.name, key, upload, part_number_marker=marker)
            except MinioException as error:
                if is_absent(error):
                    return {}
                raise
            found |= {part.part_number: (part.size or 0, part.etag) for part in page.parts}
            marker = page.next_part_number_marker
            if not (page.is_truncated and marker):
                return found

    def _put(self, key: str, body: bytes, headers: DictType, query: DictType) -> str:
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        for _ in range(_SENDINGS):
            try:
                # The client adds its own headers to the dictionary that it is given.
                result = self._client._put_object(self.name, key, body, {"Content-Type": _TYPE, **headers}, query)
            except S3Error as error:
                if error.code not in _NOT_ARRIVED:
                    raise
                continue
            if not result.etag:
                raise InvalidResponseError(200, result.http_headers.get("Content-Type"), None)
            if result.etag == md5 or not _is_md5(result.etag, result.http_headers):
                return result.etag
        raise UserError(
            f"s3://{self.name}/{key} arrived damaged {_SENDINGS} times (MD5 differs). Check the network, and proxies "
            "on the way to the store; nothing damaged was sealed."
        )

    def _written_by(self, writer: str, key: str) -> bool:
        """Whether a refused write is there all the same: a first attempt arrived, and only its answer was lost."""
        try:
            metadata = self._client.stat_object(self.name, key).metadata or {}
        except MinioException as error:
            if is_absent(error):
                return False
            raise
        return bool(metadata.get(_WRITER) == writer)


def is_absent(error: MinioException) -> bool:
    """Whether the store says that an object or upload is not there; a web server's 404 does not."""
    return isinstance(error, S3Error) and status_of(error) == HTTPStatus.NOT_FOUND and error.code != "NoSuchBucket"


def _is_md5(etag: str, headers: Mapping[str, str]) -> bool:
    """Whether an ETag is the MD5 of what was sent; with server-side encryption it may be another digest."""
    encrypted = any(name.lower().startswith("x-amz-server-side-encryption") for name in headers)
    return not encrypted and re.fullmatch("[0-9a-f]{32}", etag) is not None
