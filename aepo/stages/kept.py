"""Results of stages, kept in the store for a restart of their run."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from aepo.artifacts import MANIFEST, Artifact, DamagedArtifact, read_manifest
from aepo.stages.result import StageResult
from aepo.storage import Store


class Kept:
    """The result of one piece of work.

    Args:
        store: where it is kept.
        run: name of the run.
        stage: name of the stage.
        digest: of everything the result depends on.

    Attributes:
        unfinished: key below which the stage may keep parts of its work; removed with the result's arrival.
    """

    def __init__(self, store: Store, run: str, stage: str, digest: str) -> None:
        self.store = store
        self.unfinished = f"{run}/unfinished/{stage}-{digest}"
        self._folder = f"{run}/stages/{stage}-{digest}"
        self._numbers = f"{self._folder}.json"

    def save(self, output: Path, result: StageResult) -> None:
        """Keep a finished stage's artifact; its manifest comes last and makes the result valid."""
        self.store.write_text(self._numbers, json.dumps({"kind": read_manifest(output).kind, **asdict(result)}))
        self.store.upload(output, self._folder)
        self.store.delete(self.unfinished)

    def restore(self, output: Path) -> StageResult | None:
        """Put the kept artifact at `output`; None where there is none that is whole, with its weights."""
        text = self.store.read_text(self._numbers)
        if text is None or not self.store.sealed(self._folder):
            return None
        try:
            numbers = json.loads(text)
            artifact = self.store.fetch(self._folder, numbers["kind"])
            result = StageResult(dict(numbers["metrics"]), str(numbers["state"]))
        except (DamagedArtifact, ValueError, KeyError, TypeError):
            self.store.delete(self._folder)
            return None
        if not self._weights_are_whole(artifact):
            self.store.delete(self._folder)
            return None
        _copy(artifact, output)
        return result

    def _weights_are_whole(self, artifact: Artifact) -> bool:
        """Whether all that a policy points to in the store can be read; damaged weights are removed."""
        if artifact.kind == "policy" and "key" not in artifact.metadata:
            return False
        for entry in ("key", "optimizer"):
            if (key := artifact.metadata.get(entry)) is not None:
                try:
                    self.store.fetch(str(key), "weights")
                except DamagedArtifact:
                    self.store.delete(str(key))
                    return False
        return True


def _copy(artifact: Artifact, output: Path) -> None:
    shutil.rmtree(output, ignore_errors=True)
    for name in (*artifact.files, MANIFEST):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.folder / name, output / name)
