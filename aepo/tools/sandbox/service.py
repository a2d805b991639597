"""Answers HTTP requests with a sandbox: what `aepo.tools.sandbox.server` serves.

POST /run      runs code; whoever hangs up kills the call
GET  /healthz  200 while the process answers
GET  /readyz   200 once a call went through, until the sandbox fails; then again once another went through
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aepo.tools.base import Observation
from aepo.tools.sandbox import wire

BODY_SECONDS = 10.0
"""Time that a request's body may take to arrive."""

RETRY_SECONDS = 1
"""When to come again, of a call for which there was no place."""

PROBE, PROBE_ANSWER = "print(6 * 7)", "42"

CLOSE = {"connection": "close"}
"""Of answers after which a connection is of no use: the request was not read, or is better made elsewhere."""


class Sandbox(Protocol):
    """What the server needs of a sandbox."""

    async def run(self, code: str) -> Observation:
        """Run code."""
        ...


class SandboxService:
    """Answers requests with a sandbox.

    Args:
        sandbox: where the code runs.
        workers: calls that run at once.
        queue: further calls that wait.
        seconds: after which a call that has not come back counts as lost.
    """

    def __init__(self, sandbox: Sandbox, *, workers: int, queue: int, seconds: float) -> None:
        self._sandbox = sandbox
        self._places = asyncio.Semaphore(workers)
        self._most = workers + queue
        self._seconds = seconds
        self._calls = 0
        self._waiting: set[asyncio.Task[Observation]] = set()
        self._ready = False
        self._trying = asyncio.Lock()
        self._stopping = False

    def app(self) -> Starlette:
        """The routes."""
        routes = [
            Route(wire.RUN, self.run, methods=["POST"]),
            Route(wire.HEALTHY, self.healthy),
            Route(wire.READY, self.ready),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _refusal})

    async def healthy(self, _: Request) -> Response:
        """Whether this process answers."""
        return PlainTextResponse("alive\n")

    async def ready(self, _: Request) -> Response:
        """Whether code runs. Calls that go through are proof enough, so that a busy server is asked to run no more."""
        async with self._trying:
            if not self._ready and not self._stopping:
                observation = await self._run(PROBE)
                self._ready = observation.outcome == "ok" and observation.text.strip() == PROBE_ANSWER
        if self._stopping or not self._ready:
            raise HTTPException(503, "the sandbox runs no code")
        return PlainTextResponse("ready\n")

    async def run(self, request: Request) -> Response:
        """Run the code of a request, and kill it when nobody waits for it any more."""
        try:
            code = wire.read_request(await _body(request))
        except wire.TooLongError as error:
            raise HTTPException(413, str(error)) from None
        except wire.WireError as error:
            raise HTTPException(400, str(error)) from None
        if self._stopping or self._calls >= self._most:
            raise _no_place()
        self._calls += 1
        call, gone = asyncio.create_task(self._call(code)), asyncio.create_task(_hang_up(request))
        try:
            await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                return Response()  # which nobody reads
            if call.cancelled():
                raise _no_place()
            observation = call.result()
        finally:
            call.cancel()
            gone.cancel()
            await asyncio.gather(call, gone, return_exceptions=True)
            self._calls -= 1
        if observation.outcome == "sandbox_unavailable":
            raise HTTPException(503, observation.text, CLOSE)
        return Response(wire.write_answer(observation), media_type="application/json")

    def send_away(self) -> None:
        """Take no more calls, and give up those that wait: another server may take them."""
        self._stopping = True
        for call in self._waiting:
            call.cancel()

    async def _call(self, code: str) -> Observation:
        call = asyncio.current_task()
        assert call is not None  # noqa: S101
        self._waiting.add(call)
        try:
            async with self._places:
                self._waiting.discard(call)
                return await self._run(code)
        finally:
            self._waiting.discard(call)

    async def _run(self, code: str) -> Observation:
        """Run code, bounded even where the sandbox does not keep to its limits."""
        try:
            async with asyncio.timeout(self._seconds):
                observation = await self._sandbox.run(code)
        except TimeoutError:
            observation = Observation("the sandbox did not keep to its time limit", "sandbox_unavailable")
        self._ready = observation.outcome != "sandbox_unavailable"
        return observation


async def _body(request: Request) -> bytes:
    """The body of a request, bounded in size and time."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which no web page can send without asking, and we answer no such question
        raise HTTPException(415, "the body must be JSON: send content-type: application/json", CLOSE)
    length = request.headers.get("content-length", "0")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if max(len(body), int(length)) > wire.LARGEST_REQUEST:
                    raise HTTPException(413, f"the body has more than {wire.LARGEST_REQUEST} bytes", CLOSE)
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {BODY_SECONDS:g} s", CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "the client hung up") from None
    return bytes(body)


async def _hang_up(request: Request) -> None:
    """Come back when the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _no_place() -> HTTPException:
    said = "every place is taken: come again, or start more servers"
    return HTTPException(503, said, CLOSE | {"retry-after": str(RETRY_SECONDS)})


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
