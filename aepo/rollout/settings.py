"""How rollouts are sampled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aepo.algorithms.parts import Part
from aepo.units import Number, Prompts, Rows, Share, Tasks, Tokens, Trajectories


class RolloutSettings(Part):
    """Batch, sampling and engine of the rollouts."""

    engine: Literal["transformers"] = Field("transformers", description="which rollout engine")
    prompts: Prompts = Field(24, ge=1, description="prompts per rollout step")
    shards: Tasks = Field(1, ge=1, le=64, description="tasks over which a staged batch's prompts are spread")
    temperature: Number = Field(1.0, gt=0, le=10, description="sampling temperature of main rollouts")
    top_p: Share = Field(1.0, gt=0, description="nucleus mass of main and auxiliary rollouts")
    top_logprobs: Tokens = Field(
        0,
        ge=0,
        description="most likely tokens from which an entropy is known: its lower bound then counts everywhere, and "
        "the upper one is reported beside it; 0 = all of them, exactly",
    )
    context: Tokens = Field(96, ge=8, description="tokens of prompt and trajectory together")
    turn_tokens: Tokens = Field(96, ge=1, description="most tokens of one policy turn")
    decode_rows: Rows = Field(32, ge=1, description="trajectories of one decode pass; its shape never changes")
    prefill_rows: Rows = Field(16, ge=1, description="rows of one prefill batch")
    prefill_tokens: Tokens = Field(12, ge=1, description="tokens of a row that one prefill batch reads")
    slots: Trajectories = Field(192, ge=1, description="trajectories that are resident at once")
