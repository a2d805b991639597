"""The processes of this machine."""

from pathlib import Path


def relations():
    """Process → its parent and its session, of all processes that live."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z":
            found[int(path.parent.name)] = (int(parent), int(session))
    return found


def children_sessions(process):
    """Sessions of a process's children, other than its own."""
    living = relations()
    return {its for parent, its in living.values() if parent == process and its != living[process][1]}


def command_of(process):
    """The command line of a process."""
    return Path(f"/proc/{process}/cmdline").read_text()
