"""HTTP whose answers cannot be too long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Bounds what a server may answer to one request. Streams of events are bounded event by event, elsewhere.

    Args:
        most: bytes of an answer.
    """

    def __init__(self, most: int) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            httpx2.TransportError: no answer, or a compressed one, of which the size is unknown.
        """
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the server compresses, which it was asked not to")
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101
            response.stream = _BoundedStream(response.stream, self._most)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._stream:
            received += len(chunk)
            if received > self._most:
                raise httpx2.StreamError(f"a message of more than {self._most} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
