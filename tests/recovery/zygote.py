"""A process that has imported everything and forks one child per request, so that killing stages is cheap.

Requests and answers are lines of JSON. A request names a stage, its configuration and arguments, and what befalls
it: a `signal` `after` seconds, or once it has reported `progress` so many times, or SIGKILL before the n-th file
appears (`write`). The answer is the child's end.
"""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from aepo.stages import unfinished
from components.runtime import run


def main():
    """Serve until the input ends."""
    from transformers.models.auto import modeling_auto, tokenization_auto  # noqa: F401

    import aepo.stages.report
    import aepo.stages.train  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _work(request)
        if (after := request.get("after")) is not None:
            threading.Timer(after, _send, (child, request["signal"])).start()
        if (count := request.get("progress")) is not None:
            threading.Thread(target=_send_at, args=(Path(request["events"]), count, child, request["signal"])).start()
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}
        print(json.dumps(answer), file=answers, flush=True)


def _send(child, number):
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _send_at(events, count, child, number):
    for _ in range(10_000):
        if events.exists() and events.read_text().count('"progress"') >= count:
            return _send(child, number)
        time.sleep(0.005)
    return None


def _work(request):
    if (count := request.get("write")) is not None:
        _die_before_write(count)
    unfinished.FLUSH_SECONDS = request.get("flush", unfinished.FLUSH_SECONDS)
    arguments = {name: _decoded(value) for name, value in request["arguments"].items()}
    code = 0
    try:
        run(request["stage"], request["config"], **arguments)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        print(repr(error), file=sys.stderr)  # noqa: T201
        code = 70
    sys.stderr.flush()
    os._exit(code)


class _At:
    """What `run` takes for an artifact: something with a path."""

    def __init__(self, path):
        self.path = path


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return _At(value["path"]) if isinstance(value, dict) else value


def _die_before_write(count):
    """Die by SIGKILL when the count-th file is about to appear in the store or as an artifact."""
    replace, left = Path.replace, [count]

    def dying(self, target):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    Path.replace = dying


if __name__ == "__main__":
    main()
