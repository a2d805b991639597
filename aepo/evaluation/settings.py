"""How policies are evaluated and when one is promoted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aepo.algorithms.parts import Part
from aepo.units import Nats, Number, Questions, Ratio, Samples, Share, Steps


class EvaluationSettings(Part):
    """Questions, samples and sampling of the evaluation."""

    benchmarks: tuple[Literal["heldout", "train"], ...] = Field(
        ("heldout",),
        min_length=1,
        description="splits that are evaluated, one task each; the first one gates",
    )
    questions: Questions = Field(500, ge=1, description="questions per benchmark, at most")
    samples: Samples = Field(5, ge=1, description="independent samples per question")
    temperature: Number = Field(1.0, gt=0, le=10, description="sampling temperature")
    top_p: Share = Field(1.0, gt=0, description="nucleus mass")


class GateSettings(Part):
    """When entropy counts as unhealthy, and how much better a policy must be."""

    margin: Share = Field(0.01, description="accuracy that the paired interval's lower end may lose; 0.01 = one point")
    collapse_floor: Nats = Field(0.05, ge=0, description="entropy below which a policy may be collapsed")
    collapse_share: Share = Field(0.2, description="the same as a share of the first entropy; the higher bound counts")
    collapse_steps: Steps = Field(
        3, ge=1, description="last steps that are all below the bound, the last lower than the first, in a collapse"
    )
    explosion: Ratio = Field(2.0, gt=1, description="multiple of the first entropy that counts as exploding")
