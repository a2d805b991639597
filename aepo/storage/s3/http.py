"""Connections to an S3 store: bounded waits, and failed requests tried again with exponential back-off and jitter.

The minio client sends through this pool. urllib3's own retries know neither jitter on the first waits nor a limit
in seconds, send a part in one piece under one time-out, and treat a mistyped host like a busy one.
"""

from __future__ import annotations

import io
import os
import random
import re
import ssl
import time
from http import HTTPStatus
from typing import Any

import certifi
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

CONNECT_TIMEOUT = 10.0
"""Seconds to connect, and to send one block of a body."""
READ_TIMEOUT = 30.0
"""Seconds without a byte of the answer."""
RETRY_SECONDS = 60.0
"""How long a request is tried again after it first failed."""
UNREACHED_SECONDS = 12.0
"""The same, for a connection to a store that has not answered this process yet: most likely a wrong address."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
"""Seconds before the second attempt; doubled with every further one, up to the longest. Jitter takes up to a half."""
CONNECTIONS = 8

NOT_CONNECTED = (ConnectTimeoutError, NewConnectionError)
_PASSING_STATUS = frozenset({429, 500, 502, 503, 504})


class StoreUnavailableError(HTTPError):
    """The store still answered 429 or 5xx when the time for retries was over.

    Attributes:
        status: the last HTTP status, with the store's code where it gave one.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        code = re.search(rb"<Code>(\w+)</Code>", response.data or b"")
        self.status = f"{response.status} {code[1].decode() if code else HTTPStatus(response.status).phrase}"
        super().__init__(f"the store answered {self.status}")


class Patience:
    """The waits between the attempts of one request.

    Args:
        seconds: how long, from the first failure, another attempt is made.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self._wait = FIRST_WAIT

    def after(self, error: HTTPError) -> bool:
        """As `another`, after an attempt that broke off; False too for an error that would only come again."""
        cut = isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLEOFError)
        if not (cut or isinstance(error, (*NOT_CONNECTED, ReadTimeoutError, ProtocolError))):
            return False
        return self.another(lost=READ_TIMEOUT if isinstance(error, ReadTimeoutError) else 0)

    def another(self, *, lost: float = 0.0, asked: float = 0.0) -> bool:
        """Wait before the next attempt; False, at once, where the time is up.

        Args:
            lost: seconds that the failed attempt has waited for nothing.
            asked: seconds that the store asked to wait (Retry-After).
        """
        now = time.monotonic()
        self._end = self._end or now - lost + self._seconds
        wait = max(asked, self._wait * random.uniform(0.5, 1))  # noqa: S311
        if now + wait > self._end:
            return False
        time.sleep(wait)
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return True


class PatientPool(urllib3.PoolManager):
    """Sends every request until it is answered or its time is up.

    Raises:
        StoreUnavailableError: see there.
        HTTPError: of urllib3, of the last attempt.
    """

    def __init__(self) -> None:
        super().__init__(
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or os.environ.get("AWS_CA_BUNDLE") or certifi.where(),
        )
        self._answered = False

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **request: Any
    ) -> urllib3.BaseHTTPResponse:
        """See `PoolManager`; redirects are answers, for a request is signed for one host."""
        body = request.pop("body", None)
        patience: Patience | None = None
        while True:
            try:
                response = super().urlopen(
                    method, url, redirect=redirect, retries=False, body=_in_blocks(body), **request
                )
                refused = response.status in _PASSING_STATUS and response.data is not None
            except HTTPError as error:
                unreached = isinstance(error, NOT_CONNECTED) and not self._answered
                patience = patience or Patience(UNREACHED_SECONDS if unreached else RETRY_SECONDS)
                if not patience.after(error):
                    raise
                continue
            self._answered = True
            if not refused:
                return response
            patience = patience or Patience(RETRY_SECONDS)
            if not patience.another(asked=_retry_after(response)):
                raise StoreUnavailableError(response)


def _in_blocks(body: bytes | None) -> io.BytesIO | bytes | None:
    """A body that is sent in blocks, each with a time-out of its own."""
    return io.BytesIO(body) if body else body


def _retry_after(response: urllib3.BaseHTTPResponse) -> float:
    try:
        return min(urllib3.Retry().get_retry_after(response) or 0.0, RETRY_SECONDS / 2)
    except InvalidHeader:
        return 0.0
