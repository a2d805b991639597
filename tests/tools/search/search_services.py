"""Web services for the tests: servers at 127.0.0.1 of the published wire formats, which misbehave on request."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    params: dict
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    """What it gets: an object is sent as JSON, bytes as they are; nothing at all after `hang_up`."""

    body: object = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    seconds: float = 0.0
    hang_up: bool = False


@dataclass
class Service:
    """A server whose answers are those of `respond`."""

    url: str
    respond: object
    requests: list = field(default_factory=list)


@contextmanager
def service(respond):
    """Runs a server; `respond` gives an Answer for a Request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            params = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            request = Request(self.command, parts.path, params, dict(self.headers), body)
            running.requests.append(request)
            answer = running.respond(request)
            time.sleep(answer.seconds)
            if answer.hang_up:
                self.close_connection = True
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Service(f"http://127.0.0.1:{server.server_address[1]}", respond)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serper(key, pages):
    """Serper (serper.dev): Google's results for a POST of {"q", "num"}, with the key in X-API-KEY."""

    def respond(request):
        if request.headers.get("X-API-KEY") != key:
            return Answer({"message": "Unauthorized.", "statusCode": 403}, 403)
        if (request.method, request.path) != ("POST", "/search"):
            return Answer({"message": "Not Found", "statusCode": 404}, 404)
        if not request.json.get("q"):
            return Answer({"message": "Missing query parameter", "statusCode": 400}, 400)
        found = pages.get(request.json["q"], [])[: request.json.get("num", 10)]
        organic = [{"title": t, "link": u, "snippet": s, "position": n} for n, (t, u, s) in enumerate(found, 1)]
        parameters = {"q": request.json["q"], "type": "search", "engine": "google"}
        return Answer({"searchParameters": parameters, "organic": organic, "credits": 1})

    return respond


def brave(key, pages):
    """Brave Search: GET with q and count, the key in X-Subscription-Token."""

    def respond(request):
        if request.headers.get("X-Subscription-Token") != key:
            error = {"code": "SUBSCRIPTION_TOKEN_INVALID", "status": 422, "detail": "The provided token is invalid."}
            return Answer({"type": "ErrorResponse", "error": error}, 422)
        if (request.method, request.path) != ("GET", "/res/v1/web/search"):
            return Answer({"type": "ErrorResponse", "error": {"code": "NOT_FOUND"}}, 404)
        if not 1 <= int(request.params.get("count", 20)) <= 20 or len(request.params["q"]) > 400:
            return Answer({"type": "ErrorResponse", "error": {"code": "VALIDATION"}}, 422)
        found = pages.get(request.params["q"], [])[: int(request.params.get("count", 20))]
        answer = {"type": "search", "query": {"original": request.params["q"]}}
        results = [{"title": t, "url": u, "description": s, "type": "search_result"} for t, u, s in found]
        return Answer(answer | ({"web": {"type": "search", "results": results}} if found else {}))

    return respond
