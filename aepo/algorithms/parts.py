"""The four parts of a method: how to explore, what an advantage is, which surrogate loss, which regulariser.

Every mechanism is a field and can be switched alone. A field that does something only together with others says so
(`Only`). Functions are named, not referenced, so that this module needs no torch.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aepo.algorithms.conditions import Only
from aepo.units import Batches, Nats, Number, Probability, Ratio, Reward, Share, Tokens, Trajectories

OFFICIAL_CANDIDATES = 10
"""How many of the most likely tokens the published code of arXiv 2510.14545 looks at."""


class Part(BaseModel):
    """Base of the parts of a row: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


BRANCHING = Only("exploration.branching is true", lambda its: its.exploration.branching)
FIXED = Only(
    "exploration.branching is true and exploration.budget is fixed",
    lambda its: its.exploration.branching and its.exploration.budget == "fixed",
)
SPLIT = Only(
    "exploration.branching is true and exploration.budget is entropy",
    lambda its: its.exploration.branching and its.exploration.budget == "entropy",
)
PENALISED = Only(
    "exploration.branching is true and exploration.penalty is above 0",
    lambda its: its.exploration.branching and its.exploration.penalty > 0,
)
MEASURED = Only(
    "exploration.branching is true, and exploration.gamma is above 0 or exploration.streak is high_entropy",
    lambda its: BRANCHING.holds(its) and (its.exploration.gamma > 0 or its.exploration.streak == "high_entropy"),
)
DYNAMIC = Only("exploration.dynamic_sampling is true", lambda its: its.exploration.dynamic_sampling)


class Exploration(Part):
    """How the trees of a prompt are grown."""

    k: Trajectories = Field(16, ge=1, le=1024, description="trajectories per prompt, always exactly so many")
    branching: bool = Field(False, description="whether trajectories branch after tool results")
    budget: Annotated[Literal["entropy", "fixed"], BRANCHING] = Field(
        "fixed",
        description="global rollouts m, those that start at the prompt: from the entropies of a first trajectory, or a "
        "fixed share of k; the others branch off",
    )
    initial: Annotated[Share, FIXED] = Field(0.5, gt=0, description="share of k that are global rollouts")
    beta: Annotated[Number, SPLIT] = Field(1.0, ge=0, description="steepness of the sigmoid that splits the budget")
    extra_global: Annotated[Number, SPLIT] = Field(
        0.0, ge=0, description="added to the sigmoid's share of k before it is rounded half up"
    )
    statistic: Annotated[Literal["mean", "official"], BRANCHING] = Field(
        "mean",
        description="H of a turn: mean entropy of its first tokens, or the published code's sum over the ten most "
        "likely tokens and the sampled one, divided by log |V|",
    )
    entropy_tokens: Annotated[Tokens, BRANCHING] = Field(20, ge=1, description="first tokens of a turn that H is of")
    entropy_scale: Annotated[Literal["batch", "none"], BRANCHING] = Field(
        "batch", description="divide differences of H by their deviation over the batch, or not at all"
    )
    pre_monitor: Annotated[Literal["keep", "discard"], BRANCHING] = Field(
        "keep", description="whether the first trajectory is the first of the m global rollouts"
    )
    alpha: Annotated[Literal["uniform"] | Probability, BRANCHING] = Field(
        "uniform", description="base branch score: U(0,1), fresh per decision, or a constant"
    )
    gamma: Annotated[Number, BRANCHING] = Field(0.2, ge=0, description="weight of the entropy difference ΔH")
    entropy_turn: Annotated[Literal["after", "before"], MEASURED] = Field(
        "after",
        description="ΔH compares the turn after the tool result with the root's first one, or, as the published code, "
        "the turn before it with the trajectory's own first one",
    )
    threshold: Annotated[Probability, BRANCHING] = Field(0.5, description="τ: a score of at least this branches")
    penalty: Annotated[Share, BRANCHING] = Field(0.05, description="share of the score lost per consecutive branching")
    streak: Annotated[Literal["branched", "high_entropy"], PENALISED] = Field(
        "branched",
        description="what l counts: consecutive branchings, or consecutive high-entropy steps without one",
    )
    streak_of: Annotated[Literal["trajectory", "prompt"], PENALISED] = Field(
        "trajectory", description="whether each trajectory counts its own l, or all of a prompt share one"
    )
    children: Annotated[Trajectories, BRANCHING] = Field(1, ge=1, description="Z: extra children per branching")
    hand_out: Annotated[Literal["fewest", "oldest"], BRANCHING] = Field(
        "fewest", description="who branches when budget runs short: the family with fewest branches, or the oldest"
    )
    refill: Annotated[Literal["together", "one_by_one"], BRANCHING] = Field(
        "together",
        description="budget that no branch took becomes roots: all at once, and they do not branch, or one by one, and "
        "they may",
    )
    dynamic_sampling: bool = Field(
        False, description="leave prompts out whose trajectories all have the same reward, and draw others instead"
    )
    draws: Annotated[Batches, DYNAMIC] = Field(10, ge=1, description="most batches drawn for one online step")
    overdraw: Annotated[Ratio, DYNAMIC] = Field(
        2.0, ge=1, description="prompts of a staged batch, which cannot be drawn again, per prompt wanted"
    )

    @property
    def fixed_rollouts(self) -> int:
        """The m of a fixed budget: the initial share of k, rounded half up, at least 1; k where nothing branches."""
        return max(1, min(self.k, math.floor(self.initial * self.k + 0.5))) if self.branching else self.k

    @property
    def pre_monitored(self) -> bool:
        """Whether anything depends on a first trajectory of every prompt."""
        used = self.budget == "entropy" or self.entropy_scale == "batch" or self.pre_monitor == "keep"
        return self.branching and used

    def staged_prompts(self, wanted: int) -> int:
        """Prompts of a staged batch of which `wanted` are learned from."""
        return math.ceil(wanted * self.overdraw) if self.dynamic_sampling else wanted


GROUPED = Only(
    "advantage.estimator is group_relative or gigpo", lambda its: its.advantage.estimator in ("group_relative", "gigpo")
)
STEPWISE = Only("advantage.estimator is gigpo", lambda its: its.advantage.estimator == "gigpo")
BALANCED = Only("advantage.entropy_weight is above 0", lambda its: its.advantage.entropy_weight > 0)
SHAPED = Only("advantage.overlong_factor is above 0", lambda its: its.advantage.overlong_factor > 0)


class Advantage(Part):
    """How rewards become per-token advantages."""

    estimator: Literal["group_relative", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "gigpo"] = Field(
        "group_relative", description="what a trajectory is compared with"
    )
    normalise_std: Annotated[bool, GROUPED] = Field(True, description="divide by the deviation of the group")
    step_weight: Annotated[Number, STEPWISE] = Field(1.0, ge=0, description="ω of the advantage of single steps")
    discount: Annotated[Share, STEPWISE] = Field(0.95, description="γ per step of a step's return")
    sharing: Annotated[Literal["soft", "hard"], BRANCHING] = Field(
        "soft",
        description="tokens that trajectories share: each trajectory's own advantage, or the mean over those sharing",
    )
    entropy_weight: Number = Field(0.0, ge=0, description="a of the entropy-aware advantage A·(1 + a·z)")
    entropy_from: Annotated[Literal["old", "current"], BALANCED] = Field(
        "old",
        description="entropies of z: from the pass before the updates, or from one before each mini-batch",
    )
    overlong_factor: Number = Field(0.0, ge=0, description="reward lost at the full length; 0 = no overlong shaping")
    overlong_tokens: Annotated[Tokens | None, SHAPED] = Field(
        None, ge=1, description="full length, in policy tokens; null = rollout.context"
    )
    overlong_buffer: Annotated[Share, SHAPED] = Field(
        0.2, gt=0, description="share of the full length over which the reward falls"
    )


AUXILIARY = Only("regulariser.function is auxiliary", lambda its: its.regulariser.function == "auxiliary")
PESSIMISTIC = Only("surrogate.function is not cispo", lambda its: its.surrogate.function != "cispo")
CLIPPED = Only(
    "surrogate.function is not cispo, or regulariser.function is auxiliary",
    lambda its: its.surrogate.function != "cispo" or its.regulariser.function == "auxiliary",
)
CAPPED = Only("surrogate.function is cispo", lambda its: its.surrogate.function == "cispo")


class Surrogate(Part):
    """The per-token loss."""

    function: Literal["ppo_clip", "entropy_balanced_clip", "gppo", "cispo"] = Field(
        "ppo_clip", description="which loss"
    )
    clip_low: Annotated[Ratio, PESSIMISTIC] = Field(
        0.2, ge=0, lt=1, description="ε_low: the ratio is clipped below 1 − ε_low"
    )
    clip_high: Annotated[Ratio, CLIPPED] = Field(0.2, ge=0, description="ε_high: the ratio is clipped above 1 + ε_high")
    dual_clip: Annotated[Ratio | None, PESSIMISTIC] = Field(
        3.0, gt=1, description="bound of the ratio for A < 0; null = off"
    )
    cap: Annotated[Ratio, CAPPED] = Field(5.0, gt=0, description="largest weight of a token")
    floor: Annotated[Ratio | None, CAPPED] = Field(None, ge=0, description="smallest weight of a token; null = none")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Surrogate:
        """`surrogate.floor` is at most `surrogate.cap`."""
        if self.floor is not None and self.floor > self.cap:
            raise ValueError("surrogate.floor is above surrogate.cap: swap them")
        return self


REGULARISED = Only("regulariser.function is not none", lambda its: its.regulariser.function != "none")
ADAPTIVE = Only(
    "regulariser.function is entropy and regulariser.adaptive is true",
    lambda its: its.regulariser.function == "entropy" and its.regulariser.adaptive,
)
TEMPERED = Only(
    "regulariser.function is auxiliary and regulariser.rule is not none",
    lambda its: AUXILIARY.holds(its) and its.regulariser.rule != "none",
)
STEERED = Only(
    "regulariser.function is auxiliary with a regulariser.rule, or entropy with regulariser.adaptive",
    lambda its: TEMPERED.holds(its) or ADAPTIVE.holds(its),
)
BY_REWARD = Only(
    "regulariser.function is auxiliary and regulariser.positive is reward",
    lambda its: AUXILIARY.holds(its) and its.regulariser.positive == "reward",
)
BONUS = Only("regulariser.function is entropy", lambda its: its.regulariser.function == "entropy")


class Regulariser(Part):
    """A term beside the surrogate."""

    function: Literal["none", "auxiliary", "entropy"] = Field(
        "none",
        description="auxiliary: REINFORCE on positives drawn at an entropy-controlled temperature; entropy: the mean "
        "entropy itself",
    )
    coefficient: Annotated[Number, REGULARISED] = Field(1 / 64, ge=0, description="weight of the term")
    target: Annotated[Nats, STEERED] = Field(0.5, ge=0, description="target entropy H̄")
    share: Annotated[Share, AUXILIARY] = Field(
        0.25, gt=0, description="share of a batch's prompts with auxiliary rollouts, at least one"
    )
    rule: Annotated[Literal["continuous", "two-point", "none"], AUXILIARY] = Field(
        "continuous",
        description="temperature from entropy H: 1 + H̄ − H within low and high; high below the target and low above; "
        "or always 1",
    )
    low: Annotated[Number, TEMPERED] = Field(0.8, gt=0, description="lowest auxiliary temperature")
    high: Annotated[Number, TEMPERED] = Field(1.2, gt=0, description="highest auxiliary temperature")
    positive: Annotated[Literal["reward", "advantage", "all"], AUXILIARY] = Field(
        "reward",
        description="which samples are reinforced: those with a reward of at least positive_threshold, with an "
        "advantage above .05, or all",
    )
    positive_threshold: Annotated[Reward | None, BY_REWARD] = Field(
        None, gt=0, description="lowest reward of a positive; null = 1, for rewards in {−1, 0, 1} only"
    )
    adaptive: Annotated[bool, BONUS] = Field(
        False, description="raise the coefficient while entropy is below the target, and lower it otherwise"
    )
    adaptation: Annotated[Number, ADAPTIVE] = Field(0.005, ge=0, description="change of the coefficient per step")
    limit: Annotated[Number, ADAPTIVE] = Field(1.0, ge=0, description="largest coefficient")
    kl: Number = Field(0.0, ge=0, description="weight of the k3 estimate of the divergence from the first policy")

    @model_validator(mode="after")
    def _temperatures_are_in_order(self) -> Regulariser:
        """`regulariser.low` is at most `regulariser.high`."""
        if self.low > self.high:
            raise ValueError("regulariser.low is above regulariser.high: swap them")
        return self
