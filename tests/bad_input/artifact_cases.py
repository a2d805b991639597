"""Artifacts that were damaged, or are of something else, when the next stage comes to them."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from aepo.artifacts import read_manifest, write_manifest


@dataclass(frozen=True)
class Damage:
    """A damaged artifact.

    Attributes:
        id: what is wrong.
        stage: the one that comes to it.
        artifact: which of its inputs, or `weights` or `champion` in the store.
        spoil: damages it, given its folder (or the pointer's file).
        says: what the message holds: what is wrong, where, and what to do.
    """

    id: str
    stage: str
    artifact: str
    spoil: Callable
    says: tuple[str, str, str]


def content(name, change):
    """Changes the bytes of a file."""

    def spoil(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def sealed(spoil):
    """The manifest agrees with what was done: only a look at the content can tell."""

    def seal(folder):
        before = read_manifest(folder)
        spoil(folder)
        write_manifest(folder, before.kind, before.metadata)

    return seal


def removed(name):
    return lambda folder: (folder / name).unlink()


def manifest(change):
    """Changes the manifest itself."""

    def spoil(folder):
        path = folder / "manifest.json"
        tree = json.loads(path.read_text())
        path.write_text(json.dumps(change(tree) or tree))

    return spoil


def metadata(**entries):
    """Changes entries of the metadata; `...` removes one."""

    def change(tree):
        found = tree["metadata"] | entries
        tree["metadata"] = {key: value for key, value in found.items() if value is not ...}

    return manifest(change)


def without_column(name, column):
    return sealed(lambda folder: pq.write_table(pq.read_table(folder / name).drop_columns(column), folder / name))


def without_values(name, column):
    def spoil(folder):
        table = pq.read_table(folder / name)
        index = table.column_names.index(column)
        nothing = pa.nulls(len(table), table.schema.field(index).type)
        pq.write_table(table.set_column(index, pa.field(column, nothing.type), nothing), folder / name)

    return sealed(spoil)


def half(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


DIGEST = ("was changed after it was written (sha256 differs)", "Run its stage again")
FOREIGN = ("is no manifest of aepo", "Point to a folder that a stage wrote")
EDITED = "it was changed, or another version wrote it"
PLAN, TREES = "plan.parquet", "rollouts.parquet"

DAMAGES = [
    Damage("one bit", "rollout", "plan", content(PLAN, flipped), (DIGEST[0], f"plan/{PLAN}", DIGEST[1])),
    Damage("a plan cut off", "rollout", "plan", content(PLAN, half), (DIGEST[0], f"plan/{PLAN}", DIGEST[1])),
    Damage(
        "a corrupt plan",
        "rollout",
        "plan",
        sealed(content(PLAN, half)),
        ("magic bytes not found", "the plan ", "Run pre-monitor again"),
    ),
    Damage(
        "a lost column", "rollout", "plan", without_column(PLAN, "k"), ("cannot be read", "/plan", "Run pre-monitor")
    ),
    Damage(
        "a plan without its step", "rollout", "plan", metadata(rollout_step=...), ("is null", "manifest.json", EDITED)
    ),
    Damage(
        "a step that is a word", "rollout", "plan", metadata(rollout_step="one"), ("is 'one'", "manifest.json", EDITED)
    ),
    Damage(
        "no manifest", "rollout", "plan", removed("manifest.json"), ("has no manifest.json", "/plan", "Run it again")
    ),
    Damage(
        "a file is missing",
        "rollout",
        "plan",
        removed(PLAN),
        ("is missing although", PLAN, "Run the stage that writes"),
    ),
    Damage(
        "another program's manifest",
        "rollout",
        "plan",
        manifest(lambda _: {"name": "app"}),
        (FOREIGN[0], "", FOREIGN[1]),
    ),
    Damage("a manifest that is a list", "rollout", "plan", manifest(lambda _: [1]), (FOREIGN[0], "/plan", FOREIGN[1])),
    Damage("half a manifest", "rollout", "plan", content("manifest.json", half), (FOREIGN[0], "/plan", FOREIGN[1])),
    Damage(
        "an empty manifest", "rollout", "plan", content("manifest.json", lambda _: b""), (FOREIGN[0], "", FOREIGN[1])
    ),
    Damage(
        "binary garbage", "rollout", "plan", content("manifest.json", lambda _: b"\xff"), (FOREIGN[0], "", FOREIGN[1])
    ),
    Damage(
        "a manifest of 9,000 brackets",
        "rollout",
        "plan",
        content("manifest.json", lambda _: b"[" * 9000),
        (FOREIGN[0], "/plan/manifest.json", FOREIGN[1]),
    ),
    Damage(
        "a file outside of the folder",
        "rollout",
        "plan",
        manifest(lambda tree: tree["files"].update({"../../secret": "0"})),
        ("unusable file entries ['../../secret']", "/plan/manifest.json", FOREIGN[1]),
    ),
    Damage(
        "another artifact in its place",
        "rollout",
        "policy",
        manifest(lambda tree: tree.update(kind="scores")),
        ("holds scores, where policy is expected", "/policy-0", "Check which artifact is passed"),
    ),
    Damage(
        "a policy without its weights' address",
        "rollout",
        "policy",
        metadata(key=...),
        ("describes no policy (KeyError('key'))", "/policy-0", EDITED),
    ),
    Damage(
        "a policy of another store",
        "rollout",
        "policy",
        metadata(uri="file:///elsewhere/policies/0123", key="policies/0123"),
        ("there are no weights at", "file:///elsewhere/policies/0123", "Set storage.root to the store they are in"),
    ),
    Damage(
        "a policy with another's weights",
        "rollout",
        "policy",
        metadata(sha256="0" * 64),
        (
            "are of different policies",
            "/policy-0 and the weights at file://",
            "Run the stage that writes the policy again",
        ),
    ),
    Damage(
        "a history that is none",
        "verdict",
        "policy",
        sealed(content("history.jsonl", lambda _: b"{} [\n")),
        ("is no history of a policy", "history.jsonl", "Run the stage that writes it again"),
    ),
    Damage(
        "weights cut off",
        "rollout",
        "weights",
        content("model.safetensors", half),
        (DIGEST[0], "model.safetensors", DIGEST[1]),
    ),
    Damage(
        "corrupt weights",
        "rollout",
        "weights",
        sealed(content("model.safetensors", half)),
        ("its weights cannot be read", "model /", "get the model again"),
    ),
    Damage(
        "a corrupt tokenizer",
        "rollout",
        "weights",
        sealed(content("tokenizer.json", half)),
        ("no usable tokenizer", "model /", "copy the model's tokenizer.json"),
    ),
    Damage(
        "corrupt prompts",
        "pre_monitor",
        "prompts",
        sealed(content("train.parquet", half)),
        ("cannot be read", "train.parquet", "Run the prepare stage again"),
    ),
    Damage(
        "prompts without texts",
        "pre_monitor",
        "prompts",
        without_values("train.parquet", "text"),
        ("cannot be read", "train.parquet", "Run the prepare stage again"),
    ),
    Damage(
        "corrupt rollouts",
        "train",
        "rollouts",
        sealed(content(TREES, half)),
        ("magic bytes not found", TREES, "Run the rollout stage again"),
    ),
    Damage(
        "rollouts without log-probs",
        "train",
        "rollouts",
        without_column(TREES, "logprobs"),
        ("lack the columns logprobs", TREES, "Run the rollout stage again"),
    ),
    Damage(
        "rollouts without tokens",
        "train",
        "rollouts",
        without_values(TREES, "token_ids"),
        ("are damaged", TREES, "Run the rollout stage again"),
    ),
    Damage(
        "rollouts of no shard", "train", "rollouts", metadata(shard=...), ("shard is null", "manifest.json", EDITED)
    ),
    Damage("rollouts of no plan", "train", "rollouts", metadata(plan=[1]), ("plan is [1]", "manifest.json", EDITED)),
    Damage(
        "rollouts of nobody", "train", "rollouts", metadata(policy=...), ("policy is null", "manifest.json", EDITED)
    ),
    Damage(
        "a shard that is missing",
        "train",
        "rollouts",
        metadata(shards=2),
        ("has 2 shards", "train was given [0]", "pass each exactly once"),
    ),
    Damage("rollouts changed", "report", "rollouts", content(TREES, flipped), (DIGEST[0], TREES, DIGEST[1])),
    Damage(
        "corrupt scores",
        "report",
        "scores",
        sealed(content("scores.parquet", half)),
        ("magic bytes not found", "the scores ", "Run evaluate again"),
    ),
    Damage(
        "scores of no benchmark",
        "report",
        "scores",
        metadata(benchmark=...),
        ("benchmark is null", "manifest.json", EDITED),
    ),
    Damage(
        "scores of another benchmark",
        "report",
        "scores",
        metadata(benchmark="train"),
        ("was given no scores of heldout", "report", "pass what evaluate wrote"),
    ),
    Damage("scores of no policy", "promote", "scores", metadata(policies=...), ("is null", "manifest.json", EDITED)),
    Damage(
        "scores of another policy",
        "promote",
        "scores",
        metadata(policies={"candidate": "0" * 64}),
        ("are of policy 0000000000000000, not of", "/scores", "evaluate it first"),
    ),
    Damage(
        "a pointer that is none",
        "evaluate",
        "champion",
        lambda path: path.write_bytes(b"\xffnonsense"),
        ("names no champion", "champions/lookup.json", "remove it, or promote a policy"),
    ),
    Damage(
        "a pointer to nowhere",
        "evaluate",
        "champion",
        lambda path: path.write_text('{"policy": {"sha256": "0", "uri": "x"}}'),
        ("describes no policy", "champions/lookup.json", EDITED),
    ),
]
