"""The address of a proxy, as settings hold it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError("a proxy with credentials is not supported: a configuration holds no secrets")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write the proxy as in http://proxy:3128")
    return address


Proxy = Annotated[str, AfterValidator(_checked)]
"""An http:// or https:// address without credentials."""
