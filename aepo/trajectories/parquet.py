"""Rollouts on disk: Parquet with one row per segment, a tree's rows together and in creation order.

A leaf's reward, outcome and finish reason stand in the row of its last segment. Log-probs and entropies are
float32, as engines give them. `leaf` is the leaf's position in `tree.leaves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aepo.errors import UserError, reason
from aepo.trajectories.tree import Leaf, RolloutTree, Segment

SCHEMA = pa.schema(
    [
        pa.field("tree", pa.int64(), nullable=False),
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("temperature", pa.float64(), nullable=False),
        pa.field("segment", pa.int32(), nullable=False),
        pa.field("parent", pa.int32()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("logprobs", pa.list_(pa.float32())),
        pa.field("entropies", pa.list_(pa.float32())),
        pa.field("upper_entropies", pa.list_(pa.float32())),
        pa.field("text", pa.string()),
        pa.field("head", pa.float64()),
        pa.field("leaf", pa.int32()),
        pa.field("reward", pa.float64()),
        pa.field("outcome", pa.string()),
        pa.field("finish_reason", pa.string()),
    ]
)


def write_trees(path: Path, trees: Iterable[RolloutTree]) -> None:
    """Write `trees` to `path`, replacing what is there."""
    rows = [row for index, tree in enumerate(trees) for row in _rows(index, tree)]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)


def read_trees(path: Path) -> list[RolloutTree]:
    """Read what `write_trees` wrote.

    Raises:
        UserError: the file is missing, is no Parquet, has other columns or holds a broken tree.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"rollouts {path} cannot be read ({reason(error)}). Run the rollout stage again.") from error
    if missing := [name for name in SCHEMA.names if name not in table.column_names]:
        raise UserError(
            f"rollouts {path} lack the columns {', '.join(missing)}: this is no rollout file. Run the rollout stage "
            "again."
        )
    try:
        return list(_trees(table.cast(SCHEMA).to_pylist()))
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise UserError(f"rollouts {path} are damaged: {reason(error)}. Run the rollout stage again.") from error


def _rows(index: int, tree: RolloutTree) -> Iterator[dict[str, Any]]:
    ends = {leaf.segment: (position, leaf) for position, leaf in enumerate(tree.leaves)}
    for segment in tree.segments:
        position, leaf = ends.get(segment.id, (None, None))
        yield {
            "tree": index,
            "prompt_id": tree.prompt_id,
            "role": tree.role,
            "temperature": tree.temperature,
            "segment": segment.id,
            "parent": segment.parent,
            "source": segment.source,
            "token_ids": segment.token_ids,
            "logprobs": segment.logprobs,
            "entropies": segment.entropies,
            "upper_entropies": segment.upper_entropies,
            "text": segment.text,
            "head": segment.head,
            "leaf": position,
            "reward": leaf.reward if leaf else None,
            "outcome": leaf.outcome if leaf else None,
            "finish_reason": leaf.finish_reason if leaf else None,
        }


def _trees(rows: list[dict[str, Any]]) -> Iterator[RolloutTree]:
    for _, group in groupby(rows, key=lambda row: row["tree"]):
        members = list(group)
        ends = sorted((row for row in members if row["leaf"] is not None), key=lambda row: row["leaf"])
        yield RolloutTree(
            prompt_id=members[0]["prompt_id"],
            role=members[0]["role"],
            temperature=members[0]["temperature"],
            segments=tuple(
                Segment(
                    id=row["segment"],
                    parent=row["parent"],
                    source=row["source"],
                    token_ids=tuple(row["token_ids"]),
                    logprobs=_optional(row["logprobs"]),
                    entropies=_optional(row["entropies"]),
                    text=row["text"],
                    head=row["head"],
                    upper_entropies=_optional(row["upper_entropies"]),
                )
                for row in members
            ),
            leaves=tuple(Leaf(row["segment"], row["reward"], row["outcome"], row["finish_reason"]) for row in ends),
        )


def _optional(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
