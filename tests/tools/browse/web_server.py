"""A web server on 127.0.0.1 that says exactly what it is told to, byte by byte, in the event loop of the test."""

import asyncio
import contextlib


def answer(body=b"", *, status=200, kind="text/plain", **headers):
    """A response with its length."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *([f"Content-Type: {kind}"] if kind else [])]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def moved(location, status=302):
    return answer(status=status, Location=location)


def head(*lines):
    """The beginning of a response."""
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


class WebServer:
    """Answers each path with bytes, or leaves the connection to a coroutine function of (reader, writer).

    Attributes:
        pages: by path; what is missing is answered 404.
        requests: heads of the requests, as text.
    """

    def __init__(self, host="127.0.0.1", port=0, tls=None):
        self.pages = {}
        self.requests = []
        self._where = host, port, tls

    async def __aenter__(self):
        host, port, tls = self._where
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    @property
    def paths(self):
        return [request.split()[1] for request in self.requests]

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            page = self.pages.get(request.split()[1], answer(b"none", status=404))
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(reader, writer)
        writer.close()


def names(**hosts):
    """A resolver that knows hosts (`page_test` for page.test), and counts how often each is asked for."""
    known = {host.replace("_", "."): addresses for host, addresses in hosts.items()}

    async def resolver(host, port):
        import socket

        resolver.asked.append(host)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[host]

    resolver.asked = []
    return resolver
