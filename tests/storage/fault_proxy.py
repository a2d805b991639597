"""A proxy before an S3 server that counts what passes and does to it what networks and stores do."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, parse_qs, urlsplit

from minio.credentials import Credentials
from minio.signer import sign_v4_s3

HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def query(self):
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    @property
    def name(self):
        """The object's name within the bucket."""
        return urlsplit(self.path).path.partition("/")[2].partition("/")[2]

    @property
    def is_part(self):
        return self.method == "PUT" and "partNumber" in self.query

    @property
    def is_manifest(self):
        return self.name.endswith("manifest.json")


@dataclass
class Answer:
    """What the client gets. A fault may cut the body, or slow it down."""

    status: int
    headers: dict
    body: bytes
    cut_after: int | None = None
    lost: bool = False
    seconds_per_block: float = 0.0


def error(status, code, message="", **headers):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>" if code else "<html>oh</html>"
    kind = "application/xml" if code else "text/html"
    return Answer(status, {"Content-Type": kind, **headers}, body.encode())


@dataclass
class FaultProxy:
    """Forwards to a server.

    Attributes:
        faults: each is called with every request and may answer in place of the server (an `Answer`), change the
            request, or return None.
        twists: each is called with every request and the server's answer, which it may change.
        hang_ups: each is called with the head of every request; if true, the connection is cut within the body.
        requests: all that came in.
        tls: speaks it.
    """

    server: object
    faults: list[Callable] = field(default_factory=list)
    twists: list[Callable] = field(default_factory=list)
    hang_ups: list[Callable] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)

    def __enter__(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):  # a client that was killed
                pass

        self.listener = Listener(("127.0.0.1", 0), Handler)
        if self.tls:
            self.listener.socket = self.tls.wrap_socket(self.listener.socket, server_side=True)
        self.endpoint = f"http{'s' if self.tls else ''}://localhost:{self.listener.server_port}"
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.faults.clear()
        self.listener.shutdown()
        self.listener.server_close()

    def handle(self, handler):
        size = int(handler.headers.get("Content-Length", 0))
        head = Request(handler.command, handler.path, dict(handler.headers.items()), b"")
        if any(hang_up(head) for hang_up in self.hang_ups):
            handler.rfile.read(size // 2)
            hang_up_on(handler)
            return
        body = handler.rfile.read(size)
        if len(body) < size:  # the client is gone
            handler.close_connection = True
            return
        request = Request(head.method, head.path, head.headers, body)
        self.requests.append(request)
        answer = next((found for fault in list(self.faults) if (found := fault(request)) is not None), None)
        if answer is None:
            answer = self.forward(request)
        for twist in list(self.twists):
            twist(request, answer)
        if answer.lost:
            hang_up_on(handler)
        else:
            self.reply(handler, request, answer)

    def forward(self, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in HOP}
            if request.method == "HEAD":
                headers["Content-Length"] = response.getheader("Content-Length", "0")
            answer = Answer(response.status, headers, response.read())
        finally:
            connection.close()
        if self.server.moto and answer.status == 500 and "uploadId" in request.query:
            return error(404, "NoSuchUpload")  # moto stumbles over an upload that is gone, where S3 says this
        return answer

    def reply(self, handler, request, answer):
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if "Content-Length" not in answer.headers:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.flush()
        sent = answer.body if answer.cut_after is None else answer.body[: answer.cut_after]
        for start in range(0, len(sent), 2**16):
            handler.wfile.write(sent[start : start + 2**16])
            if answer.seconds_per_block:
                handler.wfile.flush()
                time.sleep(answer.seconds_per_block)
        handler.wfile.flush()
        if answer.cut_after is not None:
            hang_up_on(handler)

    def bytes_put(self):
        """Bytes of objects and parts that were sent."""
        return sum(len(request.body) for request in self.requests if request.method == "PUT")

    def count(self, chosen):
        return sum(1 for request in self.requests if chosen(request))


def hang_up_on(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def times(count, fault):
    """A fault, or twist, that happens so often only."""
    left = [count]

    def limited(*seen):
        if left[0] <= 0:
            return None
        outcome = fault(*seen)
        left[0] -= outcome is not None
        return outcome

    return limited


def when(chosen, outcome):
    """A fault that answers the requests that are chosen."""
    return lambda request: (outcome() if callable(outcome) else outcome) if chosen(request) else None


def cut(chosen, after):
    """A twist that cuts the connection after some bytes of the answer's body."""

    def twist(request, answer):
        if chosen(request):
            answer.cut_after = after
            return True
        return None

    return twist


def lost(chosen):
    """A twist: the request has arrived, but its answer does not."""

    def twist(request, answer):
        if chosen(request):
            answer.lost = True
            return True
        return None

    return twist


def slow(chosen, seconds):
    """A twist that waits before every 64 KiB of an answer's body."""

    def twist(request, answer):
        if chosen(request):
            answer.seconds_per_block = seconds
            return True
        return None

    return twist


def skewed_clock(offset):
    """A fault: the store's clock is wrong by an offset, so it refuses what is signed more than 15 minutes apart."""

    def fault(request):
        signed = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        there = datetime.now(UTC) + offset
        if abs(there - signed) <= timedelta(minutes=15):
            return None
        answer = error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time")
        times_ = (
            f"<RequestTime>{signed:%Y%m%dT%H%M%SZ}</RequestTime><ServerTime>{there:%Y-%m-%dT%H:%M:%SZ}</ServerTime>"
        )
        answer.body = answer.body.replace(b"</Error>", times_.encode() + b"</Error>")
        return answer

    return fault


def without(server, *headers):
    """A fault that makes a store which does not know some headers; the request is signed anew."""

    def fault(request):
        if not {*headers} & {*request.headers}:
            return
        dropped = {*headers, "Authorization", "Connection", "Accept-Encoding"}
        url = urlsplit(request.path)
        request.headers = sign_v4_s3(
            method=request.method,
            url=SplitResult("http", request.headers["Host"], url.path, url.query, ""),
            region="us-east-1",
            headers={name: value for name, value in request.headers.items() if name not in dropped},
            credentials=Credentials(server.access_key, server.secret_key),
            content_sha256=request.headers["x-amz-content-sha256"],
            date=datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        )

    return fault
