"""What the host orders when it starts a keeper: a JSON object as the process's last argument."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Orders:
    """How runners are made and what one may use. Sizes are bytes.

    Attributes:
        kind: how runners are confined.
        folder: of the calls' own files; where `kind` is bubblewrap each call has a file system of its own there.
        packages: folders that modules are imported from, besides the standard library.
        readable: files and folders that a program may read where `kind` is landlock; where it is bubblewrap, those
            beneath `folder`, which stay visible.
        spares: runners that wait for a call.
        calls: at once.
        shown: of what is printed, the bytes kept from the beginning and from the end.
        seconds: of a call.
        cpu_seconds: of all its processes together.
        memory: of all its processes together.
        processes: and threads.
        printed: after which it is stopped.
        disk: of all its files together.
        files: and folders.
        file_size: of one file.
        open_files: of one process.
    """

    kind: Literal["bubblewrap", "landlock", "unsafe"]
    folder: str
    packages: tuple[str, ...]
    readable: tuple[str, ...]
    spares: int
    calls: int
    shown: int
    seconds: float
    cpu_seconds: float
    memory: int
    processes: int
    printed: int
    disk: int
    files: int
    file_size: int
    open_files: int

    @staticmethod
    def from_json(text: str) -> Orders:
        """What `json.dumps(dataclasses.asdict(orders))` wrote."""
        values: dict[str, Any] = json.loads(text)
        for name in ("packages", "readable"):
            values[name] = tuple(values[name])
        return Orders(**values)
