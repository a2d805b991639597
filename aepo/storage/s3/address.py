"""Where an S3 store is: bucket and prefix from the root, host from the endpoint. Neither may hold credentials."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aepo.errors import UserError
from aepo.storage.addresses import checked, shown
from aepo.storage.settings import StorageSettings

AWS = "https://s3.amazonaws.com"
_BUCKET = re.compile(r"(?!(\d+\.){3}\d+$)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class S3Address:
    """The place of a store.

    Attributes:
        bucket: its name.
        prefix: of all keys, without slashes around it; may be empty.
        endpoint: `http://` or `https://`, host and port.
        region: of the bucket.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str

    def object(self, key: str) -> str:
        """The name, within the bucket, of the object at a key.

        Raises:
            UserError: the key would leave the root.
        """
        return f"{self.prefix}/{checked(key)}".lstrip("/")


def read_address(settings: StorageSettings) -> S3Address:
    """The place that the settings, and for what they leave open the environment, name.

    Raises:
        UserError: root or endpoint are malformed or hold credentials.
    """
    bucket, prefix = _bucket_and_prefix(settings.root)
    region = settings.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return S3Address(bucket, prefix, _endpoint(settings.endpoint), region)


def _bucket_and_prefix(root: str) -> tuple[str, str]:
    bucket, _, path = root.partition("://")[2].partition("/")
    what = f"storage.root {shown(root)}"
    if "@" in bucket or ":" in bucket:
        raise UserError(f"{what} holds credentials or a port: write s3://bucket/prefix, {_KEEP_OUT}.")
    if not bucket:
        raise UserError(f"{what} names no bucket: write s3://bucket/prefix.")
    if not _BUCKET.fullmatch(bucket):
        raise UserError(
            f"{what}: a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens. Write s3://bucket/prefix."
        )
    if re.search(r"[?#\x00-\x1f\x7f]", path):
        raise UserError(f"{what}: the prefix may hold no '?', '#' or control characters. Write s3://bucket/prefix.")
    prefix = path.strip("/")
    return bucket, checked(prefix) if prefix else ""


_KEEP_OUT = "and give the keys through the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or storage.secret"


def _endpoint(setting: str | None) -> str:
    named = {
        "storage.endpoint": setting,
        "AWS_ENDPOINT_URL_S3": os.environ.get("AWS_ENDPOINT_URL_S3"),
        "AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL"),
    }
    name, endpoint = next(((name, value) for name, value in named.items() if value), ("AWS", AWS))
    what, example = f"{name} {shown(endpoint)}", "such as http://minio:9000"
    if "@" in endpoint:
        raise UserError(f"{what} holds credentials: leave them out, {_KEEP_OUT}.")
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise UserError(f"{what} is no address: write http:// or https://, host and port, {example}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(f"{what} lacks http:// or https://, or a host: write both, {example}.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UserError(f"{what} has more than a host and a port: leave the rest out, {example}.")
    return f"{parts.scheme}://{parts.netloc}"
