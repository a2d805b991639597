"""Policies as artifacts: a manifest that says where the weights are and from which state to go on.

The weights are safetensors in the store, under a key that is their digest. The artifact between stages is small:
the manifest and the history of the run so far. The optimizer's state lies in the store too, in safetensors. Keys are
relative to the store's root, so that a store can be moved; the absolute `uri` is for programs other than this one.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aepo.artifacts import DamagedArtifact, file_sha256, read_artifact, read_manifest, write_manifest
from aepo.errors import reason
from aepo.rollout.plan import Scales
from aepo.stages.names import HISTORY
from aepo.storage import Store
from aepo.training.checkpoints import OPTIMIZER, save_optimizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class PolicyState:
    """What a policy carries beside its weights.

    Attributes:
        step: rollout steps made so far in the run.
        cursor: training prompts consumed so far.
        entropy: H of the last update, nats: what controllers start from; None before the first one.
        scales: of the last budget plan.
        coefficient: of the entropy bonus, where a controller moves it; None before it has.
        history: one row of metrics per rollout step.
    """

    step: int = 0
    cursor: int = 0
    entropy: float | None = None
    scales: Scales = field(default_factory=Scales)
    coefficient: float | None = None
    history: tuple[dict[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All but the history, as a manifest holds it."""
        return {
            "rollout_step": self.step,
            "prompt_cursor": self.cursor,
            "entropy": self.entropy,
            "scales": asdict(self.scales),
            "coefficient": self.coefficient,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], history: tuple[dict[str, float], ...]) -> PolicyState:
        """What `to_json` gave."""
        return cls(
            step=int(content["rollout_step"]),
            cursor=int(content["prompt_cursor"]),
            entropy=None if content["entropy"] is None else float(content["entropy"]),
            scales=Scales(**content["scales"]),
            coefficient=None if content["coefficient"] is None else float(content["coefficient"]),
            history=history,
        )


@dataclass(frozen=True)
class Policy:
    """A policy artifact, opened: where its weights lie on this machine, and its state.

    Attributes:
        folder: of its weights.
        sha256: its digest.
        state: what it carries beside its weights.
        first: key of the weights with which its run began.
        parent: digest of the policy it was trained from.
        optimizer: file of the optimizer's state.
        metadata: all that its manifest says.
    """

    folder: Path
    sha256: str
    state: PolicyState
    first: str
    parent: str | None
    optimizer: Path | None
    metadata: dict[str, Any] = field(default_factory=dict)


def save_policy(
    store: Store,
    run: str,
    output: Path,
    model: PreTrainedModel,
    tokenizer: Any,
    *,
    state: PolicyState,
    parent: Policy | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> str:
    """Upload weights (and optimizer state), then write the policy artifact; returns the policy's digest."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "weights"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        digest = weights_digest(folder)
        weights = write_manifest(folder, "weights", {"sha256": digest})
        key = f"{run}/policies/{weights.sha256[:16]}"
        uri = store.upload(folder, key)
        optimizer_key = None
        if optimizer is not None:
            trainer = Path(temporary) / "trainer"
            trainer.mkdir()
            save_optimizer(optimizer, model, trainer / OPTIMIZER)
            state_of_trainer = write_manifest(trainer, "weights", {"policy": digest})
            optimizer_key = f"{run}/trainer/{state_of_trainer.sha256[:16]}"
            store.upload(trainer, optimizer_key)
    output.mkdir(parents=True, exist_ok=True)
    (output / HISTORY).write_text("".join(json.dumps(row) + "\n" for row in state.history))
    identity = {
        "uri": uri,
        "key": key,
        "sha256": digest,
        "parent": parent.sha256 if parent else None,
        "first": parent.first if parent else key,
        "optimizer": optimizer_key,
    }
    write_manifest(output, "policy", identity | state.to_json())
    return digest


def open_policy(folder: Path, store: Store) -> Policy:
    """Open a policy artifact and bring its weights, verified, to this machine.

    Raises:
        UserError: the artifact or the weights are missing, damaged, or do not belong together.
    """
    artifact = read_artifact(folder, "policy")
    try:
        lines = (folder / HISTORY).read_text().splitlines() if HISTORY in artifact.files else []
        history = tuple(dict(json.loads(line)) for line in lines)
    except (ValueError, TypeError) as error:
        raise DamagedArtifact(
            f"{folder / HISTORY} is no history of a policy ({reason(error)}). Run the stage that writes it again."
        ) from None
    return policy_from(artifact.metadata, history, str(folder), store)


def step_of(folder: Path) -> int:
    """Rollout steps behind a policy artifact; its weights are not looked at."""
    step = read_manifest(folder).metadata.get("rollout_step")
    return step if isinstance(step, int) else 0  # a name for the log; the stage itself looks at the whole manifest


def policy_from(metadata: dict[str, Any], history: tuple[dict[str, float], ...], where: str, store: Store) -> Policy:
    """The policy that a manifest's metadata describes; `where` names the manifest in errors."""
    try:
        state = PolicyState.from_json(metadata, history)
        digest, parent = str(metadata["sha256"]), metadata["parent"]
        key, first, optimizer_key = str(metadata["key"]), str(metadata["first"]), metadata["optimizer"]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedArtifact(
            f"{where} describes no policy ({reason(error)}): it was changed, or another version wrote it. Run the "
            "stage that writes it again."
        ) from None
    if not store.sealed(key):
        raise DamagedArtifact(
            f"{where}: there are no weights at {store.uri(key)} (they were written to {metadata.get('uri')}). Set "
            "storage.root to the store they are in, or run the stage that writes them again."
        )
    weights = store.fetch(key, "weights")
    optimizer = store.fetch(optimizer_key, "weights").folder / OPTIMIZER if optimizer_key else None
    if weights.metadata.get("sha256") != digest:
        raise DamagedArtifact(
            f"{where} and the weights at {store.uri(key)} are of different policies. Run the stage that writes the "
            "policy again."
        )
    return Policy(weights.folder, digest, state, first, parent, optimizer, metadata)


def weights_digest(folder: Path) -> str:
    """Digest of a policy: of the names and digests of its weights and of the architecture they are for."""
    found = {path.name: file_sha256(path) for path in sorted([*folder.glob("*.safetensors"), folder / "config.json"])}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
