"""METHODS, the table of methods. A method is a row of data that names small pure functions.

A row has four parts: how to explore, how to turn rewards into advantages, which surrogate loss, which
regulariser. A configuration starts from the row of its method and may change any field, so every mechanism can
be switched alone. Functions are named, not referenced, so that this module needs no torch.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aepo.units import Nats, Number, Probability, Ratio, Reward, Share, Tokens, Trajectories


class Part(BaseModel):
    """Base of the parts of a row: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Exploration(Part):
    """How the trees of a prompt are grown."""

    k: Trajectories = Field(16, ge=1, le=1024, description="trajectories per prompt, always exactly so many")
    budget: Literal["entropy", "fixed"] = Field(
        "fixed",
        description="global rollouts m: from the entropies of a first trajectory, or a fixed share of k",
    )
    initial: Share = Field(1.0, gt=0, description="share of k that are global rollouts when budget is fixed")
    beta: Number = Field(1.0, ge=0, description="steepness of the sigmoid that splits the budget")
    entropy_scale: Literal["batch", "none"] = Field(
        "batch", description="divide entropy differences by their deviation over the batch, or not at all"
    )
    pre_monitor: Literal["keep", "discard"] = Field(
        "keep", description="whether the first trajectory is the first of the m global rollouts"
    )
    entropy_tokens: Tokens = Field(20, ge=1, description="tokens at the start of a turn whose mean entropy is H")
    branching: bool = Field(False, description="whether trajectories branch after tool results")
    alpha: Literal["uniform"] | Probability = Field(
        "uniform", description="base branch score: U(0,1), fresh per decision, or a constant"
    )
    gamma: Number = Field(0.2, ge=0, description="weight of the standardised entropy difference")
    threshold: Probability = Field(0.5, description="τ: a score of at least this branches")
    penalty: Share = Field(0.05, description="share of the branch score lost per consecutive branching")
    streak: Literal["branched", "high_entropy"] = Field(
        "branched",
        description="what l counts: consecutive branchings, or consecutive high-entropy steps without one",
    )
    children: Trajectories = Field(1, ge=1, description="Z: extra children per branching")


class Advantage(Part):
    """How rewards become per-token advantages."""

    estimator: Literal["group_relative"] = Field("group_relative", description="baseline of the advantage")
    normalise_std: bool = Field(True, description="divide by the deviation of the group's rewards")
    entropy_weight: Number = Field(0.0, ge=0, description="a of the entropy-aware advantage A·(1 + a·z)")
    entropy_from: Literal["old", "current"] = Field(
        "old",
        description="entropies of z: from the pass before the updates, or from one before each mini-batch",
    )


class Surrogate(Part):
    """The per-token loss."""

    function: Literal["ppo_clip", "entropy_balanced_clip"] = Field("ppo_clip", description="which loss")
    clip_low: Ratio = Field(0.2, ge=0, lt=1, description="ε_low: the ratio is clipped below 1 − ε_low")
    clip_high: Ratio = Field(0.2, ge=0, description="ε_high: the ratio is clipped above 1 + ε_high")
    dual_clip: Ratio | None = Field(3.0, gt=1, description="bound of the ratio for A < 0; null = off")


class Regulariser(Part):
    """A term beside the surrogate."""

    function: Literal["none", "auxiliary"] = Field(
        "none", description="auxiliary: REINFORCE on positives drawn at an entropy-controlled temperature"
    )
    coefficient: Number = Field(1 / 64, ge=0, description="α, the weight of the auxiliary term")
    share: Share = Field(0.25, description="share of a batch's prompts that get auxiliary rollouts")
    target: Nats = Field(0.5, ge=0, description="target entropy H̄")
    rule: Literal["continuous", "two-point"] = Field(
        "continuous",
        description="temperature from entropy H: 1 + H̄ − H within low and high, or high below the target and low above",
    )
    low: Number = Field(0.8, gt=0, description="lowest auxiliary temperature")
    high: Number = Field(1.2, gt=0, description="highest auxiliary temperature")
    positive: Literal["reward", "advantage"] = Field(
        "reward", description="positives have a reward of at least positive_threshold, or an advantage above .05"
    )
    positive_threshold: Reward | None = Field(
        None, description="lowest reward of a positive; null = 1, for rewards in {−1, 0, 1} only"
    )

    @model_validator(mode="after")
    def _temperatures_are_in_order(self) -> Regulariser:
        """`regulariser.low` is at most `regulariser.high`."""
        if self.low > self.high:
            raise ValueError("regulariser.low is above regulariser.high: swap them")
        return self


class Method(Part):
    """A row: what it is, where it comes from, and its four parts."""

    id: str
    title: str
    paper: str
    exploration: Exploration = Exploration()
    advantage: Advantage = Advantage()
    surrogate: Surrogate = Surrogate()
    regulariser: Regulariser = Regulariser()


PARTS = ("exploration", "advantage", "surrogate", "regulariser")

_ROWS = (
    Method(
        id="aepo",
        title="Agentic Entropy-Balanced Policy Optimization",
        paper="arXiv 2510.14545",
        exploration=Exploration(budget="entropy", branching=True),
        advantage=Advantage(entropy_weight=0.2),
        surrogate=Surrogate(function="entropy_balanced_clip"),
    ),
    Method(
        id="aepo-arbitrary",
        title="Arbitrary Entropy Policy Optimization",
        paper="arXiv 2510.08141",
        regulariser=Regulariser(function="auxiliary"),
    ),
    Method(
        id="grpo",
        title="Group Relative Policy Optimization",
        paper="arXiv 2402.03300",
    ),
)

METHODS: dict[str, Method] = {row.id: row for row in _ROWS}
