"""What a run carries from step to step: the coefficient of the entropy bonus, and the policy it keeps near to."""

import pytest
import torch

from aepo.algorithms.parts import Regulariser
from aepo.artifacts import read_artifact
from aepo.stages import train as stage
from aepo.stages.loop import run_in_process
from aepo.stages.policies import PolicyState, open_policy
from aepo.stages.workplace import run_folder, store_of
from aepo.training.learner import Learner
from tests.stages.steps import learn, roll_out

ADAPTIVE = ("method=grpo-entropy", "regulariser.adaptive=true")


def coefficients(policy):
    return [row.get("entropy_coefficient") for row in policy.state.history]


class TestEntropyBonus:
    def test_it_rises_below_the_target_and_the_manifest_knows(self, begun):
        config, folder = begun("one", *ADAPTIVE, "regulariser.target=50")
        policy = learn(config, folder, roll_out(config, folder))
        assert coefficients(policy) == pytest.approx([0.001, 0.006, 0.011])
        assert policy.state.coefficient == read_artifact(folder / "trained", "policy").metadata["coefficient"]
        assert policy.state.coefficient == coefficients(policy)[-1]

    @pytest.mark.parametrize(
        ("before", "entropy", "after"),
        [(None, None, 0.3), (0.3, 0.4, 0.32), (0.3, 0.6, 0.28), (0.01, 0.6, 0.0), (0.49, 0.4, 0.5), (None, 0.4, 0.32)],
    )
    def test_it_moves_towards_the_target_within_its_limits(self, before, entropy, after):
        rule = Regulariser(function="entropy", coefficient=0.3, adaptive=True, target=0.5, adaptation=0.02, limit=0.5)
        found = stage.entropy_coefficient(rule, PolicyState(coefficient=before, entropy=entropy))
        assert found == pytest.approx(after)

    def test_a_fixed_one_is_no_state(self, begun):
        config, folder = begun("one", "method=grpo-entropy")
        policy = learn(config, folder, roll_out(config, folder))
        assert coefficients(policy) == [None] * 3
        assert policy.state.coefficient is None

    def test_the_next_iteration_goes_on_with_it(self, make_config):
        settings = ("regulariser.target=50", "training.iterations=2", "training.online_steps=1")
        config = make_config("whole", *ADAPTIVE, *settings)
        folder = run_folder(config) / "artifacts"
        run_in_process(config, folder)
        last = open_policy(folder / "policy-2", store_of(config))
        assert coefficients(last) == pytest.approx([0.001, 0.006, 0.011, 0.016])

    def test_a_restarted_stage_goes_on_with_it(self, begun, monkeypatch):
        """Interrupted after its first checkpoint, the stage ends as if it had not been."""

        class Interrupted(Exception):
            pass

        settings = (*ADAPTIVE, "regulariser.target=50", "regulariser.coefficient=0.5")
        config, folder = begun("one", *settings)
        other, elsewhere = begun("two", *settings)
        whole = learn(other, elsewhere, roll_out(other, elsewhere))
        shards = roll_out(config, folder)
        update = Learner.update

        def interrupted(learner, trees, step, **arguments):
            if step == 2:
                raise Interrupted
            return update(learner, trees, step, **arguments)

        monkeypatch.setattr(Learner, "update", interrupted)
        with pytest.raises(Interrupted):
            learn(config, folder, shards)
        steps = []
        monkeypatch.setattr(
            Learner, "update", lambda *arguments, **given: steps.append(given) or update(*arguments, **given)
        )
        again = learn(config, folder, shards)
        assert [given["coefficient"] for given in steps] == pytest.approx([0.51]), "only the last step was left"
        assert coefficients(again) == coefficients(whole)
        assert again.sha256 == whole.sha256

    def test_it_survives_being_written(self):
        state = PolicyState(step=3, entropy=0.25, coefficient=0.006)
        assert PolicyState.from_json(state.to_json(), ()) == state


class TestFirstPolicy:
    NEAR = "regulariser.kl=0.5"

    def test_it_is_the_one_with_which_the_run_began_in_every_iteration(self, make_config, monkeypatch):
        references = []

        class Watched(Learner):
            def __init__(self, model, *arguments, reference=None, **given):
                references.append((model.get_input_embeddings().weight.detach().clone(), reference))
                super().__init__(model, *arguments, reference=reference, **given)

        monkeypatch.setattr(stage, "Learner", Watched)
        config = make_config(
            "whole", "method=grpo-entropy", self.NEAR, "training.iterations=2", "training.online_steps=1"
        )
        folder = run_folder(config) / "artifacts"
        run_in_process(config, folder)
        first, *later = (open_policy(folder / f"policy-{n}", store_of(config)) for n in range(3))
        assert first.first == first.metadata["key"]
        assert all(policy.first == first.first != policy.metadata["key"] for policy in later)
        (begin, one), (middle, two) = references
        assert torch.equal(one.get_input_embeddings().weight, two.get_input_embeddings().weight)
        assert torch.equal(one.get_input_embeddings().weight, begin)
        assert not torch.equal(begin, middle)

    def test_nothing_pulls_at_the_first_step_and_something_does_later(self, begun, make_config):
        """With a single update per step, the first one starts from the first policy itself."""
        _, folder = begun("one", "method=grpo-entropy")
        shards = roll_out(make_config("one", "method=grpo-entropy"), folder)

        def after(steps, *settings):
            single = ("training.epochs=1", "training.minibatches=1", f"training.online_steps={steps}")
            config = make_config("one", "method=grpo-entropy", *single, *settings)
            return learn(config, folder, shards, f"trained-{steps}-{len(settings)}").sha256

        assert after(0) == after(0, self.NEAR)
        assert after(1) != after(1, self.NEAR)

    def test_without_the_term_nobody_loads_it(self, begun, monkeypatch):
        config, folder = begun("one", "training.online_steps=0")
        shards = roll_out(config, folder)
        loaded = []
        load = stage.load_policy
        monkeypatch.setattr(stage, "load_policy", lambda folder: loaded.append(folder) or load(folder))
        learn(config, folder, shards)
        assert len(loaded) == 1
