"""What an S3 store's failures mean to a user, and what to do about them.

A message names the object, the endpoint and where the keys came from. It never quotes a request: the signature and
the access key are in its headers.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from xml.etree import ElementTree as ET

from minio.error import MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, NameResolutionError, ReadTimeoutError, SSLError

from aepo.errors import UserError, shorten
from aepo.storage.s3.http import NOT_CONNECTED, StoreUnavailableError

ALLOWED_SKEW = timedelta(minutes=15)
"""How far S3 lets the clocks of client and store be apart."""

_REGIONS = (
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "Redirect",
    "IllegalLocationConstraintException",
)
_FULL = (
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "InsufficientStorage",
    "InsufficientCapacity",
    "QuotaExceeded",
)
_MEANINGS = {
    "NoSuchBucket": "there is no bucket {bucket} at {endpoint}. Create it, or correct storage.root.",
    "InvalidAccessKeyId": "{endpoint} does not know the access key in {origin}. Set the key of this store.",
    "SignatureDoesNotMatch": "the secret key in {origin} is not the access key's. Set both anew.",
    "InvalidToken": "the session token in {origin} is invalid. Set all three credentials anew.",
    "InvalidTokenId": "the session token in {origin} is invalid. Set all three credentials anew.",
    "ExpiredToken": "the session in {origin} has expired. Set new credentials.",
    "AccessDenied": "{endpoint} denies access with the credentials in {origin}. Allow them to list the bucket {bucket} "
    "and its unfinished uploads, and to get, put and delete its objects.",
    **dict.fromkeys(_REGIONS, "the bucket {bucket} is not in region {region}. Set storage.region to its region."),
    **dict.fromkeys(_FULL, "the store at {endpoint} is full. Free space there, or raise its quota."),
}
_SECRETS = re.compile(r"\b(Signature|Credential|Token)\s*[=:]\s*[^\s&,]+|\bAWS4?\S*:\S+", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """What messages say of a store.

    Attributes:
        endpoint: its address.
        bucket: its name.
        region: of the requests.
        origin: where the credentials came from, in words.
    """

    endpoint: str
    bucket: str
    region: str
    origin: str


@contextlib.contextmanager
def explained(place: Place, uri: str) -> Iterator[None]:
    """Turn every failure of the store into a `UserError` about `uri`."""
    try:
        yield
    except (MinioException, HTTPError, ET.ParseError) as error:
        raise UserError(f"{uri}: {_meaning(error, place)}") from None


def status_of(error: MinioException) -> int:
    """The HTTP status of a refused request; 0 where it is not known."""
    if isinstance(error, S3Error):
        return int(error.response.status)
    if isinstance(error, ServerError):
        return error.status_code
    return int(getattr(error, "_code", 0) or 0)


def _meaning(error: Exception, place: Place) -> str:
    if isinstance(error, S3Error):
        return _refused(error, place)
    if isinstance(error, MinioException | ET.ParseError):
        return _no_s3(error, place)
    return _unreachable(error, place)


def _refused(error: S3Error, place: Place) -> str:
    there = _clock_of(error)
    here = datetime.now(UTC)
    apart = abs(there - here) if there else timedelta(0)
    if error.code == "RequestTimeTooSkewed" or (status_of(error) == HTTPStatus.FORBIDDEN and apart > ALLOWED_SKEW):
        clocks = f" (here {here:%F %T}Z, there {there:%F %T}Z)" if there else ""
        return f"the clocks of this machine and of {place.endpoint} are too far apart{clocks}. Set them by NTP."
    if status_of(error) == HTTPStatus.INSUFFICIENT_STORAGE:
        return _MEANINGS["InsufficientStorage"].format(**vars(place))
    meaning = _MEANINGS.get(error.code or "")
    said = shorten(_SECRETS.sub("***", error.message or ""))
    if meaning is None:
        return f"{place.endpoint} refuses the request: {error.code or status_of(error)}, {said!r}."
    return meaning.format(**vars(place)) + (f" It said: {said!r}." if error.code in _REGIONS else "")


def _clock_of(error: S3Error) -> datetime | None:
    """The store's time when it answered."""
    found = re.search(rb"<ServerTime>([^<]+)</ServerTime>", error.response.data or b"")
    try:
        if found:
            return datetime.fromisoformat(found[1].decode()).astimezone(UTC)
        return email.utils.parsedate_to_datetime(error.response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None


def _no_s3(error: Exception, place: Place) -> str:
    status = status_of(error) if isinstance(error, MinioException) else 0
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        return _MEANINGS["InsufficientStorage"].format(**vars(place))
    answer = f" (HTTP {status})" if status else ""
    return (
        f"{place.endpoint} does not answer as an S3 store does{answer}. Set storage.endpoint to the address of the S3 "
        "API, with https:// where it uses TLS."
    )


def _unreachable(error: Exception, place: Place) -> str:
    endpoint = place.endpoint
    check = "Check storage.endpoint (or AWS_ENDPOINT_URL) and that the store runs."
    if isinstance(error, StoreUnavailableError):
        return f"{endpoint} is overloaded or down: it answered {error.status} again and again. Try later."
    if isinstance(error, NameResolutionError):
        return f"the host of {endpoint} is unknown (DNS). {check}"
    if isinstance(error, SSLError):
        return (
            f"no TLS connection to {endpoint} ({_reason(error)}). Set SSL_CERT_FILE to the authority's certificate, or "
            "write http:// if the store has no TLS."
        )
    if isinstance(error, NOT_CONNECTED):
        return f"{endpoint} cannot be reached ({_reason(error)}). {check}"
    if isinstance(error, ReadTimeoutError):
        return f"{endpoint} does not answer in time. The store is overloaded or the network fails: try again."
    return f"the connection to {endpoint} breaks off again and again ({_reason(error)}). Check the network, try again."


def _reason(error: Exception) -> str:
    """The system's cause in a few words, such as `Connection refused`."""
    inner = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error.__cause__
    if isinstance(inner, TimeoutError):
        return "timed out"
    return shorten(getattr(inner, "strerror", None) or inner or error, 120)
