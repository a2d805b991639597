"""Where the servers are, and what runs of them."""

import os
from pathlib import Path

SERVERS = Path(__file__).parent


def running(mark):
    """Processes, zombies left out, whose command holds this text."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (each / "cmdline").read_bytes(), (each / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in command and state != "Z" and int(each.name) != os.getpid():
            found.add(int(each.name))
    return found


def hurry(tool, seconds):
    """Have later calls of a tool's server take no longer than this."""
    tool._client.settings = tool._client.settings.model_copy(update={"timeout": seconds})
