"""A small MCP server over stdio, written out, that misbehaves as its first argument says. It starts at once."""

import json
import os
import signal
import subprocess
import sys
import time

how, *rest = sys.argv[1:] or ["well"]
TOOLS = [
    {
        "name": "echo",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    {
        "name": "pair",
        "annotations": {"readOnlyHint": False},
        "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
    },
]


def write(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(number, result):
    write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}))


def complain(number, code, message):
    write(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}))


def content(text):
    return {"content": [{"type": "text", "text": text}]}


def called(number, arguments):
    text = arguments.get("text", "")
    if text == "die":
        sys.stderr.write(f"{os.environ.get('TOKEN')} was enough\n")
        sys.exit(4)
    if text == "refuse":
        complain(number, -32602, "no such thing")
    elif text == "break":
        complain(number, -32603, "inner failure")
    elif text == "nonsense":
        say(number, {"content": "nonsense"})
    elif text == "endless":
        while True:
            sys.stdout.write("x" * 1_000_000)
    elif text == "hang":
        time.sleep(3600)
    elif text == "close":
        os.close(1)
        time.sleep(3600)
    elif text == "silent":
        pass
    elif text == "pid":
        say(number, content(str(os.getpid())))
    else:
        say(number, content(json.dumps(arguments)))


if how == "dead":
    sys.exit("I cannot start")
if how == "mute":
    time.sleep(3600)
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A child in a session of its own, which ignores the signal, too, and holds on to the pipes.
    subprocess.Popen(["sleep", rest[0]], start_new_session=True)

for line in sys.stdin:
    if how == "loud":
        sys.stderr.write("noise\n" * 100_000)
        write("starting up ...\n\n{\n[1, 2]\nnull\n\x00\xff")
    message = json.loads(line)
    number = message.get("id")
    match message["method"]:
        case "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "raw", "version": "1"}
            say(number, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
            if how == "deaf":
                time.sleep(3600)
        case "tools/list" if how == "pages":
            page = int((message.get("params") or {}).get("cursor", 0))
            following = {"nextCursor": str(page + 1)} if page == 0 else {}
            say(number, {"tools": [TOOLS[page]], **following})
        case "tools/list":
            say(number, {"tools": TOOLS})
        case "tools/call":
            called(number, message["params"]["arguments"])
        case _ if number is not None:
            complain(number, -32601, "unknown method")
if how == "stubborn":
    time.sleep(3600)
