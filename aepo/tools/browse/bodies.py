"""Reads bodies of responses without trusting their length, before and after decompression."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import httpx

from aepo.errors import brief
from aepo.tools.browse.page import PageError

ACCEPTED = "gzip, deflate"
"""Encodings that are asked for: those whose output can be bounded while it is decompressed."""

Decoder = Callable[[bytes, int], bytes]


async def bounded_body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of a body, decompressed, and whether there is more.

    Reading stops as soon as more has come, compressed or decompressed; no more than that is ever held.

    Raises:
        PageError: the body is compressed in a way that was not asked for, or damaged.
        httpx.TransportError: the connection breaks.
    """
    decode = _decoder(response.headers.get("content-encoding", "identity"))
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        try:
            body += decode(chunk, limit + 1 - len(body))
        except zlib.error:
            raise PageError("its compressed content is damaged") from None
        if max(received, len(body)) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _decoder(encoding: str) -> Decoder:
    match encoding.strip().lower():
        case "" | "identity":
            return lambda chunk, most: chunk[:most]
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
        case "deflate":
            return _deflate()
    raise PageError(f"it is compressed as {brief(encoding)}, which was not asked for")


def _deflate() -> Decoder:
    """Some servers leave out the header that the standard (RFC 9110, 8.4.1.2) has around the data."""
    chosen: Decoder | None = None

    def decode(chunk: bytes, most: int) -> bytes:
        nonlocal chosen
        if chosen is not None:
            return chosen(chunk, most)
        for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
            chosen = zlib.decompressobj(bits).decompress
            try:
                return chosen(chunk, most)
            except zlib.error as error:
                failure = error
        raise failure

    return decode
