"""The objective from its formulas (algorithms.md), one token at a time, in plain Python: value and gradients.

A token is (row, position). Nothing here is shared with the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from aepo.algorithms.parts import Advantage, Regulariser, Surrogate
from tests.algorithms.batches import CONTEXT, Rollouts

Token = tuple[int, int]


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return math.fsum(values) / len(values)


def deviation(values: Iterable[float]) -> float:
    """Unbiased; 0 for one value."""
    values = list(values)
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / max(len(values) - 1, 1))


def used(its: Rollouts, row: int) -> list[int]:
    return [position for position, mask in enumerate(its.experience.mask_NT[row].tolist()) if mask]


def main_rows(its: Rollouts) -> list[int]:
    return [row for row, auxiliary in enumerate(its.auxiliary_N.tolist()) if not auxiliary]


def main_tokens(its: Rollouts) -> list[Token]:
    return [(row, position) for row in main_rows(its) for position in used(its, row)]


# -- advantages (1.4, 3) --------------------------------------------------------------------------------------


def among(values: dict, kinds: dict, normalise: bool) -> dict:
    """Every value relative to those of its kind."""
    found = {}
    for key, value in values.items():
        alike = [values[other] for other in values if kinds[other] == kinds[key]]
        found[key] = value - mean(alike)
        if normalise:
            found[key] /= deviation(alike) + 1e-6
    return found


def white(values: dict[Token, float]) -> dict[Token, float]:
    if len(set(values.values())) < 2:
        return dict.fromkeys(values, 0.0)
    centre, spread = mean(values.values()), math.sqrt(deviation(values.values()) ** 2 + 1e-8)
    return {token: (value - centre) / spread for token, value in values.items()}


def group_relative(its, rewards, prompts, settings):
    found = among(rewards, prompts, settings.normalise_std)
    return {token: found[token[0]] for token in main_tokens(its)}


def reinforce_plus_plus(its, rewards, prompts, settings):
    return white({token: rewards[token[0]] for token in main_tokens(its)})


def reinforce_plus_plus_baseline(its, rewards, prompts, settings):
    found = among(rewards, prompts, normalise=False)
    return white({token: found[token[0]] for token in main_tokens(its)})


def gigpo(its, rewards, prompts, settings):
    episode = among(rewards, prompts, settings.normalise_std)
    anchors = its.experience.anchors
    returns, kinds = {}, {}
    for row in main_rows(its):
        rest = rewards[row]  # of the last turn; every turn before it is one discount further away
        for turn in reversed(range(len(anchors[row]))):
            returns[row, turn], kinds[row, turn] = rest, (prompts[row], anchors[row][turn])
            rest *= settings.discount
    steps = among(returns, kinds, settings.normalise_std)
    turns = its.experience.turns_NT.tolist()
    return {
        (row, position): episode[row] + settings.step_weight * steps[row, turns[row][position]]
        for row, position in main_tokens(its)
    }


ESTIMATORS = {
    function.__name__: function
    for function in (group_relative, reinforce_plus_plus, reinforce_plus_plus_baseline, gigpo)
}


def advantages(its: Rollouts, settings: Advantage) -> dict[Token, float]:
    """Of the main trajectories' tokens."""
    rewards = {row: its.experience.rewards_N[row].item() for row in main_rows(its)}
    prompts = dict(enumerate(its.experience.groups_N.tolist()))
    full = settings.overlong_tokens or CONTEXT
    buffer = settings.overlong_buffer * full
    for row in rewards:
        over = (len(used(its, row)) - (full - buffer)) / buffer
        rewards[row] += min(-over * settings.overlong_factor, 0.0)
    found = ESTIMATORS[settings.estimator](its, rewards, prompts, settings)
    if settings.sharing == "hard":
        segments = its.experience.segments_NT.tolist()
        of = {token: segments[token[0]][token[1]] for token in found}
        found = {token: mean(found[other] for other in found if of[other] == of[token]) for token in found}
    entropies = {token: its.old_entropies_NT[token].item() for token in found}
    spread = deviation(entropies.values()) if len(entropies) > 1 else 0.0
    if spread < 1e-8:
        return found
    centre = mean(entropies.values())
    return {
        token: a * (1 + settings.entropy_weight * (entropies[token] - centre) / spread) for token, a in found.items()
    }


# -- surrogates (1.3, 3.4) ------------------------------------------------------------------------------------


def objective(its: Surrogate, ratio: float, a: float, logprob: float) -> float:
    """Of a token; its loss is the negative."""
    if its.function == "cispo":
        return min(max(ratio, its.floor or 0.0), its.cap) * a * logprob
    found = min(ratio * a, min(max(ratio, 1 - its.clip_low), 1 + its.clip_high) * a)
    return max(found, its.dual_clip * a) if a < 0 and its.dual_clip else found


def coefficient(its: Surrogate, ratio: float, a: float) -> float:
    """c of dL/dlogπ = −A·c."""
    low, high = 1 - its.clip_low, 1 + its.clip_high
    if its.function == "cispo":
        return min(max(ratio, its.floor or 0.0), its.cap)
    if a > 0 and ratio > high:
        return 0.0 if its.function == "ppo_clip" else high
    if a < 0 and ratio < low:
        return low if its.function == "gppo" else 0.0
    if a < 0 and its.dual_clip and ratio > its.dual_clip:
        return 0.0
    return ratio


# -- the whole objective --------------------------------------------------------------------------------------


def written_out(
    its: Rollouts, advantage: Advantage, surrogate: Surrogate, regulariser: Regulariser
) -> tuple[float, dict[Token, float], dict[Token, float]]:
    """The loss, its gradient with respect to log-probs, and that with respect to entropies."""
    tokens = main_tokens(its)
    total, gradient, entropy_gradient = 0.0, dict[Token, float](), dict[Token, float]()
    for token, a in advantages(its, advantage).items():
        logprob, old, reference = (
            values[token].item() for values in (its.logprobs_NT, its.old_logprobs_NT, its.reference_logprobs_NT)
        )
        ratio = math.exp(logprob - old)
        weight = its.weights_N[token[0]].item() * its.importance_NT[token].item()
        divergence = math.exp(reference - logprob) - (reference - logprob) - 1
        total += (regulariser.kl * divergence - weight * objective(surrogate, ratio, a, logprob)) / len(tokens)
        pull = regulariser.kl * (1 - math.exp(reference - logprob)) - weight * a * coefficient(surrogate, ratio, a)
        gradient[token] = pull / len(tokens)
        if regulariser.function == "entropy":
            total -= regulariser.coefficient * its.entropies_NT[token].item() / len(tokens)
            entropy_gradient[token] = -regulariser.coefficient / len(tokens)
    if regulariser.function == "auxiliary":
        more, auxiliary_gradient = auxiliary_term(its, surrogate, regulariser)
        total, gradient = total + more, gradient | auxiliary_gradient
    return total, gradient, entropy_gradient


def auxiliary_term(its: Rollouts, surrogate: Surrogate, regulariser: Regulariser) -> tuple[float, dict[Token, float]]:
    """−α · (1/N_aux) Σ_i 1[positive] · (1/|o_i|) Σ_t min(r, clip(r, 1−ε, 1+ε)), and its gradient."""
    samples = [row for row in range(len(its)) if its.auxiliary_N[row]]
    rewards = {row: its.experience.rewards_N[row].item() for row in samples}
    relative = among(rewards, dict(enumerate(its.experience.groups_N.tolist())), normalise=True)
    total, gradient = 0.0, {}
    for row in samples:
        positive = {"reward": rewards[row] == 1, "advantage": relative[row] > 0.05, "all": True}[regulariser.positive]
        for position in used(its, row) if positive else ():
            ratio = math.exp(its.logprobs_NT[row, position] - its.old_logprobs_NT[row, position])
            weight = regulariser.coefficient / len(samples) / len(used(its, row))
            total -= weight * min(ratio, 1 + surrogate.clip_high)  # the minimum makes the lower bound idle
            gradient[row, position] = -weight * ratio if ratio < 1 + surrogate.clip_high else 0.0
    return total, gradient
