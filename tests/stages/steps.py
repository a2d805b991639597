"""A staged iteration step by step: up to the plan, the rollouts, the training."""

from aepo.stages.policies import open_policy
from aepo.stages.pre_monitor import pre_monitor
from aepo.stages.prepare import prepare
from aepo.stages.rollout import rollout
from aepo.stages.train import train
from aepo.stages.warm_start import warm_start
from aepo.stages.workplace import store_of


def begin(config, folder):
    """Everything up to the plan of the first batch."""
    prepare(config, output=folder / "prompts")
    warm_start(config, prompts=folder / "prompts", output=folder / "policy")
    pre_monitor(config, prompts=folder / "prompts", policy=folder / "policy", output=folder / "plan")


def roll_out(config, folder):
    """All shards."""
    shards = []
    for shard in range(config.rollout.shards):
        shards.append(folder / f"rollouts-{shard}")
        rollout(
            config,
            prompts=folder / "prompts",
            plan=folder / "plan",
            policy=folder / "policy",
            shard=shard,
            output=shards[-1],
        )
    return shards


def learn(config, folder, shards, output="trained"):
    """The trained policy."""
    train(config, prompts=folder / "prompts", policy=folder / "policy", rollouts=shards, output=folder / output)
    return open_policy(folder / output, store_of(config))
