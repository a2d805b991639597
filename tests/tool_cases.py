"""Where the settings of tools can be seen."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import field_probes as see
from tests import tool_probes as tools
from tests.field_probes import FROM_FILE, Case

RAW = Path(__file__).with_name("tools") / "mcp" / "raw_server.py"
"""Answers a call with its arguments."""


def office(tool: str) -> str:
    """An MCP server that offers one of its tools."""
    return f"{{name: office, command: {sys.executable}, args: [{RAW}], tools: [{tool}]}}"


ONCE = ("tools.retries=0",)
UNBROKEN = ("tools.breaker_failures=0",)
BREAKING = (*ONCE, "tools.breaker_failures=1")
CACHED = ("tools.cache={folder}/answers",)
IN_RIVERS = ("search.index={rivers}",)
BY_HTTP = ("search.backend=http", "search.url={server}/search")
BY_SERPER = ("search.backend=serper", "search.url={server}/search", "search.secret={folder}/secret/secretkey")
BY_MCP = ("search.backend=mcp", f"search.mcp={office('echo')}")
OPENED = ("browse.allow=[127.0.0.1]",)
BY_PROXY = ("browse.proxy={other_server}",)
SERVED = ("environment.tools=[office]", f"mcp.servers=[{office('echo')}]")

SLEEP = "import time; time.sleep(1); print('awake')"
ALLOCATE = "print(len(bytes(400 * 2**20)))"
THREADS = """
import threading
rest = threading.Event()
threads = [threading.Thread(target=rest.wait, daemon=True) for _ in range(20)]
for thread in threads: thread.start()
rest.set()
print(len(threads))
"""
WRITE = "print(open('file', 'wb').write(bytes(2**20)))"
READ = """
try:
    print(len(open('/etc/passwd').read()) > 0)
except OSError:
    print('refused')
"""
rivers_that_flow = tools.answer("search", "which river flows to the sea")
a_page = tools.answer("browse", "{server}/page")
no_page = "{server}/none"

TOOL_CASES = {
    "environment.options": Case(
        "{greeting: Goodbye}",
        see.questions,
        ("environment.name=tests.tool_probes:Greetings", "environment.options={greeting: Hello}"),
    ),
    "environment.tools": Case("[calculator]", tools.offered, FROM_FILE),
    "environment.protocol": Case("hermes", see.questions, FROM_FILE),
    "tools.timeout": Case("5", tools.seconds_until_given_up, ONCE),
    "tools.retries": Case("1", tools.times_of_attempts(1)),
    "tools.retry_wait": Case("1", tools.times_of_attempts(1)),
    "tools.retry_longest": Case("0.75", tools.times_of_attempts(1)),
    "tools.at_once": Case("3", tools.most_at_once),
    "tools.calls_per_second": Case("2", tools.times_of_calls),
    "tools.breaker_failures": Case("2", tools.times_of_attempts(15), ONCE),
    "tools.cool_down": Case("5", tools.times_of_attempts(50, pause=1), BREAKING),
    "tools.cache": Case("{folder}/answers", tools.calls_past_the_cache),
    "tools.cache_entries": Case("1", tools.calls_past_the_cache, CACHED),
    "tools.cache_bytes": Case("1", tools.calls_past_the_cache, CACHED),
    "tools.failure_rate": Case("0.75", tools.trajectories_until_the_end),
    "tools.failure_after": Case("10", tools.trajectories_until_the_end),
    "sandbox.url": Case("{server}", tools.requests("python", "print(6 * 7)")),
    "sandbox.patience": Case(
        "5",
        tools.seconds_until_silence_ends("python", "print(6 * 7)"),
        (*ONCE, "sandbox.url=http://127.0.0.1:9", "sandbox.patience=20"),
    ),
    "sandbox.kind": Case("unsafe", tools.answer("python", READ)),
    "sandbox.workers": Case("2", tools.programs_at_once, ("sandbox.workers=3",)),
    "sandbox.seconds": Case("0.25", tools.answer("python", SLEEP)),
    "sandbox.memory": Case(str(2**27), tools.answer("python", ALLOCATE)),
    "sandbox.processes": Case("8", tools.answer("python", THREADS)),
    "sandbox.output": Case("100", tools.answer("python", "print('x' * 5000)")),
    "sandbox.disk": Case(str(2**17), tools.answer("python", WRITE)),
    "search.backend": Case("http", tools.requests("search", "elbe", "x-api-key", "authorization"), BY_SERPER),
    "search.index": Case("{lakes}", rivers_that_flow, IN_RIVERS),
    "search.url": Case("{other_server}/search", tools.requests("search", "elbe"), BY_HTTP),
    "search.secret": Case("{folder}/secret/secretkey", tools.requests("search", "elbe", "authorization"), BY_HTTP),
    "search.proxy": Case("{other_server}", tools.requests("search", "elbe"), BY_HTTP),
    "search.revision": Case("second", tools.asked_again, BY_HTTP),
    "search.replay": Case(
        "{folder}/lakes-record.jsonl",
        tools.answer("search", "elbe"),
        ("search.backend=replay", "search.replay={folder}/rivers-record.jsonl"),
    ),
    "search.record": Case("{folder}/record.jsonl", tools.records, IN_RIVERS),
    "search.mcp": Case(office("echo"), tools.answer("search", "elbe"), ("search.backend=mcp",)),
    "search.mcp_query": Case("words", tools.answer("search", "elbe"), BY_MCP),
    "search.mcp_count": Case("count", tools.answer("search", "elbe"), BY_MCP),
    "search.k": Case("1", rivers_that_flow, IN_RIVERS),
    "search.characters": Case("50", rivers_that_flow, IN_RIVERS),
    "browse.window": Case("300", a_page, OPENED),
    "browse.links": Case("true", a_page, OPENED),
    "browse.max_bytes": Case("2000", a_page, OPENED),
    "browse.timeout": Case(
        "5", tools.seconds_until_silence_ends("browse", "http://127.0.0.1:9/"), (*ONCE, *OPENED, *BY_PROXY)
    ),
    "browse.ports": Case("[81]", tools.requests("browse", "http://8.8.8.8:81/none"), BY_PROXY),
    "browse.allow": Case("[127.0.0.1]", tools.requests("browse", no_page)),
    "browse.proxy": Case("{other_server}", tools.requests("browse", no_page), OPENED),
    "browse.user_agent": Case("reader/2", tools.requests("browse", no_page, "user-agent"), OPENED),
    "browse.readers": Case("1", tools.readers_started, OPENED),
    "mcp.servers": Case(f"[{office('pair')}]", tools.offered, (*FROM_FILE, *SERVED)),
}
