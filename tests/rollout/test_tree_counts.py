"""Every method, from the pre-monitor trajectory to the tree: exactly k trajectories, and the same ones in any order."""

import asyncio

import pytest

from aepo import keys
from aepo.algorithms.methods import METHODS
from aepo.environments.base import Prompt
from aepo.rollout.batch import pre_monitor, rollout
from aepo.rollout.plan import make_plan
from tests.rollout.scripted import Script, calls_then_answers, depth, task

PROMPTS = [Prompt(f"p{n}", "question?", ("yes",)) for n in range(3)]
ANSWER = "<answer>yes</answer>"


def explore(script, method, k):
    """What a batch goes through: measured, split, grown."""
    rule = method.exploration.model_copy(update={"k": k})
    work = task(script, rule)

    async def batch():
        firsts = await pre_monitor(work, PROMPTS, seed=0, step=0) if rule.branching else []
        ids = [prompt.id for prompt in PROMPTS]
        plan = make_plan(0, ids, firsts, rule, method.regulariser, seed=0)
        return await rollout(work, work, PROMPTS, plan, seed=0)

    return asyncio.run(batch())


def restless(prefix, key):
    """Whatever can happen, drawn per turn; one prompt stays calm, so that something is left to learn from."""
    if key[2] == "p0":
        return calls_then_answers(2)(prefix, key)
    acts = [
        "<look>x</look>", "<look>x</look>", "<look>wait3</look>", "<look>break</look>", "<look>cancelled</look>",
        "<look>nothing</look>", "x</look>", "hm", "<answer>no</answer>", ANSWER,
    ]  # fmt: skip
    return acts[keys.digest("act", *key) % len(acts)]


def for_all_but_the_calm(call):
    return lambda prefix, key: calls_then_answers(2)(prefix, key) if key[2] == "p0" else call


WHATEVER = {
    "no call": lambda prefix, key: ANSWER,
    "calls": calls_then_answers(3),
    "too many calls": calls_then_answers(9),
    "malformed calls": lambda prefix, key: "x</look>" if depth(prefix) < 3 else ANSWER,
    "slow tools": lambda prefix, key: "<look>wait20</look>" if depth(prefix) < 2 else ANSWER,
    "broken tools": for_all_but_the_calm("<look>break</look>"),
    "cancelled tools": for_all_but_the_calm("<look>cancelled</look>"),
    "all of it": restless,
}


@pytest.mark.parametrize("speak", WHATEVER.values(), ids=WHATEVER)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_exactly_k_trajectories_whatever_happens(method, speak):
    for k in range(1, 10):
        entropy = lambda prefix, key: keys.uniform("entropy", *key)  # noqa: E731
        trees = explore(Script(speak, entropy=entropy), method, k)
        main = [tree for tree in trees if tree.role == "main"]
        auxiliary = [tree for tree in trees if tree.role == "auxiliary"]
        assert [tree.prompt_id for tree in main] == ["p0", "p1", "p2"]
        assert len(auxiliary) == (method.regulariser.function == "auxiliary")
        assert [len(tree.leaves) for tree in trees] == [k] * len(trees)
        assert all(tree.roots == k for tree in auxiliary), "auxiliary trajectories do not branch"


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_order_of_arrival_changes_nothing(method):
    def entropy(prefix, key):
        return 0.5 + keys.uniform("entropy", *key)

    def waits(order):
        return lambda key: keys.digest("wait", order, *key) % 25

    calm = explore(Script(restless, entropy=entropy), method, k=9)
    assert any(tree.branches_by_depth() for tree in calm) == method.exploration.branching
    for order in range(4):
        assert explore(Script(restless, entropy=entropy, delay=waits(order)), method, k=9) == calm
