"""What the sandbox server and its client say to each other: bounded JSON, checked on arrival by both.

    POST /run      {"code": "print(6 * 7)"}  →  200 {"text": "42", "outcome": "ok"}
    GET  /healthz, /readyz

Any other status comes with {"error": "…"}, which says what is wrong. 503 with Retry-After: every place is taken, and
nothing was run. 503 without: the sandbox runs no code.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from aepo.errors import brief, shorten
from aepo.tools.base import Observation, Outcome
from aepo.tools.sandbox.python_sandbox import LONGEST

RUN, HEALTHY, READY = "/run", "/healthz", "/readyz"

LARGEST_REQUEST = 8 * LONGEST
"""Bytes of the longest request: JSON may write a byte of the code as six."""

LARGEST_ANSWER = 2**24
"""Bytes of the longest answer that a client reads."""

_REQUEST = '{"code": "…"}'
_OUTCOMES = frozenset(get_args(Outcome))


class WireError(ValueError):
    """A message is not of the agreed form; it says how."""


class TooLongError(WireError):
    """The code is longer than a sandbox takes."""


def write_request(code: str) -> bytes:
    """The body of a request.

    Raises:
        TooLongError: no server takes code as long as this.
    """
    _check(code)
    return json.dumps({"code": code}).encode()


def read_request(body: bytes) -> str:
    """The code in the body of a request.

    Raises:
        WireError: the body is not of the form {"code": "…"}.
        TooLongError: the code is longer than a sandbox takes.
    """
    request = _object(body)
    if unknown := sorted(request.keys() - {"code"}):
        raise WireError(f"the field {brief(unknown[0])} is unknown; send {_REQUEST}")
    code = request.get("code")
    if not isinstance(code, str):
        raise WireError(f"the field code is {'no text' if 'code' in request else 'missing'}; send {_REQUEST}")
    _check(code)
    return code


def write_answer(observation: Observation) -> bytes:
    """The body of an answer."""
    return json.dumps({"text": observation.text, "outcome": observation.outcome}).encode()


def read_answer(body: bytes) -> Observation:
    """What the sandbox answered.

    Raises:
        WireError: it is no answer of a sandbox.
    """
    match _object(body):
        case {"text": str(text), "outcome": str(outcome)} if outcome in _OUTCOMES:
            return Observation(text, outcome)  # type: ignore[arg-type]
    raise WireError('the body is not of the form {"text": "…", "outcome": "…"}')


def read_error(body: bytes) -> str:
    """What an answer with an error's status says, on one line and short; "" if nothing."""
    try:
        said = _object(body).get("error", "")
    except WireError:
        said = body.decode(errors="replace")
    return shorten(said)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the body is no valid JSON ({shorten(error)})") from None
    if not isinstance(value, dict):
        raise WireError("the body is no JSON object")
    return value


def _check(code: str) -> None:
    if (size := len(code.encode("utf-8", "surrogatepass"))) > LONGEST:
        raise TooLongError(f"the program has {size} bytes, at most {LONGEST} are allowed")
