"""Reading addresses: plain paths, file:// and s3://, and the keys below them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aepo.errors import UserError


def is_local(uri: str) -> bool:
    """Whether an address names a folder of this machine, not an object store."""
    return urlsplit(uri).scheme in ("", "file")


def local_folder(uri: str) -> Path:
    """The local folder that a `file://` uri or a plain path names.

    Raises:
        UserError: it is neither.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme == "file":
        raise UserError(f"storage {shown(uri)}: a file:// address needs three slashes and an absolute path.")
    if not parts.scheme:
        return Path(uri).expanduser()
    raise UserError(
        f"storage {shown(uri)}: the scheme {parts.scheme}:// is not supported; use s3://, file:// or a path."
    )


def checked(key: str) -> str:
    """The key itself.

    Raises:
        UserError: it is no relative path that stays below its root.
    """
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise UserError(f"storage key {key!r}: a key is a relative path without empty, '.' or '..' parts.")
    return key


def shown(address: str) -> str:
    """An address as it may be printed: what stands before an @, or after a colon where none belongs, is hidden."""
    scheme, separator, rest = address.rpartition("://")
    hidden = re.sub(r".*@", "***@", rest, flags=re.DOTALL)
    host, slash, path = hidden.partition("/")
    return f"{scheme}{separator}{re.sub(r':(?![0-9]+$).*', ':***', host)}{slash}{path}"
