"""Learners of a method, and what one update of theirs does to a model."""

import copy

from aepo.algorithms.methods import METHODS
from aepo.training.learner import Learner, Objective
from aepo.training.settings import TrainingSettings

ONE_STEP = {"epochs": 1, "minibatches": 1, "gradient_clip": 1e9, "importance": "off"}


def objective(method="aepo", **parts):
    """A method's, with some of its parts replaced."""
    row = METHODS[method]
    return Objective(
        parts.get("advantage", row.advantage),
        parts.get("surrogate", row.surrogate),
        parts.get("regulariser", row.regulariser),
    )


def learner(model, goal=None, *, total_steps=10, context=64, reference=None, call_of=str, **settings):
    """Makes one update per batch, unless the settings say otherwise."""
    return Learner(
        model,
        goal or objective(),
        TrainingSettings(**(ONE_STEP | settings)),
        total_steps=total_steps,
        seed=0,
        context=context,
        reference=reference,
        call_of=call_of,
    )


def gradients(model, trees, goal=None, *, coefficient=None, **settings):
    """Gradients of one update of a copy of `model` that takes no step worth mentioning."""
    mine = copy.deepcopy(model)
    learner(mine, goal, learning_rate=1e-30, **settings).update(trees, 0, coefficient=coefficient)
    return {name: parameter.grad for name, parameter in mine.named_parameters()}


def assert_same(one, two, tolerance=1e-5):
    """Two sets of tensors by name are the same but for rounding."""
    for name, gradient in one.items():
        scale = gradient.abs().max().clamp(min=1e-12)
        assert (gradient - two[name]).abs().max() / scale < tolerance, name


def trained(model, trees, goal, **settings):
    """A copy of `model` after an update, or several, that do take steps."""
    mine = copy.deepcopy(model)
    learner(mine, goal, **settings).update(trees, 0)
    return dict(mine.named_parameters())


def differ(one, two, least=1e-6):
    """Whether two sets of tensors by name differ by more than rounding."""
    return any((one[name] - two[name]).abs().max() > least for name in one)
