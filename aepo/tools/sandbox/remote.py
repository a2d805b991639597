"""A sandbox on another machine, in another pod or under another user: the client of `aepo.tools.sandbox.server`.

Nothing is ever run here. Where the server cannot answer, the call ends as `sandbox_unavailable`, which is nobody's
fault. A server whose places are all taken is asked again until the time is up; whether to repeat a call that failed
otherwise is the caller's choice, for a sandbox keeps nothing between calls.
"""

from __future__ import annotations

import asyncio
import random
from types import TracebackType

import httpx

from aepo.errors import UserError, reason
from aepo.tools.base import Observation, ToolError
from aepo.tools.calls.per_loop import PerLoop
from aepo.tools.sandbox import wire

CONNECT_SECONDS = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds between two questions to a server whose places are all taken."""

KEPT = 64
"""Idle connections that stay open for a later call, for a few seconds."""

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may go through later."""


class RemoteSandbox:
    """Runs Python code in a sandbox server. Has the methods of `PythonSandbox`.

    It opens its connections at the first call and, closed, opens them again at a later one, on another event loop too.

    Args:
        url: address of the server, such as http://aepo-sandbox:8080.
        seconds: that a call may take, waiting for a free place on the server included.

    Raises:
        UserError: the address is none.
    """

    def __init__(self, url: str, *, seconds: float = 60.0) -> None:
        self.url = _checked(url)
        self._seconds = seconds
        self._clients = PerLoop(self._connect)

    async def __aenter__(self) -> RemoteSandbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if (client := self._clients.take()) is not None:
            await client.aclose()

    async def run(self, code: str) -> Observation:
        """Run code in the server's sandbox; when this is cancelled, the server kills the call.

        Raises:
            ToolError: what answers at the address is no sandbox server.
        """
        try:
            body = wire.write_request(code)
        except wire.TooLongError as error:
            return Observation(f"error: {error}\n", "error")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(body)
        except _BusyError:
            said = f"had no free place for {self._seconds:g} s: start more of them, or allow fewer calls at once"
        except TimeoutError:
            said = f"did not answer within {self._seconds:g} s"
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            said = f"cannot be reached ({_root(error)}): see that it runs, and correct sandbox.url if it is elsewhere"
        except httpx.HTTPError as error:
            said = f"broke off the call ({_root(error)})"
        return self._unavailable(said)

    async def _ask(self, body: bytes) -> Observation:
        """Ask until there is a free place, or none before the time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        wait = FIRST_WAIT
        while True:
            response, answer = await self._post(body)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or "retry-after" not in response.headers:
                return self._read(response, answer)
            wait = min(max(2 * wait, _retry_after(response)), LONGEST_WAIT)
            pause = random.uniform(0.5, 1.0) * wait  # noqa: S311  so that not all ask at the same time
            if loop.time() + pause >= end:
                raise _BusyError
            await asyncio.sleep(pause)

    async def _post(self, body: bytes) -> tuple[httpx.Response, bytes]:
        """The response, and its body up to a little more than the most that is read.

        The body is taken as it comes, so that nothing unpacks to more.
        """
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        client = self._clients.here()
        async with client.stream("POST", self.url + wire.RUN, content=body, headers=headers) as response:
            answer = bytearray()
            async for piece in response.aiter_raw():
                answer += piece
                if len(answer) > wire.LARGEST_ANSWER:
                    break
            return response, bytes(answer)

    def _connect(self) -> httpx.AsyncClient:
        """Without the environment's proxies and passwords: the server is ours, and told nothing."""
        return httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT, keepalive_expiry=5.0),
            trust_env=False,
        )

    def _read(self, response: httpx.Response, answer: bytes) -> Observation:
        """What a response says.

        Raises:
            ToolError: it is none of a sandbox server's.
        """
        status = response.status_code
        if len(answer) > wire.LARGEST_ANSWER:
            return self._unavailable(f"answered more than {wire.LARGEST_ANSWER} bytes")
        if status == httpx.codes.OK:
            try:
                return wire.read_answer(answer)
            except wire.WireError as error:
                raise ToolError(self._no_sandbox(str(error)), retry=False) from None
        said = ": ".join(filter(None, [f"{status} {response.reason_phrase}".strip(), wire.read_error(answer)]))
        if status in PASSING:
            return self._unavailable(f"answered {said}")
        raise ToolError(self._no_sandbox(said), retry=False)

    def _no_sandbox(self, said: str) -> str:
        return (
            f"what answers at {self.url} is no sandbox server of this version ({said}): correct sandbox.url, "
            "or start a server there with `aepo sandbox serve`"
        )

    def _unavailable(self, said: str) -> Observation:
        return Observation(f"the sandbox server at {self.url} {said}", "sandbox_unavailable")


class _BusyError(Exception):
    """Every place of the server stayed taken."""


def _checked(url: str) -> str:
    """An address without a trailing slash. What is refused is not repeated: it may hold a password."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise UserError("sandbox.url is no address: write it like http://aepo-sandbox:8080.")
    if parts.userinfo or parts.query or parts.fragment:
        raise UserError("sandbox.url has a user, a query or a fragment: write it like http://aepo-sandbox:8080.")
    return str(parts).rstrip("/")


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks for; 0 where it names a date or nothing."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except ValueError:
        return 0.0


def _root(error: BaseException) -> str:
    """What the system said, under what the client's libraries made of it."""
    while beneath := error.__cause__ or error.__context__:
        error = beneath
    return reason(error)
