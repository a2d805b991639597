"""What every store can do. Keys are relative paths with forward slashes; a folder is there when its manifest is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from aepo.artifacts import Artifact, Kind


class Store(Protocol):
    """Sealed folders of large files, and small texts, below one root.

    Raises (every method):
        UserError: the store cannot be reached, refuses the credentials, or is full; the message names the address
            and what to do. Also: the key is no relative path that stays below the root.
        OSError: a disk of this machine is full, read-only or failing.
    """

    def uri(self, key: str) -> str:
        """The absolute address of an object or a folder of objects."""
        ...

    def upload(self, folder: Path, key: str) -> str:
        """Copy a sealed folder (`aepo.artifacts`) to `key`, its manifest last; returns its uri.

        What was copied before an interruption is not copied again. A folder that has its manifest is never
        overwritten: it was whole, and keys that name digests or counters stand for one content.

        Raises:
            DamagedArtifact: the local folder has no manifest, or its files are not what the manifest says.
        """
        ...

    def sealed(self, key: str) -> bool:
        """Whether a folder with its manifest is at `key`."""
        ...

    def fetch(self, key: str, kind: Kind) -> Artifact:
        """A sealed folder on this machine, every file verified.

        Raises:
            DamagedArtifact: it is missing, damaged, or of another kind.
        """
        ...

    def read_text(self, key: str) -> str | None:
        """A small object, or None where there is none."""
        ...

    def write_text(self, key: str, text: str) -> str:
        """Write a small object atomically, replacing what is there; returns its uri."""
        ...

    def replace_text(self, key: str, old: str | None, new: str) -> bool:
        """Write a small object if it still reads `old` (None: is absent); returns whether it was written."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object, or a folder with all below it, manifests first. What is absent is no error."""
        ...
