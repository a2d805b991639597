"""Metrics of explored trees: how concentrated branching is, against counts made another way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aepo import keys
from aepo.algorithms.parts import Exploration
from aepo.rollout.metrics import branched_trajectories, top_families, tree_metrics
from aepo.trajectories import Leaf, RolloutTree, Segment
from tests.rollout.scripted import Script, depth, grow
from tests.trajectories.strategies import rollout_trees

FORKING = Exploration(branching=True, gamma=0.0, penalty=0.0)


def tree(shape, ends, role="main"):
    """A tree of (parent, source) after its prompt, with trajectories in the order of `ends`."""
    segments = [Segment(0, None, "prompt", (0,))]
    segments += [Segment(index, parent, source, (index,)) for index, (parent, source) in enumerate(shape, 1)]
    return RolloutTree("p", tuple(segments), tuple(Leaf(end, 1.0, "correct", "answer") for end in ends), role)


def family(branches, begin):
    """A root with a tool result after which it branches so many times; returns its shape and its ends."""
    turns = [(0, "policy"), (begin, "tool"), *[(begin + 1, "policy")] * (branches + 1)]
    return turns, list(range(begin + 2, begin + 3 + branches))


def families(*branches):
    shape, ends = [], []
    for count in branches:
        more_shape, more_ends = family(count, len(shape) + 1)
        shape, ends = shape + more_shape, ends + more_ends
    return tree(shape, ends)


class TestEntropyBounds:
    def test_exact_entropies_have_none(self):
        assert not {"entropy_lower", "entropy_upper"} & tree_metrics([families(1)]).keys()

    def test_shared_tokens_count_by_leaf_weights(self):
        """A root of two tokens; its own continuation and its branch weigh a half each, a second root all of its."""

        def turn(index, parent, lower, upper):
            return Segment(index, parent, "policy", (1,) * len(lower), None, lower, upper_entropies=upper)

        segments = (
            Segment(0, None, "prompt", (0,)),
            turn(1, 0, (0.5, 0.25), (1.0, 0.5)),
            Segment(2, 1, "tool", (2,)),
            turn(3, 2, (0.125,), (0.25,)),
            turn(4, 2, (0.375,), (0.75,)),
            turn(5, 0, (0.25,), (2.0,)),
        )
        leaves = tuple(Leaf(end, 1.0, "correct", "answer") for end in (3, 5, 4))
        hot = RolloutTree(
            "p", (segments[0], turn(1, 0, (9.0,), (9.0,))), (Leaf(1, 1.0, "correct", "answer"),), "auxiliary"
        )
        found = tree_metrics([RolloutTree("p", segments, leaves), hot])
        assert found["entropy_lower"] == pytest.approx((0.75 + (0.125 + 0.375) / 2 + 0.25) / 4)
        assert found["entropy_upper"] == pytest.approx((1.5 + (0.25 + 0.75) / 2 + 2.0) / 4)


class TestTopFamilies:
    @pytest.mark.parametrize(
        ("branches", "share"),
        [((1, 1, 1, 1), 0.75), ((4, 0, 0, 0), 1.0), ((1, 5, 2, 1, 1), 0.8), ((2, 2), 1.0), ((1,) * 8, 0.375)],
    )
    def test_by_hand(self, branches, share):
        assert top_families(families(*branches)) == pytest.approx(share)

    def test_without_branches_there_is_no_share(self):
        assert top_families(families(0, 0, 0)) is None
        assert "top_families" not in tree_metrics([families(0, 0)])

    def test_only_trees_that_branched_are_averaged(self):
        assert tree_metrics([families(1, 1, 1, 1), families(0, 0), families(3)])["top_families"] == pytest.approx(0.875)

    @given(rollout_trees(most_segments=20))
    @settings(max_examples=50)
    def test_it_is_what_counting_extra_children_per_root_gives(self, grown):
        def extra(segment):
            children = grown.children[segment]
            return max(0, len(children) - 1) + sum(map(extra, children))

        branches = sorted(map(extra, grown.children[0]))
        found = top_families(grown)
        assert found == (pytest.approx(sum(branches[-3:]) / sum(branches)) if sum(branches) else None)


class TestBranchedTrajectories:
    def test_by_hand(self):
        """The root forks at two results, its first child at one more: two trajectories of five."""
        shape = [
            (0, "policy"), (1, "tool"), (2, "policy"), (3, "tool"), (4, "policy"),  # the root
            (2, "policy"), (6, "tool"), (7, "policy"), (4, "policy"), (7, "policy"), (0, "policy"),
        ]  # fmt: skip
        assert branched_trajectories(tree(shape, [5, 8, 9, 10, 11])) == 2

    def test_several_children_of_one_fork_count_once(self):
        assert branched_trajectories(families(4, 0, 2)) == 2

    def test_roots_are_no_branches(self):
        assert branched_trajectories(families(0, 0, 0)) == 0

    @pytest.mark.parametrize("seed", range(8))
    def test_it_is_the_number_of_trajectories_that_the_explorer_forked(self, seed, monkeypatch):
        from aepo.rollout.growing import Path

        parents = []
        fork = Path.fork
        monkeypatch.setattr(Path, "fork", lambda self, *place: parents.append(self.index) or fork(self, *place))

        def speak(prefix, key):
            again = depth(prefix) < 1 + keys.digest("calls", seed, *key) % 4
            return "<look>x</look>" if again else "<answer>yes</answer>"

        grown = grow(Script(speak), FORKING, k=16, m=6, prompt=f"p{seed}")
        assert branched_trajectories(grown) == len(set(parents)) > 0
        assert tree_metrics([grown])["branches"] == len(parents) / 16


class TestTreeMetrics:
    def test_means_are_over_prompts(self):
        assert tree_metrics([families(1, 1), families(0), families(3)])["branched_trajectories"] == pytest.approx(1.0)

    def test_auxiliary_trees_count_for_nothing_but_tokens(self):
        main = families(1, 0)
        shape = [(0, "policy"), (1, "tool"), (2, "policy"), (2, "policy")]
        auxiliary = tree(shape, [3, 4], role="auxiliary")
        alone, both = tree_metrics([main]), tree_metrics([main, auxiliary])
        assert both["sampled_tokens"] == alone["sampled_tokens"] + 3
        assert both | {"sampled_tokens": 0} == alone | {"sampled_tokens": 0}

    def test_nothing_gives_zeros(self):
        assert set(tree_metrics([]).values()) == {0.0}

    @given(st.lists(rollout_trees(), max_size=3))
    @settings(max_examples=25)
    def test_they_are_finite_numbers(self, trees):
        for name, value in tree_metrics(trees).items():
            assert isinstance(value, float), name
            assert abs(value) < 1e12
