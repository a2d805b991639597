"""The model, its warm start, and the learner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aepo.algorithms.conditions import Only
from aepo.algorithms.parts import BRANCHING, Part
from aepo.units import (
    Demonstrations,
    Features,
    Heads,
    Iterations,
    Layers,
    Number,
    Passes,
    Ratio,
    Share,
    Steps,
    Tokens,
    Updates,
)


class ModelSettings(Part):
    """Which model is trained: a Hugging Face folder, or a small decoder with random weights."""

    path: str | None = Field(
        None, description="folder of a Hugging Face causal model with its tokenizer; null = build one as below"
    )
    hidden_size: Features = Field(96, ge=8, description="width of the built decoder")
    layers: Layers = Field(3, ge=1, description="layers of the built decoder")
    heads: Heads = Field(4, ge=1, description="attention heads of the built decoder")
    intermediate_size: Features = Field(256, ge=8, description="width of its gated MLP")

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ModelSettings:
        """`model.hidden_size` is a multiple of 2 × `model.heads`."""
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"model.hidden_size = {self.hidden_size} must be a multiple of 2 × model.heads = {2 * self.heads}"
            )
        return self


class WarmStartSettings(Part):
    """Supervised learning on the environment's demonstrator before RL."""

    steps: Steps = Field(1200, ge=0, description="most optimizer steps; 0 = no warm start")
    batch_size: Demonstrations = Field(64, ge=1, description="demonstrations per step")
    learning_rate: Number = Field(2e-3, gt=0, description="peak, decayed along a half cosine over `steps`")
    warm_up: Share = Field(0.05, description="share of steps over which the rate rises")
    weight_decay: Number = Field(0.01, ge=0, description="of AdamW")
    target: Share = Field(1.0, description="stop at this sampled accuracy; 1 = use all steps")
    check_every: Steps = Field(100, ge=1, description="steps between two measurements of the accuracy, if target < 1")
    checkpoint_steps: Steps = Field(50, ge=1, description="steps between two checkpoints, from which a restart goes on")


CORRECTED = Only("training.importance is not off", lambda its: its.training.importance != "off")


class TrainingSettings(Part):
    """The learner."""

    iterations: Iterations = Field(2, ge=1, le=6, description="staged iterations, unrolled in the pipeline")
    online_steps: Steps = Field(39, ge=0, description="on-policy steps of a train stage after its staged batch")
    checkpoint_steps: Steps = Field(
        1, ge=1, description="rollout steps between two checkpoints, from which a restarted train stage goes on"
    )
    learning_rate: Number = Field(1e-4, gt=0, description="at the first step of the run")
    final_rate: Share = Field(0.1, description="share of the rate at the last step; linear between")
    weight_decay: Number = Field(0.01, ge=0, description="of AdamW")
    epochs: Passes = Field(4, ge=1, description="passes over a batch")
    minibatches: Updates = Field(4, ge=1, description="updates per pass; a batch is split by whole trees")
    microbatch_tokens: Tokens = Field(
        2048, ge=64, description="most padded tokens of a forward pass, or one trajectory; in the warm start too"
    )
    gradient_clip: Number = Field(1.0, gt=0, description="largest gradient norm")
    importance: Literal["token", "sequence_mask", "off"] = Field(
        "token",
        description="correction of the sampler's log-probs: truncated per token, or whole-sequence mask",
    )
    importance_cap: Annotated[Ratio, CORRECTED] = Field(2.0, gt=1, description="largest importance weight")
    loss_weighting: Annotated[Literal["uniform", "inverse_branching"], BRANCHING] = Field(
        "uniform", description="weight of a trajectory in the loss: 1, or its leaf weight times their number"
    )
