"""Fetches pages, hop by hop, each from an address that was checked.

A name is resolved once per hop, here. The connection then goes to one of the addresses that were checked, not to the
name, so that a name server which answers differently the second time (DNS rebinding) changes nothing. The name still
stands in the Host header and is what a certificate must be for. Redirects are hops like the first. Nothing outlives a
hop: no connection, which would be kept by its address and not by the name it was verified for, and no cookie.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from http.client import responses as phrases
from typing import Any

import certifi
import httpx

from aepo.errors import UserError, brief, reason
from aepo.tools.base import ToolError
from aepo.tools.browse.addresses import Openings, Resolver, check_reach, resolve, system_resolver
from aepo.tools.browse.bodies import ACCEPTED, bounded_body
from aepo.tools.browse.media import media_kind
from aepo.tools.browse.page import Page, PageError
from aepo.tools.browse.request import port_of, read_url
from aepo.tools.browse.settings import BrowseSettings

REDIRECTS = 8
"""Most redirects of one fetch."""

ATTEMPTS = 3
"""Most addresses of a host that are tried."""

CONNECT_SECONDS = 5.0
"""Longest wait for one of them."""

_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
    "Accept-Encoding": ACCEPTED,
    "Connection": "close",
}
_PASSING = {408, 425, 429}
"""Answers below 500 that may be another one later."""


class Fetcher:
    """Fetches pages. Holds nothing open between two of them.

    Args:
        settings: limits, and what may be reached.
        resolver: answers for names.
    """

    def __init__(self, settings: BrowseSettings, resolver: Resolver = system_resolver) -> None:
        self._settings = settings
        self._openings = Openings.read(settings.allow)
        self._resolver = resolver

    async def fetch(self, url: httpx.URL) -> Page:
        """The page at a URL, after redirects.

        Raises:
            PageError: there is no such page, or it may not be had, or it cannot be read.
            ToolError: the server, the network or the name service fails.
            UserError: the file of certificates is none.
        """
        try:
            async with asyncio.timeout(self._settings.timeout):
                for _ in range(REDIRECTS + 1):
                    step = await self._visit(url)
                    if isinstance(step, Page):
                        return step
                    url = step
        except TimeoutError:
            raise ToolError(f"{brief(url.host)} does not answer within {self._settings.timeout:g} s") from None
        raise PageError(f"it is redirected more than {REDIRECTS} times")

    async def _visit(self, url: httpx.URL) -> Page | httpx.URL:
        """The page at a URL, or the URL to which it is redirected."""
        try:
            async with self._answer(url) as response:
                if response.has_redirect_location:
                    return read_url(response.headers["location"], url)
                _check_status(url, response.status_code)
                kind, charset = media_kind(response.headers.get("content-type", ""))
                body, cut = await bounded_body(response, self._settings.max_bytes)
                return Page(str(url), kind, charset, body, cut)
        except httpx.TransportError as error:
            if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
                raise PageError(f"{brief(url.host)} offers no secure connection: {reason(error)}") from None
            raise ToolError(f"the connection to {brief(url.host)} fails: {reason(error)}") from None

    @asynccontextmanager
    async def _answer(self, url: httpx.URL) -> AsyncIterator[httpx.Response]:
        """The first response, body unread, of the addresses that are tried in turn."""
        failure: httpx.TransportError | None = None
        for request in (await self._requests(url))[:ATTEMPTS]:
            # The transport alone: it knows no cookies, no passwords of ~/.netrc and, told so, no environment.
            async with httpx.AsyncHTTPTransport(
                verify=_certificates(os.environ.get("SSL_CERT_FILE") or certifi.where()),
                proxy=self._settings.proxy,
                trust_env=False,
            ) as transport:
                try:
                    response = await transport.handle_async_request(request)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    failure = error
                    continue
                try:
                    yield response
                finally:
                    await response.aclose()
                return
        assert failure is not None  # noqa: S101 - a host has an address
        raise failure

    async def _requests(self, url: httpx.URL) -> list[httpx.Request]:
        """One request for each address of the URL's host; behind a proxy one, for the host itself."""
        host, port = url.raw_host.decode("ascii"), port_of(url)
        try:
            addresses = await resolve(host, port, self._resolver)
        except (PageError, ToolError):
            if self._settings.proxy is None:
                raise
            addresses = []  # names of the outside may be known to the proxy alone
        check_reach(host, port, addresses, ports=self._settings.ports, openings=self._openings)
        if self._settings.proxy is not None:
            return [self._request(url, url)]
        return [self._request(url, url.copy_with(host=str(address))) for address in addresses]

    def _request(self, url: httpx.URL, target: httpx.URL) -> httpx.Request:
        """A request for a URL that is sent to the host of `target`."""
        extensions: dict[str, Any] = {"timeout": {"connect": CONNECT_SECONDS}}
        if target.host != url.host:
            extensions["sni_hostname"] = url.raw_host.decode("ascii")
        headers = {"Host": url.netloc.decode("ascii"), "User-Agent": self._settings.user_agent, **_HEADERS}
        return httpx.Request("GET", target, headers=headers, extensions=extensions)


@cache
def _certificates(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise UserError(f"{path} (SSL_CERT_FILE) holds no certificates: {reason(error)}") from None


def _check_status(url: httpx.URL, status: int) -> None:
    answer = f"{status} {phrases.get(status, '')}".strip()
    if status in _PASSING or status >= 500:
        raise ToolError(f"{brief(url.host)} answers {answer}")
    if not 200 <= status < 300:
        raise PageError(f"the server answers {answer}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
