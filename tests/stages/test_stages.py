"""The stages as functions from artifacts to artifacts: reproducible, and strict about what belongs together."""

import json

import pytest

from aepo.artifacts import read_artifact
from aepo.errors import UserError
from aepo.stages.champions import champion_key
from aepo.stages.loop import run_in_process
from aepo.stages.names import ROLLOUTS
from aepo.stages.policies import PolicyState, open_policy, save_policy
from aepo.stages.prepare import prepare
from aepo.stages.rollout import rollout
from aepo.stages.verdict import verdict
from aepo.stages.workplace import read_prompts, run_folder, store_of
from aepo.telemetry.events import read_events
from aepo.training.checkpoints import load_optimizer
from aepo.trajectories.parquet import read_trees
from tests.stages.steps import learn, roll_out


class TestReproducible:
    @pytest.mark.parametrize("method", ["aepo", "aepo-arbitrary", "grpo"])
    def test_the_same_seed_gives_the_same_policy(self, begun, method):
        digests = []
        for run in ("one", "two"):
            config, folder = begun(run, f"method={method}")
            digests.append(learn(config, folder, roll_out(config, folder)).sha256)
        assert digests[0] == digests[1]

    def test_another_seed_gives_another_policy(self, begun):
        found = {learn(c, f, roll_out(c, f)).sha256 for c, f in (begun("one"), begun("two", "seed=1"))}
        assert len(found) == 2

    def test_another_number_of_shards_gives_bit_identical_rollouts_and_the_same_policy(self, begun):
        trees, digests = [], []
        for shards in (1, 2, 3):
            config, folder = begun(f"shards{shards}", f"rollout.shards={shards}")
            parts = roll_out(config, folder)
            grown = [tree for part in parts for tree in read_trees(part / ROLLOUTS)]
            trees.append(sorted(grown, key=lambda tree: tree.prompt_id))
            digests.append(learn(config, folder, parts[::-1]).sha256)
        assert trees[0] == trees[1] == trees[2]
        assert len(set(digests)) == 1

    def test_every_tree_has_k_trajectories_and_starts_with_its_pre_monitor_trajectory(self, begun):
        config, folder = begun()
        firsts = {tree.prompt_id: tree for tree in read_trees(folder / "plan" / "firsts.parquet")}
        for part in roll_out(config, folder):
            for tree in read_trees(part / ROLLOUTS):
                first = firsts[tree.prompt_id]
                assert len(tree.leaves) == config.exploration.k
                assert tree.segments[: len(first.segments)] == first.segments


class TestState:
    def test_a_trained_policy_knows_where_to_go_on(self, begun):
        config, folder = begun()
        policy = learn(config, folder, roll_out(config, folder))
        state = policy.state
        assert (state.step, state.cursor) == (3, 18)
        assert [row["step"] for row in state.history] == [1.0, 2.0, 3.0]
        assert [row["staged"] for row in state.history] == [1.0, 0.0, 0.0]
        assert state.entropy == state.history[-1]["entropy"]
        assert policy.parent == open_policy(folder / "policy", store_of(config)).sha256
        assert verdict(config, policy=folder / "trained").state == "healthy"

    def test_the_optimizer_goes_on_where_it_stopped(self, begun):
        import torch

        from aepo.training.model_folder import load_policy

        config, folder = begun()
        policy = learn(config, folder, roll_out(config, folder))
        model, tokenizer = load_policy(policy.folder)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
        load_optimizer(optimizer, model, policy.optimizer)
        steps = {float(entry["step"]) for entry in optimizer.state.values()}
        updates = config.training.epochs * config.training.minibatches * policy.state.step
        assert steps == {float(updates)}
        save_policy(
            store_of(config), "again", folder / "again", model, tokenizer, state=PolicyState(), optimizer=optimizer
        )
        assert open_policy(folder / "again", store_of(config)).optimizer.read_bytes() == policy.optimizer.read_bytes()


class TestBelongingTogether:
    def test_a_plan_of_another_policy_is_refused(self, begun):
        config, folder = begun()
        _, elsewhere = begun("two", "seed=1")
        with pytest.raises(UserError, match="was made by policy"):
            rollout(
                config,
                prompts=folder / "prompts",
                plan=elsewhere / "plan",
                policy=folder / "policy",
                shard=0,
                output=folder / "x",
            )
        assert not (folder / "x").exists()

    def test_rollouts_of_another_policy_are_refused(self, begun):
        config, folder = begun()
        other, elsewhere = begun("two", "seed=1")
        with pytest.raises(UserError, match="were sampled by policy"):
            learn(config, folder, roll_out(other, elsewhere))

    @pytest.mark.parametrize("pick", [[0], [0, 0], [0, 1, 1], []])
    def test_every_shard_must_be_there_once(self, begun, pick):
        config, folder = begun()
        shards = roll_out(config, folder)
        with pytest.raises(UserError, match=r"exactly once|given no rollouts"):
            learn(config, folder, [shards[index] for index in pick])

    def test_weights_that_were_changed_are_refused(self, begun):
        config, folder = begun()
        weights = open_policy(folder / "policy", store_of(config)).folder / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(bytes(content))
        with pytest.raises(UserError, match="was changed after it was written"):
            open_policy(folder / "policy", store_of(config))

    def test_an_unfinished_stage_does_not_exist(self, begun):
        config, folder = begun()
        (folder / "plan" / "manifest.json").unlink()
        with pytest.raises(UserError, match="did not finish"):
            roll_out(config, folder)


class TestWholeRun:
    def test_in_one_process(self, make_config):
        config = make_config("whole", "training.iterations=2")
        folder = run_folder(config)
        run_in_process(config, folder / "artifacts")
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["steps"] == 6
        assert summary["decision"] in ("promote", "keep")
        assert (folder / "report.html").read_text().lower().startswith("<!doctype html>")
        assert json.loads((folder / "status.json").read_text())["status"] == "SUCCEEDED"
        stages = [
            event["stage"] for event in read_events(folder / "events.jsonl") if event["event"] == "stage_finished"
        ]
        assert stages.count("train") == 2
        assert stages[-1] == "finish"
        pointer = store_of(config).read_text(champion_key(config))
        assert (pointer is not None) == (summary["decision"] == "promote")

    def test_with_few_likely_tokens_the_entropies_are_reported_within_bounds(self, make_config):
        config = make_config("bounded", "rollout.top_logprobs=3", "training.iterations=1", "training.online_steps=1")
        folder = run_folder(config)
        run_in_process(config, folder / "artifacts")
        entropy = json.loads((folder / "summary.json").read_text())["entropy"]
        for moment in ("before", "after"):
            assert 0 < entropy[moment] < entropy[f"{moment}_at_most"]
        trained = open_policy(folder / "artifacts" / "policy-1", store_of(config))
        assert all(0 < row["entropy_lower"] < row["entropy_upper"] for row in trained.state.history)
        assert "all tokens, at most" in (folder / "report.html").read_text()

    def test_a_second_run_is_compared_with_the_champion_of_the_first(self, make_config):
        one, two = make_config("first", "gate.margin=1.0"), make_config("second", "gate.margin=1.0", "seed=5")
        for config in (one, two):
            run_in_process(config, run_folder(config) / "artifacts")
        scores = read_artifact(run_folder(two) / "artifacts" / "scores-heldout", "scores")
        assert set(scores.metadata["policies"]) == {"baseline", "candidate", "champion"}
        reasons = json.loads((run_folder(two) / "summary.json").read_text())["reasons"]
        assert any("champion" in reason for reason in reasons)

    def test_a_failure_is_recorded_and_raised(self, make_config):
        config = make_config("broken", "model.path=/nowhere")
        with pytest.raises(UserError, match=r"no config\.json"):
            run_in_process(config, run_folder(config) / "artifacts")
        status = json.loads((run_folder(config) / "status.json").read_text())
        assert status["status"] == "FAILED"
        assert "no config.json" in status["error"]

    def test_prompts_are_split_and_cycled(self, make_config, tmp_path):
        config = make_config("cycle")
        prepare(config, output=tmp_path / "prompts")
        assert len(read_prompts(tmp_path / "prompts", "train")) == 12
        assert len(read_prompts(tmp_path / "prompts", "heldout")) == 6
