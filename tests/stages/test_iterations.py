"""What one iteration hands to the next, and what a checkpoint keeps of it: the optimizer's state and the scales."""

import pytest
from safetensors.torch import load_file

from aepo.artifacts import MANIFEST, read_manifest, write_manifest
from aepo.rollout.plan import Scales
from aepo.stages import loop
from aepo.stages.loop import run_in_process
from aepo.stages.policies import PolicyState, open_policy, save_policy
from aepo.stages.result import StageResult
from aepo.stages.workplace import run_folder, store_of
from aepo.training.learner import Learner
from aepo.training.policy import build_policy

TAUGHT = ("warm_start.steps=30", "warm_start.learning_rate=0.03")
"""Enough to get rewards that differ, so that something is learned."""
EARLIER, LATER = Scales(root=0.5, tool=0.25), Scales(root=0.7, tool=0.35)
"""Of batches before; those of `SMALL` have too few values for scales of their own."""


def artifacts(config):
    return run_folder(config) / "artifacts"


def run(config):
    run_in_process(config, artifacts(config))


def scales(folder):
    return Scales(**read_manifest(folder).metadata["scales"])


def test_two_iterations_of_two_steps_end_as_one_of_four(make_config):
    shapes = {1: "training.online_steps=3", 2: "training.online_steps=1"}
    ends = {}
    for iterations, steps in shapes.items():
        config = make_config(f"{iterations}-iterations", *TAUGHT, f"training.iterations={iterations}", steps)
        run(config)
        ends[iterations] = [
            open_policy(artifacts(config) / f"policy-{number}", store_of(config)) for number in range(1, iterations + 1)
        ]
    ((at_once,), (halfway, in_two)) = ends.values()
    moments = {name: value for name, value in load_file(halfway.optimizer).items() if name.endswith("/exp_avg")}
    assert any(value.any() for value in moments.values())
    assert in_two.optimizer.read_bytes() == at_once.optimizer.read_bytes()
    assert in_two.sha256 == at_once.sha256
    assert in_two.state.scales == at_once.state.scales != Scales()


@pytest.fixture
def begun_with_scales(make_config, monkeypatch):
    """The configuration of a run whose first policy comes from a batch with the earlier scales."""

    def first_policy(config, *, prompts, output):
        parts = build_policy(config.model, context=config.rollout.context, seed=config.seed)
        save_policy(store_of(config), config.run, output, *parts, state=PolicyState(scales=EARLIER))
        return StageResult({})

    monkeypatch.setattr(loop, "warm_start", first_policy)
    return make_config()


def test_scales_go_from_a_policy_to_its_plan_and_from_a_checkpoint_to_the_next_step(begun_with_scales, monkeypatch):
    update = Learner.update

    def interrupted(self, trees, step, **settings):
        if step == 2:
            raise KeyboardInterrupt
        return update(self, trees, step, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(begun_with_scales)
    (checkpoint,) = (path.parent for path in run_folder(begun_with_scales).glob(f"unfinished/train-*/*/{MANIFEST}"))
    assert scales(artifacts(begun_with_scales) / "plan-1") == scales(checkpoint) == EARLIER
    later = {"scales": {"root": LATER.root, "tool": LATER.tool}}
    write_manifest(checkpoint, "checkpoint", read_manifest(checkpoint).metadata | later)
    run(begun_with_scales)
    assert scales(artifacts(begun_with_scales) / "policy-1") == LATER
