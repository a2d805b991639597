"""The training pipeline: questions, first policy, iterations, evaluation, report, gate.

Kubeflow has no loop that carries a policy from one pass to the next, so the iterations are unrolled, and what
shapes the graph (iterations, shards, benchmarks) is fixed when it is compiled. Everything else is the
parameter `config`, whose default is the configuration the graph was compiled from; `storage_secret` names the
Kubernetes secret with the object store's keys.

The report draws trees of the last iteration only: trees of all iterations would have to be collected from
nested loops, which Kubeflow's local runner cannot do.
"""

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from aepo.config import Config
from components.finish import finish
from components.prepare import prepare
from components.promote import promote
from components.report import report
from components.warm_start import warm_start
from pipelines.evaluation import evaluation_pipeline
from pipelines.iteration import iteration_pipeline
from pipelines.tasks import STORAGE_SECRET, stage_task


def training_pipeline(default: Config) -> GraphComponent:
    """Build the graph that has the shape of a configuration and runs it by default."""
    shards, benchmarks = default.rollout.shards, list(default.evaluation.benchmarks)
    iterations = [iteration_pipeline(number + 1, shards) for number in range(default.training.iterations)]
    evaluation = evaluation_pipeline(benchmarks)

    @dsl.pipeline(name="aepo-training", description="Agentic RL with entropy under control.")
    def aepo_training(config: str = default.model_dump_json(), storage_secret: str = STORAGE_SECRET) -> None:
        with dsl.ExitHandler(stage_task(finish, storage_secret, config=config), name="run"):
            prepared = stage_task(
                prepare,
                storage_secret,
                config=config,
                iterations=len(iterations),
                shards=shards,
                benchmarks=benchmarks,
            )
            prompts = prepared.outputs["prompts"]
            first = stage_task(warm_start, storage_secret, config=config, prompts=prompts).outputs["policy"]
            policy = first
            for iteration in iterations:
                step = iteration(config=config, storage_secret=storage_secret, prompts=prompts, policy=policy)
                policy = step.outputs["policy"]
            scores = evaluation(
                config=config,
                storage_secret=storage_secret,
                prompts=prompts,
                candidate=policy,
                baseline=first,
            ).output
            reported = stage_task(
                report,
                storage_secret,
                config=config,
                verdict=step.outputs["verdict"],
                candidate=policy,
                baseline=first,
                scores=scores,
                rollouts=step.outputs["rollouts"],
            )
            with dsl.If(reported.outputs["Output"] == "promote", name="gate"):
                stage_task(promote, storage_secret, config=config, candidate=policy, scores=scores)

    return aepo_training
