"""One iteration: pre-monitor, rollout over shards, train, verdict. It nests in the training pipeline."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from components.pre_monitor import pre_monitor
from components.rollout import rollout
from components.train import train
from components.verdict import verdict
from pipelines.tasks import stage_task


class Iteration(NamedTuple):
    """What an iteration hands on: its policy, how healthy that is, and the trees it learned from."""

    policy: dsl.Model
    verdict: str
    rollouts: list[dsl.Dataset]


def iteration_pipeline(number: int, shards: int) -> GraphComponent:
    """Build an iteration's graph.

    Args:
        number: its place in the run, from 1. It is part of the name, because Kubeflow's local runner gives
            each task a folder of its own only within pipelines named `...-iteration-...`.
        shards: rollout tasks of the iteration.
    """

    @dsl.pipeline(name=f"policy-iteration-{number}", description="Explore, learn, and judge the entropy.")
    def policy_iteration(
        config: str,
        storage_secret: str,
        prompts: dsl.Input[dsl.Dataset],
        policy: dsl.Input[dsl.Model],
    ) -> Iteration:
        planned = stage_task(pre_monitor, storage_secret, config=config, prompts=prompts, policy=policy)
        with dsl.ParallelFor(items=list(range(shards)), name="shards") as shard:
            explored = stage_task(
                rollout,
                storage_secret,
                config=config,
                shard=shard,
                prompts=prompts,
                plan=planned.outputs["plan"],
                policy=policy,
            )
        rollouts = explored.outputs["rollouts"]
        learned = stage_task(
            train,
            storage_secret,
            config=config,
            prompts=prompts,
            policy=policy,
            rollouts=dsl.Collected(rollouts),
        )
        trained = learned.outputs["trained"]
        judged = stage_task(verdict, storage_secret, config=config, policy=trained)
        return Iteration(policy=trained, verdict=judged.outputs["Output"], rollouts=dsl.Collected(rollouts))

    return policy_iteration
