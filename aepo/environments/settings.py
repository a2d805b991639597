"""Which task is trained on, and how much of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aepo.algorithms.parts import Part
from aepo.units import Calls, Prompts


class EnvironmentSettings(Part):
    """The task: the embedded lookup world, or questions from a file of the user's."""

    name: Literal["lookup", "math", "qa"] = Field(
        "lookup", description="lookup: generated tool-use episodes; math, qa: questions from `source`"
    )
    source: str | None = Field(None, description="math, qa: path of a .jsonl, .json (lines) or .parquet file")
    question_field: str = Field("question", min_length=1, description="field of the question; a.b reaches into a")
    answer_field: str = Field(
        "answer",
        min_length=1,
        description="field of the accepted answer, or of a list of them; a.b reaches into a",
    )
    id_field: str | None = Field(
        None,
        min_length=1,
        description="field of the row's id; null = `id` or `idx` where present, else the line",
    )
    malformed_rows: Literal["refuse", "skip"] = Field(
        "refuse",
        description="math, qa: stop at malformed rows, or go on without them; both name and count them",
    )
    train_prompts: Prompts = Field(
        1920, ge=0, description="lookup: training episodes; math, qa: training rows at most, 0 = all"
    )
    heldout_prompts: Prompts = Field(
        500,
        ge=1,
        description="held-out episodes or rows, disjoint from training; at most half of a file's rows",
    )
    max_tool_calls: Calls = Field(8, ge=0, description="tool calls of one trajectory at most; 0 = no tools")
    tool_bonus: bool = Field(
        False, description="add 0.1 to a positive score when two or more different tools were used"
    )
    hops: Literal["one", "two", "mixed"] = Field(
        "mixed", description="lookup: relations to follow per question; mixed = one or two, half each"
    )

    @model_validator(mode="after")
    def _lookup_generates(self) -> EnvironmentSettings:
        """`environment.name: lookup` takes no `environment.source`, and `environment.train_prompts` of at least 1."""
        if self.name == "lookup" and self.source is not None:
            raise ValueError(
                "the lookup world generates its questions, but environment.source is set: remove it, "
                "or set environment.name to math or qa"
            )
        if self.name == "lookup" and self.train_prompts == 0:
            raise ValueError(
                "environment.train_prompts = 0 means every row of a file, and the lookup world has none: "
                "say how many episodes to generate"
            )
        return self

    @model_validator(mode="after")
    def _others_read(self) -> EnvironmentSettings:
        """`environment.name: math` and `environment.name: qa` need an `environment.source`."""
        if self.name != "lookup" and self.source is None:
            raise ValueError(f"{self.name} needs questions: set environment.source to a .jsonl or .parquet file")
        return self
