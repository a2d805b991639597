"""Dynamic sampling: prompts whose trajectories all have the same reward are left out, and others drawn instead."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from aepo import keys
from aepo.algorithms.parts import Exploration
from aepo.artifacts import write_manifest
from aepo.environments.base import Prompt
from aepo.rollout.plan import BatchPlan, Scales
from aepo.stages.loop import run_in_process
from aepo.stages.names import ROLLOUTS
from aepo.stages.policies import PolicyState, open_policy
from aepo.stages.pre_monitor import read_plan
from aepo.stages.train import draw
from aepo.stages.workplace import run_folder, store_of
from aepo.trajectories.parquet import read_trees, write_trees
from tests.stages.steps import learn, roll_out
from tests.training.trees import random_tree

DAPO = ("method=dapo", "advantage.overlong_factor=0", "environment.train_prompts=24", "training.online_steps=0")


class Drawer:
    """A session that only notes what it explores; of some prompts, trajectories differ in their rewards."""

    def __init__(self, wanted, informative=(), **rule):
        self.config = SimpleNamespace(
            exploration=Exploration(dynamic_sampling=True, **rule), rollout=SimpleNamespace(prompts=wanted)
        )
        self.informative = informative
        self.batches = []
        self.scales = []

    def plan(self, batch, step, scales, entropy):
        self.scales.append(scales)
        return BatchPlan(step, (), Scales(scales.root + 1, scales.tool))

    def rollout(self, batch, plan):
        self.batches.append([prompt.id for prompt in batch])
        rewards = {prompt.id: [1.0, 0.0 if prompt.id in self.informative else 1.0] for prompt in batch}
        trees = [random_tree(0, prompt=prompt.id, leaves=2, rewards=rewards[prompt.id]) for prompt in batch]
        return [*trees, random_tree(0, prompt=batch[0].id, leaves=2, role="auxiliary")]


def prompts(count):
    return [Prompt(f"p{n}", "question?", ()) for n in range(count)]


class TestOnline:
    def test_batches_are_drawn_until_enough_prompts_teach(self):
        session = Drawer(2, informative={"p1", "p5"})
        trees, plan = draw(session, prompts(20), PolicyState())
        assert session.batches == [["p0", "p1"], ["p2", "p3"], ["p4", "p5"]]
        assert len(trees) == 9, "three batches, with an auxiliary tree each"
        assert plan.scales.root == session.scales[0].root + 3, "each batch carries the scales of the one before"

    def test_one_batch_is_enough_where_all_teach(self):
        session = Drawer(2, informative={"p0", "p1"})
        draw(session, prompts(20), PolicyState())
        assert len(session.batches) == 1

    @pytest.mark.parametrize("draws", [1, 3])
    def test_at_most_so_many_batches(self, draws):
        session = Drawer(2, draws=draws)
        draw(session, prompts(20), PolicyState())
        assert len(session.batches) == draws

    @pytest.mark.parametrize(("count", "wanted"), [(7, 2), (6, 2), (5, 5), (3, 5)])
    @pytest.mark.parametrize("cursor", [0, 4])
    def test_no_prompt_twice_in_a_step(self, count, wanted, cursor):
        session = Drawer(wanted)
        trees, _ = draw(session, prompts(count), PolicyState(cursor=cursor))
        drawn = [name for batch in session.batches for name in batch]
        assert len(drawn) == len(set(drawn)) == sum(tree.role == "main" for tree in trees)
        assert count - len(drawn) < wanted, "another batch would have drawn one again"
        assert drawn[0] == f"p{cursor % count}"

    def test_without_it_there_is_one_batch(self):
        session = Drawer(2)
        session.config.exploration = Exploration()
        draw(session, prompts(20), PolicyState())
        assert len(session.batches) == 1


def reward_as(value):
    """Alters rewards: of every other prompt (by its digest) they differ, of the others all are `value(prompt)`."""

    def alter(shard):
        trees = []
        for tree in read_trees(shard / ROLLOUTS):
            half = [float(place % 2) for place in range(len(tree.leaves))]
            rewards = half if teaches(tree.prompt_id) else [value] * len(tree.leaves)
            leaves = [replace(leaf, reward=reward) for leaf, reward in zip(tree.leaves, rewards, strict=True)]
            trees.append(replace(tree, leaves=tuple(leaves)))
        manifest = json.loads((shard / "manifest.json").read_text())
        write_trees(shard / ROLLOUTS, trees)
        write_manifest(shard, manifest["kind"], manifest["metadata"])

    return alter


def teaches(prompt):
    return keys.digest("teaches", prompt) % 2 == 0


class TestStaged:
    def staged(self, begun, run, *settings, value=1.0):
        config, folder = begun(run, *DAPO, *settings)
        shards = roll_out(config, folder)
        for shard in shards:
            reward_as(value)(shard)
        plan = read_plan(folder / "plan", open_policy(folder / "policy", store_of(config)).sha256)
        return learn(config, folder, shards[::-1]), [row.prompt_id for row in plan.prompts]

    def test_more_prompts_are_drawn_than_are_learned_from(self, begun):
        policy, planned = self.staged(begun, "one")
        teaching = sum(map(teaches, planned))
        assert (len(planned), policy.state.cursor) == (12, 12)
        assert 0 < teaching < len(planned)
        assert policy.state.history[0]["prompts_kept"] == min(6, teaching)
        assert policy.state.history[0]["trajectories"] == 12 * 4

    def test_the_number_of_shards_changes_nothing(self, begun):
        found = {self.staged(begun, f"shards{shards}", f"rollout.shards={shards}")[0].sha256 for shards in (1, 2, 3)}
        assert len(found) == 1

    def test_prompts_that_do_not_teach_leave_no_trace(self, begun):
        one, two = (self.staged(begun, f"value{value:g}", value=value)[0] for value in (1.0, -1.0))
        assert one.sha256 == two.sha256
        assert one.sha256 != one.parent

    def test_a_factor_of_one_draws_what_is_wanted(self, begun):
        policy, planned = self.staged(begun, "one", "exploration.overdraw=1")
        assert (len(planned), policy.state.cursor) == (6, 6)


class TestNothingTeaches:
    """A policy of random weights answers nothing: every reward is −1."""

    def test_the_run_goes_on_and_the_policy_stays(self, make_config):
        config = make_config("whole", *DAPO, "training.iterations=2", "training.online_steps=1")
        folder = run_folder(config) / "artifacts"
        run_in_process(config, folder)
        first, last = (open_policy(folder / name, store_of(config)) for name in ("policy-0", "policy-2"))
        assert last.sha256 == first.sha256
        assert [row["prompts_kept"] for row in last.state.history] == [0.0] * 4
        assert [row["trained_tokens"] for row in last.state.history] == [0.0] * 4
        assert last.state.step == 4
        summary = json.loads((run_folder(config) / "summary.json").read_text())
        assert summary["decision"] in ("promote", "keep")
        assert json.loads((run_folder(config) / "status.json").read_text())["status"] == "SUCCEEDED"
