"""Evaluation: two policies on every benchmark, one task each. It nests in the training pipeline."""

from collections.abc import Sequence

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from components.evaluate import evaluate
from pipelines.tasks import stage_task


def evaluation_pipeline(benchmarks: Sequence[str]) -> GraphComponent:
    """Build the graph that scores a candidate and a baseline on these benchmarks."""

    @dsl.pipeline(name="evaluation", description="Score two policies on every benchmark.")
    def evaluation(
        config: str,
        storage_secret: str,
        prompts: dsl.Input[dsl.Dataset],
        candidate: dsl.Input[dsl.Model],
        baseline: dsl.Input[dsl.Model],
    ) -> list[dsl.Dataset]:
        with dsl.ParallelFor(items=list(benchmarks), name="benchmarks") as benchmark:
            evaluated = stage_task(
                evaluate,
                storage_secret,
                config=config,
                benchmark=benchmark,
                prompts=prompts,
                candidate=candidate,
                baseline=baseline,
            )
        return dsl.Collected(evaluated.outputs["scores"])

    return evaluation
