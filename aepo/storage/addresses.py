"""Reading addresses: plain paths, file:// and s3://, and the keys below them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from aepo.errors import UserError, shorten
from aepo.paths import user_path


def scheme_of(uri: str) -> str:
    """What stands before the colon of an address; empty for a plain path.

    Raises:
        UserError: it is no address.
    """
    return _split(uri).scheme


def is_local(uri: str) -> bool:
    """Whether an address names a folder of this machine, not an object store."""
    return scheme_of(uri) in ("", "file")


def local_folder(uri: str) -> Path:
    """The local folder that a `file://` uri or a plain path names.

    Raises:
        UserError: it is neither.
    """
    parts = _split(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return user_path(unquote(parts.path))
    if parts.scheme == "file":
        raise UserError(f"storage {shown(uri)}: a file:// address needs three slashes and an absolute path.")
    if not parts.scheme:
        return user_path(uri)
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
    scheme, separator, rest = address.partition("?")[0].rpartition("://")
    hidden = re.sub(r".*@", "***@", rest, flags=re.DOTALL)
    host, slash, path = hidden.partition("/")
    return shorten(f"{scheme}{separator}{re.sub(r':(?![0-9]+$).*', ':***', host)}{slash}{path}")


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError:  # its text would quote what stands before the @
        raise UserError(f"storage {shown(uri)} is no address: write s3://bucket/prefix or a path.") from None
