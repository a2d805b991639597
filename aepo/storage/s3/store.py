"""The store of an S3 bucket: objects below a prefix, fetched into a folder of this machine."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from aepo.artifacts import MANIFEST, Artifact, DamagedArtifact, Kind, parse_manifest, read_manifest
from aepo.storage.local import holds, locked
from aepo.storage.s3.address import S3Address
from aepo.storage.s3.bucket import Bucket, Content
from aepo.storage.s3.download import receive
from aepo.storage.s3.errors import Place, explained
from aepo.storage.s3.parallel import in_parallel
from aepo.storage.s3.upload import Sending, send

LOCKS = ".locks"


class S3Store:
    """Objects of a bucket.

    Args:
        bucket: where they are.
        address: the bucket and the prefix of all keys.
        place: what messages say of it.
        cache: folder of this machine for fetched folders.
    """

    def __init__(self, bucket: Bucket, address: S3Address, place: Place, cache: Path) -> None:
        self._bucket = bucket
        self._address = address
        self._place = place
        self._cache = cache

    def uri(self, key: str) -> str:
        """See `Store`."""
        return f"s3://{self._bucket.name}/{self._address.object(key)}"

    def upload(self, folder: Path, key: str) -> str:
        """See `Store`; the manifest is written under the condition that there is none, where the store knows it."""
        place = self._address.object(key)
        if not self.sealed(key):
            files = read_manifest(folder).files
            content = (folder / MANIFEST).read_bytes()
            with explained(self._place, self.uri(key)):
                send(self._bucket, [Sending(folder / name, f"{place}/{name}", files[name]) for name in files])
                self._bucket.write_if(f"{place}/{MANIFEST}", content, {"If-None-Match": "*"})
        return self.uri(key)

    def sealed(self, key: str) -> bool:
        """See `Store`."""
        return self._read(f"{key}/{MANIFEST}") is not None

    def fetch(self, key: str, kind: Kind) -> Artifact:
        """See `Store`; the folder is a copy below the cache, where damaged files are fetched anew."""
        found = self._read(f"{key}/{MANIFEST}")
        if found is None:
            raise DamagedArtifact(
                f"{self.uri(key)} has no {MANIFEST}: the stage that writes it did not finish. Run it again."
            )
        place = self._address.object(key)
        try:
            artifact = parse_manifest(found.body, self._cache / place)
        except DamagedArtifact as error:
            raise DamagedArtifact(f"{self.uri(key)}: {error}") from None
        if artifact.kind != kind:
            raise DamagedArtifact(
                f"{self.uri(key)} holds {artifact.kind}, where {kind} is expected. Check which artifact is passed."
            )
        if not _whole(artifact, found.body):
            with locked(self._cache / LOCKS, place), explained(self._place, self.uri(key)):
                self._bring(artifact, found.body, place)
        return artifact

    def read_text(self, key: str) -> str | None:
        """See `Store`."""
        return _text(self._read(key))

    def write_text(self, key: str, text: str) -> str:
        """See `Store`."""
        with explained(self._place, self.uri(key)):
            self._bucket.write(self._address.object(key), text.encode())
        return self.uri(key)

    def replace_text(self, key: str, old: str | None, new: str) -> bool:
        """See `Store`; on a store without conditional writes, two writers at the same moment may both succeed."""
        with explained(self._place, self.uri(key)):
            found = self._read(key)
            if _text(found) != old:
                return False
            condition = {"If-None-Match": "*"} if found is None else {"If-Match": found.etag}
            return self._bucket.write_if(self._address.object(key), new.encode(), condition)

    def delete(self, key: str) -> None:
        """See `Store`; unfinished uploads, and what was fetched of it, go too."""
        place = self._address.object(key)
        with explained(self._place, self.uri(key)):
            below = list(self._bucket.keys(f"{place}/"))
            manifests = [name for name in below if name.rpartition("/")[2] == MANIFEST]
            in_parallel(self._remove, manifests)
            in_parallel(self._remove, [place, *(name for name in below if name not in manifests)])
            for name, upload in self._bucket.unfinished(place):
                if name == place or name.startswith(f"{place}/"):
                    self._bucket.abort(name, upload)
        shutil.rmtree(self._cache / place, ignore_errors=True)

    def _read(self, key: str) -> Content | None:
        with explained(self._place, self.uri(key)):
            return self._bucket.read(self._address.object(key))

    def _remove(self, name: str, _stopped: threading.Event) -> None:
        self._bucket.delete(name)

    def _bring(self, artifact: Artifact, content: bytes, place: str) -> None:
        """Fetch what the local folder lacks; its manifest, too, comes last, under its name only then."""
        arriving, manifest = artifact.folder / f".{MANIFEST}", artifact.folder / MANIFEST
        if content not in (_bytes(arriving), _bytes(manifest)):  # what is there belongs to another content
            shutil.rmtree(artifact.folder, ignore_errors=True)
        artifact.folder.mkdir(parents=True, exist_ok=True)
        if _bytes(manifest) != content:
            arriving.write_bytes(content)

        def bring(name: str, stopped: threading.Event) -> None:
            target, digest = artifact.folder / name, artifact.files[name]
            if not holds(target, digest):
                receive(self._bucket, f"{place}/{name}", target, digest, stopped)

        in_parallel(bring, list(artifact.files))
        if _bytes(manifest) != content:
            arriving.replace(manifest)


def _whole(artifact: Artifact, content: bytes) -> bool:
    """Whether the local folder is sealed with this manifest and every file is what it says."""
    sealed = _bytes(artifact.folder / MANIFEST) == content
    return sealed and all(holds(artifact.folder / name, digest) for name, digest in artifact.files.items())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _text(content: Content | None) -> str | None:
    return None if content is None else content.body.decode(errors="replace")
