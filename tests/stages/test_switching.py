"""Every mechanism of both papers can be switched off alone, and the rest goes on."""

import pytest

from aepo.config import load_config
from aepo.stages.rollout import rollout
from aepo.stages.train import train
from tests.laboratory import Laboratory
from tests.switchboard import explored, learned

BOTH = ("method=aepo-unified",)
OFF = {
    "budget": ("exploration.budget=fixed", "exploration.initial=0.5"),
    "branch penalty": ("exploration.penalty=0",),
    "entropy-balanced clip": ("surrogate.function=ppo_clip",),
    "entropy-aware advantage": ("advantage.entropy_weight=0",),
    "temperature rule": ("regulariser.rule=none",),
    "positive filter": ("regulariser.positive=all",),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Laboratory(tmp_path_factory.mktemp("laboratory"))


@pytest.mark.parametrize("mechanism", OFF)
def test_a_step_is_learned_without_it(mechanism, lab):
    config = lab.config(*BOTH, *OFF[mechanism])
    plan = lab.plan(config).folder
    shard = lab.run(rollout, config, prompts=lab.prompts, plan=plan, policy=lab.policy, shard=0).folder
    done = lab.run(train, config, prompts=lab.prompts, policy=lab.policy, rollouts=[shard])
    policy = lab.open(done.folder)
    assert policy.state.step == 1
    assert policy.state.history[-1]["trained_tokens"] > 0
    assert policy.state.history[-1]["auxiliary"] > 0
    assert policy.sha256 != policy.parent


@pytest.mark.parametrize("mechanism", OFF)
def test_it_makes_a_difference(mechanism):
    given = ("exploration.penalty=0.3",) if mechanism == "branch penalty" else ()
    one, two = (load_config("tiny", [*BOTH, *settings]) for settings in (given, OFF[mechanism]))
    trees = [explored(config.exploration, config.regulariser) for config in (one, two)]
    weights = [learned(config.advantage, config.surrogate, config.regulariser) for config in (one, two)]
    explores = mechanism in ("budget", "branch penalty", "temperature rule")
    assert (trees[0] != trees[1]) == explores
    assert (weights[0] != weights[1]) != explores
