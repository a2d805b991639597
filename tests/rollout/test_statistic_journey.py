"""H from the engine to the decision and back: measured once, recorded, read from disk, decided by again."""

import asyncio
import math
from dataclasses import replace

import pytest
import torch

from aepo.algorithms.methods import METHODS
from aepo.environments.base import Prompt
from aepo.rollout.batch import pre_monitor, rollout
from aepo.rollout.engine import Sampling
from aepo.rollout.explorer import Task
from aepo.rollout.plan import make_plan, turn_entropies
from aepo.tools.base import ToolCall
from aepo.trajectories.parquet import read_trees, write_trees
from tests.rollout.scripted import Echo, Place, Script, calls_then_answers, depth, grow

KEPT = METHODS["aepo-official"].exploration.model_copy(
    update={"pre_monitor": "keep", "refill": "together", "k": 4, "entropy_tokens": 5}
)


class Anything(Place):
    """A policy that only babbles: whatever it says is a call, and the third call one too many."""

    class Protocol:
        marks = ()
        stop_strings = ()
        functions = ()
        frame = ("<result> ", " </result>")

        def parse(self, turn):
            return ToolCall("look", str(turn))

    protocol = Protocol()

    def __init__(self):
        super().__init__(max_tool_calls=2)
        self.tools = {"look": Echo()}


@pytest.fixture
def work(make_engine, codec):
    sampling = Sampling((), max_tokens=6, head_tokens=KEPT.entropy_tokens, statistic=KEPT.statistic)
    return Task(make_engine(context=64), codec, Anything(), KEPT, sampling, context=64)


@pytest.fixture
def explored(work):
    prompts = [Prompt(f"p{n}", "who is the head of 3 ?", ("1",)) for n in range(2)]
    firsts = asyncio.run(pre_monitor(work, prompts, seed=0, step=0))

    def go_on(firsts):
        plan = make_plan(0, [prompt.id for prompt in prompts], firsts, KEPT, METHODS["grpo"].regulariser, seed=0)
        return plan, asyncio.run(rollout(work, work, prompts, plan, seed=0))

    return firsts, go_on


def written_out(model, tree, turn):
    """Σ over the first five tokens of Σ −p·log p of the ten most likely and the sampled one, over log |V|."""
    before = [token for segment in tree.path(turn.parent) for token in tree.segments[segment].token_ids]
    with torch.no_grad():
        logits = model(torch.tensor([[*before, *turn.token_ids]])).logits[0, len(before) - 1 : -1].double()
    total = 0.0
    for p_V, token in zip(torch.softmax(logits, -1)[:5], turn.token_ids, strict=False):
        looked_at = {*p_V.topk(10).indices.tolist(), token}
        total -= sum(float(p_V[one] * p_V[one].log()) for one in looked_at) / math.log(len(p_V))
    return total


def test_every_turn_of_a_tree_has_the_official_head(explored, model):
    firsts, go_on = explored
    _, trees = go_on(firsts)
    turns = [(tree, segment) for tree in trees for segment in tree.segments]
    for tree, segment in turns:
        if segment.source == "policy":
            assert segment.head == pytest.approx(written_out(model, tree, segment), abs=1e-4)
        else:
            assert segment.head is None
    assert any(tree.branches_by_depth() for tree in trees)


def test_a_first_trajectory_from_disk_is_gone_on_from_as_if_it_had_stayed(explored, tmp_path):
    firsts, go_on = explored
    write_trees(tmp_path / "firsts.parquet", firsts)
    assert read_trees(tmp_path / "firsts.parquet") == firsts
    (plan, trees), (again, replayed) = go_on(firsts), go_on(read_trees(tmp_path / "firsts.parquet"))
    assert again == plan
    assert replayed == trees
    for tree, first in zip(trees, firsts, strict=True):
        assert tree.segments[: len(first.segments)] == first.segments
    write_trees(tmp_path / "trees.parquet", trees)
    assert read_trees(tmp_path / "trees.parquet") == trees


def test_bounds_go_along_with_the_first_trajectory(make_engine, work):
    work = replace(work, engine=make_engine(context=64, top_logprobs=10))
    prompts = [Prompt("p0", "who is the head of 3 ?", ("1",))]
    firsts = asyncio.run(pre_monitor(work, prompts, seed=0, step=0))
    plan = make_plan(0, ["p0"], firsts, KEPT, METHODS["grpo"].regulariser, seed=0)
    (tree,) = asyncio.run(rollout(work, work, prompts, plan, seed=0))
    turns = [segment for segment in tree.segments if segment.source == "policy"]
    assert all(len(turn.upper_entropies) == len(turn.entropies) for turn in turns)
    assert len(turns) > len(firsts[0].segments) / 2


def test_the_plan_counts_with_the_recorded_statistic(explored):
    firsts, go_on = explored
    plan, _ = go_on(firsts)
    for row, first in zip(plan.prompts, firsts, strict=True):
        heads = [segment.head for segment in first.segments if segment.source == "policy"]
        assert turn_entropies(first, 5) == (heads[0], tuple(heads[1:]))
        assert (row.root_entropy, row.tool_entropy) == (heads[0], pytest.approx(sum(heads[1:]) / len(heads[1:])))


def test_an_adopted_trajectory_decides_by_its_recorded_heads():
    """A sum over ten tokens rises by .6 after the result, their mean by .06: one is enough to branch."""
    rule = KEPT.model_copy(
        update={"alpha": 0.0, "gamma": 1.0, "threshold": 0.5, "entropy_turn": "after", "entropy_tokens": 10}
    )
    script = Script(calls_then_answers(1), entropy=lambda prefix, key: 0.06 * depth(prefix))
    first = grow(script, rule, k=1, m=1, branching=False)
    assert first.segments[3].head == pytest.approx(0.6)
    assert grow(script, rule, k=2, m=1, first=first).branches_by_depth() == {1: 1}
    mean = rule.model_copy(update={"statistic": "mean"})
    assert grow(script, mean, k=2, m=1, first=grow(script, mean, k=1, m=1)).branches_by_depth() == {}
