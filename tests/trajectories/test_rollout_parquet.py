"""Rollouts on disk: what is read is what was written, and what was not written is refused by name."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aepo.errors import UserError
from aepo.trajectories import Leaf, RolloutTree, Segment
from aepo.trajectories.parquet import SCHEMA, read_trees, write_trees
from tests.trajectories.strategies import rollout_trees

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

TREE = RolloutTree(
    "q1",
    (
        Segment(0, None, "prompt", (5, 6), text="who?"),
        Segment(1, 0, "policy", (7, 8), (-0.125, -2.0), (0.25, 1.5)),
        Segment(2, 1, "tool", (9,)),
        Segment(3, 2, "policy", (), (), ()),
        Segment(4, 2, "policy", (10,)),
    ),
    (Leaf(4, 1.1, "correct", "answer"), Leaf(3, None, "cancelled", "cancelled")),
)


class TestRoundTrip:
    @given(trees=st.lists(rollout_trees(), max_size=4))
    @same_folder
    def test_trees_come_back_as_they_were(self, tmp_path, trees):
        write_trees(tmp_path / "trees.parquet", trees)
        assert read_trees(tmp_path / "trees.parquet") == trees

    def test_twins_stay_apart(self, tmp_path):
        """A main and an auxiliary tree of one prompt stand side by side and are not run together."""
        twins = [TREE, dataclasses.replace(TREE, role="auxiliary", temperature=1.2), TREE]
        write_trees(tmp_path / "trees.parquet", twins)
        assert read_trees(tmp_path / "trees.parquet") == twins

    def test_log_probs_keep_the_precision_of_engines(self, tmp_path):
        turn = Segment(1, 0, "policy", (7, 8), (-0.1, -2.0), (0.3, 1.5))
        tree = RolloutTree("q1", (TREE.segments[0], turn), (Leaf(1, 1.1, "correct", "answer"),))
        write_trees(tmp_path / "trees.parquet", [tree])
        (found,) = read_trees(tmp_path / "trees.parquet")
        assert found.segments[1].logprobs == (float(np.float32(-0.1)), -2.0)
        assert found.segments[1].entropies == (float(np.float32(0.3)), 1.5)
        assert found.leaves[0].reward == 1.1  # rewards are float64

    def test_h_of_a_turn_keeps_its_full_precision(self, tmp_path):
        """Decisions are repeated from it: it is no float32, unlike what it was computed from."""
        turn = Segment(1, 0, "policy", (7,), (-0.1,), (0.3,), head=0.1 + 0.2)
        write_trees(
            tmp_path / "trees.parquet",
            [dataclasses.replace(TREE, segments=(TREE.segments[0], turn), leaves=(Leaf(1, 1.0, "correct", "answer"),))],
        )
        assert read_trees(tmp_path / "trees.parquet")[0].segments[1].head == 0.1 + 0.2

    def test_a_second_writing_replaces_the_first(self, tmp_path):
        path = tmp_path / "trees.parquet"
        write_trees(path, [TREE, TREE])
        write_trees(path, [TREE])
        assert len(read_trees(path)) == 1

    @given(tree=rollout_trees())
    @same_folder
    def test_a_shared_token_is_stored_once(self, tmp_path, tree):
        write_trees(tmp_path / "trees.parquet", [tree])
        rows = pq.read_table(tmp_path / "trees.parquet").to_pylist()
        assert [row["segment"] for row in rows] == list(range(len(tree.segments)))
        assert sum(len(row["token_ids"]) for row in rows) == sum(len(s.token_ids) for s in tree.segments)
        assert sum(row["leaf"] is not None for row in rows) == len(tree.leaves)


class TestUnreadable:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "shard-3.parquet"
        write_trees(path, [TREE])
        return path

    def refused(self, path, message):
        with pytest.raises(UserError, match=message) as caught:
            read_trees(path)
        assert str(path) in str(caught.value)

    def rewritten(self, path, **changes):
        """The file with some cells of its rows changed, row number → value."""
        rows = pq.read_table(path).to_pylist()
        for name, cells in changes.items():
            for row, value in cells.items():
                rows[row][name] = value
        relaxed = pa.schema([field.with_nullable(True) for field in SCHEMA])
        pq.write_table(pa.Table.from_pylist(rows, schema=relaxed), path)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "nowhere.parquet", "cannot be read")

    @pytest.mark.parametrize("kept", [0, 3, 0.5, 0.99])
    def test_truncated(self, path, kept):
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else kept])
        self.refused(path, "cannot be read")

    def test_no_parquet_at_all(self, path):
        path.write_text('{"prompt_id": "q1"}\n')
        self.refused(path, "cannot be read")

    def test_somebody_else_s_table(self, path):
        pq.write_table(pa.table({"question": ["who?"], "role": ["user"]}), path)
        self.refused(path, "lack the columns tree, prompt_id, temperature.*no rollout file")

    def test_the_right_columns_of_the_wrong_types(self, path):
        table = pq.read_table(path)
        nested = pa.array([{"x": 1}] * len(table))
        pq.write_table(table.set_column(table.column_names.index("token_ids"), "token_ids", nested), path)
        self.refused(path, "damaged")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"parent": {2: 4}}, "segment 2 has parent 4"),
            ({"source": {1: "user"}}, "source 'user'"),
            ({"segment": {1: 3}}, "segment 3 stands at position 1"),
            ({"logprobs": {1: [-0.1]}}, "1 logprobs for 2 tokens"),
            ({"role": {0: "judge"}}, "role 'judge'"),
            ({"prompt_id": {0: None}}, "null"),
        ],
    )
    def test_a_broken_tree(self, path, changes, message):
        self.rewritten(path, **changes)
        self.refused(path, f"damaged: .*{message}")
