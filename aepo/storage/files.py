"""The store of local folders: objects are files below the root."""

from __future__ import annotations

import shutil
from pathlib import Path

from aepo.artifacts import MANIFEST, Artifact, DamagedArtifact, Kind, read_artifact, read_manifest
from aepo.storage.addresses import checked
from aepo.storage.local import appearing, holds, locked, place

LOCKS = ".locks"


class FileStore:
    """Objects as files below a folder. Every file appears whole, by a rename, once it is on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def uri(self, key: str) -> str:
        """See `Store`."""
        return self._path(key).resolve().as_uri()

    def upload(self, folder: Path, key: str) -> str:
        """See `Store`; uploads to one key take turns."""
        target = self._path(key)
        if not self.sealed(key):
            files = read_manifest(folder).files
            with locked(self.root / LOCKS, key):
                if not self.sealed(key):
                    for name, digest in files.items():
                        _copy(folder / name, target / name, digest)
                    with appearing(target / MANIFEST) as part:
                        shutil.copyfile(folder / MANIFEST, part)
        return self.uri(key)

    def sealed(self, key: str) -> bool:
        """See `Store`."""
        return (self._path(key) / MANIFEST).is_file()

    def fetch(self, key: str, kind: Kind) -> Artifact:
        """See `Store`; the folder is the stored one itself."""
        return read_artifact(self._path(key), kind)

    def read_text(self, key: str) -> str | None:
        """See `Store`."""
        try:
            return self._path(key).read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None

    def write_text(self, key: str, text: str) -> str:
        """See `Store`."""
        with appearing(self._path(key)) as part:
            part.write_bytes(text.encode())
        return self.uri(key)

    def replace_text(self, key: str, old: str | None, new: str) -> bool:
        """See `Store`; writers on this machine take turns."""
        with locked(self.root / LOCKS, key):
            if self.read_text(key) != old:
                return False
            self.write_text(key, new)
            return True

    def delete(self, key: str) -> None:
        """See `Store`."""
        target = self._path(key)
        if target.is_dir() and not target.is_symlink():
            for manifest in (target / MANIFEST, *target.rglob(MANIFEST)):
                manifest.unlink(missing_ok=True)
            shutil.rmtree(target, onerror=_unless_absent)
        else:
            target.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.root / checked(key)


def _copy(source: Path, target: Path, digest: str) -> None:
    """Copy a file unless it is there; a copy that was interrupted is written over."""
    if holds(target, digest):
        return
    if not source.is_file():
        raise DamagedArtifact(
            f"{source} is missing although its manifest lists it. Run the stage that writes it again."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    if not holds(part, digest):
        raise DamagedArtifact(f"{source} was changed after it was written (sha256 differs). Run its stage again.")
    place(part, target)


def _unless_absent(_function: object, _path: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]
