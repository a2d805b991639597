"""What the four parts of a method do, seen without stages: the trees that a step learns from, and what it learns.

Both are functions of the parts alone. The world is scripted so that every switch has something to act on: prompts
that everybody solves, budgets that run short, streaks of branchings, long trajectories, auxiliary trees, and updates
that carry ratios beyond every bound.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from aepo import keys
from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Advantage, Exploration, Regulariser, Surrogate
from aepo.config import Config
from aepo.environments.base import Prompt
from aepo.rollout.engine import Generation
from aepo.rollout.failures import ToolFailures
from aepo.rollout.selection import informative
from aepo.stages.policies import PolicyState
from aepo.stages.session import Session
from aepo.stages.train import draw, entropy_coefficient, teaching
from aepo.stages.workplace import prompt_window
from aepo.training.learner import Learner, Objective
from aepo.training.settings import TrainingSettings
from aepo.trajectories.tree import RolloutTree
from tests.rollout.scripted import Letters, Place, depth

PROMPTS = [Prompt(f"p{n}", "question?", ("yes",)) for n in range(40)]
WANTED = 8
"""Prompts per step: the fewest from which a scale is taken."""
CONTEXT = 60
"""Tokens of a full-length trajectory, for overlong shaping."""
BEFORE = (0.45, 0.05, 3.0)
"""Entropies of the update before, nats: a little below the target, far below it, far above it."""


OTHERS = {
    "exploration.k": [5],
    "exploration.branching": [True, False],
    "exploration.budget": ["entropy", "fixed"],
    "exploration.initial": [0.25],
    "exploration.beta": [3.0],
    "exploration.extra_global": [2.0],
    "exploration.statistic": ["official", "mean"],
    "exploration.entropy_tokens": [3],
    "exploration.entropy_scale": ["none", "batch"],
    "exploration.pre_monitor": ["discard", "keep"],
    "exploration.alpha": [0.6],
    "exploration.gamma": [2.0],
    "exploration.entropy_turn": ["before", "after"],
    "exploration.threshold": [0.8],
    "exploration.penalty": [0.5],
    "exploration.streak": ["high_entropy"],
    "exploration.streak_of": ["prompt", "trajectory"],
    "exploration.children": [2],
    "exploration.hand_out": ["oldest", "fewest"],
    "exploration.refill": ["one_by_one", "together"],
    "exploration.dynamic_sampling": [True, False],
    "exploration.draws": [1],
    "exploration.overdraw": [1.0],
    "advantage.estimator": ["reinforce_plus_plus", "gigpo"],
    "advantage.normalise_std": [False, True],
    "advantage.step_weight": [0.5],
    "advantage.discount": [0.5],
    "advantage.sharing": ["hard"],
    "advantage.entropy_weight": [0.5],
    "advantage.entropy_from": ["current"],
    "advantage.overlong_factor": [0.5],
    "advantage.overlong_tokens": [50],
    "advantage.overlong_buffer": [0.5],
    "surrogate.function": ["gppo", "cispo"],
    "surrogate.clip_low": [0.1],
    "surrogate.clip_high": [0.1],
    "surrogate.dual_clip": [None],
    "surrogate.cap": [1.1],
    "surrogate.floor": [0.9],
    "regulariser.function": ["entropy", "auxiliary"],
    "regulariser.coefficient": [0.3],
    "regulariser.target": [0.3],
    "regulariser.share": [0.5],
    "regulariser.rule": ["two-point"],
    "regulariser.low": [0.5],
    "regulariser.high": [2.0],
    "regulariser.positive": ["advantage"],
    "regulariser.positive_threshold": [1.5],
    "regulariser.adaptive": [True],
    "regulariser.adaptation": [0.2],
    "regulariser.limit": [0.002],
    "regulariser.kl": [0.5],
}
"""Field → sensible values, of which the first that a method does not have is taken."""


class Storyteller:
    """An engine whose every word is a function of the key, and of the temperature."""

    capacity = 64

    async def generate(self, prefix, sampling, *, tree="", on_head=None):
        text = self._text(Letters().decode(prefix), sampling)
        level, phase = (keys.uniform(name, *sampling.key) for name in ("level", "phase"))
        entropies = tuple(0.3 + level + 0.3 * math.cos(place + 6 * phase) for place in range(len(text)))
        told = entropies if sampling.statistic == "mean" else tuple(value**2 / 20 for value in entropies)
        on_head(told[: sampling.head_tokens])
        return Generation(Letters().encode(text), (-1.0,) * len(text), entropies, "stop")

    def _text(self, prefix, sampling):
        prompt = str(sampling.key[2])
        chance = keys.uniform("turn", *sampling.key) ** sampling.temperature
        if depth(prefix) < 4 and chance < 0.7:
            return f"<look>{int(chance * 100)}</look>"
        easy = keys.uniform("easy", prompt) < 0.5
        return "<answer>yes</answer>" if easy or keys.uniform("right", *sampling.key) < 0.5 else "<answer>no</answer>"

    async def restore(self, tree, runs):
        """Nothing is cached."""

    def release(self, tree):
        """Nothing is cached."""


class ScriptedSession(Session):
    """A session in `Place` with the storyteller as its policy."""

    def __init__(self, exploration: Exploration, regulariser: Regulariser) -> None:
        self.config = Config.model_construct(
            exploration=exploration,
            regulariser=regulariser,
            rollout=Config().rollout.model_copy(update={"prompts": WANTED, "context": 400}),
        )
        self.codec, self.environment, self.engine = Letters(), Place(), Storyteller()
        self._failures = ToolFailures()


def explore(exploration: Exploration, regulariser: Regulariser) -> list[list[RolloutTree]]:
    """The trees that a staged step learns from, and an online one, or one per entropy where that steers anything."""
    session = ScriptedSession(exploration, regulariser)
    batch = prompt_window(PROMPTS, 0, exploration.staged_prompts(WANTED))
    plan = session.plan(batch, 0, PolicyState().scales, None)
    steps = [teaching(session.rollout(batch, plan), PROMPTS, 0, session.config)]
    for step, entropy in enumerate(BEFORE if regulariser.function == "auxiliary" else BEFORE[:1], 1):
        state = PolicyState(step=step, cursor=10 * step, entropy=entropy, scales=plan.scales)
        trees, plan = draw(session, PROMPTS, state)
        steps.append(teaching(trees, PROMPTS, state.cursor, session.config))
    return steps


@cache
def explored(exploration: Exploration, regulariser: Regulariser) -> list[Any]:
    """What can be learned from: forms, tokens and rewards, without what trees say about how they came about."""
    return [
        [
            (tree.prompt_id, tree.role, [(entry.parent, entry.token_ids) for entry in tree.segments], tree.leaves)
            for tree in trees
        ]
        for trees in explore(exploration, regulariser)
    ]


@cache
def experience() -> list[RolloutTree]:
    """A fixed batch of branching trees: main ones that teach something, auxiliary ones that all solve or some do."""
    unified = METHODS["aepo-unified"]
    small = unified.exploration.model_copy(update={"k": 4, "dynamic_sampling": True})
    trees = explore(small, unified.regulariser.model_copy(update={"share": 1.0}))[0]
    main = [tree for tree in trees if tree.role == "main" and tree.roots < len(tree.leaves)]
    auxiliary = [tree for tree in trees if tree.role == "auxiliary"]
    split, solved = (next(tree for tree in auxiliary if informative(tree) == wanted) for wanted in (True, False))
    return [*main[:3], split, solved]


@cache
def tiny_model(seed: int) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config)


def learn(advantage: Advantage, surrogate: Surrogate, regulariser: Regulariser) -> tuple[torch.Tensor, list[Any]]:
    """The weights after a step, or two where the first one's entropy steers the second, and the steps' metrics."""
    model = LlamaForCausalLM(tiny_model(0).config)
    model.load_state_dict(tiny_model(0).state_dict())
    settings = TrainingSettings(epochs=2, minibatches=1, learning_rate=0.1, importance="off", gradient_clip=100.0)
    learner = Learner(
        model,
        Objective(advantage, surrogate, regulariser),
        settings,
        total_steps=2,
        seed=0,
        context=CONTEXT,
        reference=tiny_model(1),
    )
    state, metrics = PolicyState(), []
    for step in range(2 if regulariser.adaptive else 1):
        coefficient = entropy_coefficient(regulariser, state)
        metrics.append(learner.update(experience(), step, coefficient=coefficient))
        state = replace(state, entropy=metrics[-1]["entropy"], coefficient=coefficient)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), metrics


@cache
def learned(advantage: Advantage, surrogate: Surrogate, regulariser: Regulariser) -> list[float]:
    """The weights of `learn`."""
    return learn(advantage, surrogate, regulariser)[0].tolist()
