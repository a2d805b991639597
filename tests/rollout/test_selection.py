"""Dynamic sampling: only prompts whose trajectories differ in reward teach something."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aepo.rollout.selection import informative, selected
from aepo.trajectories import Leaf, RolloutTree, Segment


def tree(prompt, rewards, role="main"):
    """Independent trajectories with these rewards; None is an unscored one."""
    turns = [Segment(index + 1, 0, "policy", (1,)) for index in range(len(rewards))]
    leaves = [Leaf(turn.id, reward, "wrong", "answer") for turn, reward in zip(turns, rewards, strict=True)]
    return RolloutTree(prompt, (Segment(0, None, "prompt", (1,)), *turns), tuple(leaves), role)


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([1.0, 1.0, 1.0], False),
        ([0.0, 0.0], False),
        ([0.0, 1.0], True),
        ([1.0, 1.1], True),
        ([1.0], False),
        ([], False),
        ([1.0, None], False),
        ([None, None], False),
        ([None, 1.0, 0.0], True),
        ([0.0, -0.0], False),
    ],
)
def test_rewards_that_differ_are_informative(rewards, expected):
    assert informative(tree("p", rewards)) == expected


class TestSelected:
    def test_the_first_in_the_order_of_their_prompts(self):
        trees = [tree("c", [0, 1]), tree("a", [1, 1]), tree("d", [0, 1]), tree("b", [0, 1])]
        assert [kept.prompt_id for kept in selected(trees, "abcd", 2)] == ["b", "c"]

    def test_fewer_where_there_are_no_more(self):
        assert selected([tree("a", [1, 1]), tree("b", [0, 0])], "ab", 2) == []
        assert len(selected([tree("a", [0, 1])], "a", 5)) == 1

    def test_auxiliary_trees_are_kept_whatever_their_rewards_and_prompts(self):
        trees = [tree("b", [0, 0], "auxiliary"), tree("a", [1, 1]), tree("b", [0, 1]), tree("a", [1, 1], "auxiliary")]
        kept = [(one.prompt_id, one.role) for one in selected(trees, "ab", 1)]
        assert kept == [("b", "main"), ("a", "auxiliary"), ("b", "auxiliary")]

    @given(
        st.lists(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=1, max_size=4), max_size=8),
        st.integers(0, 8),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=40)
    def test_neither_arrival_nor_shards_change_what_is_kept(self, batch, wanted, random):
        trees = [tree(f"p{index}", rewards) for index, rewards in enumerate(batch)]
        order = [one.prompt_id for one in trees]
        kept = selected(trees, order, wanted)
        assert len(kept) == min(wanted, sum(map(informative, trees)))
        random.shuffle(trees)
        assert selected(trees, order, wanted) == kept
