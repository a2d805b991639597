"""Hostile code sent over HTTP: it ends as in a sandbox of one's own, leaves nothing, and the next call is answered."""

import asyncio

import httpx
import pytest
from boxes import KINDS, SMALL, require
from server_process import eventually, running_server
from test_sandbox_abuse import DISK, ENDLESS, MEMORY, OUTPUT, PROCESSES

from aepo.tools.sandbox import wire
from aepo.tools.sandbox.remote import RemoteSandbox

SECRET = "hunter2-of-the-servers-environment"
SHORT = [*MEMORY, *PROCESSES, *DISK, *OUTPUT]
TYPICAL = {
    "ten gigabytes at once",
    "memory in small pieces",
    "forks that flee",
    "a daemon",
    "kill everybody",
    "many files",
    "output without end",
    "protocol tags",
    "half a character",
}
TYPICAL_ENDLESS = {"a fork bomb", "deaf to signals"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """The second is that of a pod, where bubblewrap does not work."""
    require(request.param)
    return request.param


@pytest.fixture(scope="module")
def server(kind):
    arguments = ["--workers", "4", "--kind", kind, "--limits", SMALL.model_dump_json()]
    with running_server(*arguments, environment={"HUB_TOKEN": SECRET}) as running:
        yield running


@pytest.fixture(scope="module")
def usual(server):
    """How many processes it has when nothing runs."""
    httpx.get(server.url + wire.READY, timeout=60)
    return server.settled()


@pytest.fixture
async def sandbox(server, usual):
    """The server's client; after a test nothing is left of its calls, and the next one is answered."""
    async with RemoteSandbox(server.url) as sandbox:
        yield sandbox
        assert (await sandbox.run("print(2)")).text == "2\n"
    eventually(lambda: len(server.descendants()) <= usual)


def some(cases, typical):
    """The typical cases, and the others in the long series."""
    assert typical <= {case.name for case in cases}
    slow = [() if case.name in typical else pytest.mark.slow for case in cases]
    return [pytest.param(case, marks=marks, id=case.name) for case, marks in zip(cases, slow, strict=True)]


@pytest.mark.parametrize("case", some(SHORT, TYPICAL))
async def test_an_attack(sandbox, kind, case):
    case.check(kind, await sandbox.run(case.code))


async def test_attacks_without_end(sandbox, kind):
    cases = [case for case in ENDLESS if case.name in TYPICAL_ENDLESS]
    assert len(cases) == len(TYPICAL_ENDLESS)
    answers = await asyncio.gather(*(sandbox.run(case.code) for case in cases))
    for case, answer in zip(cases, answers, strict=True):
        case.check(kind, answer)


async def test_nothing_of_the_servers_environment_is_seen(sandbox):
    code = (
        "import os\n"
        "print(sorted(os.environ))\n"
        "for number in {*range(1, 400), os.getppid()}:\n"
        "    try: print(open(f'/proc/{number}/environ', 'rb').read())\n"
        "    except OSError: pass\n"
    )
    answer = await sandbox.run(code)
    assert answer.outcome == "ok"
    assert "HUB_TOKEN" not in answer.text
    assert SECRET not in answer.text


async def test_the_server_itself_is_out_of_reach(sandbox, server):
    port = int(server.url.rpartition(":")[2])
    answer = await sandbox.run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 3)\nprint('reached')")
    assert answer.outcome == "error"
    assert "reached" not in answer.text.splitlines()
