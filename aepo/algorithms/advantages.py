"""Advantages: what a trajectory, and each of its tokens, was better or worse than expected.

N trajectories, T tokens; mask 1 = policy token. Groups are the trajectories of one prompt.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor


def group_relative(rewards_N: Tensor, groups_N: Tensor, *, normalise_std: bool = True, eps: float = 1e-6) -> Tensor:
    """A = (R − mean_group) / (std_group + eps), std unbiased (arXiv 2402.03300, eq. 3).

    A group of equal rewards gives 0, and so does a singleton: one trajectory says nothing about its prompt.

    Args:
        rewards_N: (N,) rewards of scored trajectories.
        groups_N: (N,) any integers, equal within a prompt.
        normalise_std: False leaves the deviation out.
        eps: keeps the quotient finite.

    Returns:
        (N,) advantages.
    """
    rewards_N = _floating(rewards_N)
    _, index_N = groups_N.unique(return_inverse=True)
    count_G = torch.zeros(int(index_N.max()) + 1 if len(index_N) else 0, dtype=rewards_N.dtype, device=rewards_N.device)
    count_G.index_add_(0, index_N, torch.ones_like(rewards_N))
    # Counted from the group's lowest reward, equal rewards are exactly 0. Their rounded mean may differ from
    # them by an ulp, which eps does not cover in float32: sixteen rewards of 1.1 would get A = .1.
    lowest_G = torch.zeros_like(count_G).scatter_reduce_(0, index_N, rewards_N, "amin", include_self=False)
    excess_N = rewards_N - lowest_G[index_N]
    mean_G = torch.zeros_like(count_G).index_add_(0, index_N, excess_N) / count_G
    centred_N = excess_N - mean_G[index_N]
    if not normalise_std:
        return centred_N
    squares_G = torch.zeros_like(count_G).index_add_(0, index_N, centred_N.square())
    std_G = (squares_G / (count_G - 1).clamp(min=1)).sqrt()
    return centred_N / (std_G[index_N] + eps)


def reinforce_plus_plus(rewards_N: Tensor, mask_NT: Tensor) -> Tensor:
    """Returns, whitened over the policy tokens (arXiv 2501.03262, with γ = 1).

    The only reward comes at the end, so every token's return is R; it is carried across tool results.

    Args:
        rewards_N: (N,).
        mask_NT: (N, T), 1 on policy tokens.

    Returns:
        (N, T), 0 outside the mask.
    """
    return whitened(rewards_N[:, None].expand_as(mask_NT), mask_NT)


def reinforce_plus_plus_baseline(rewards_N: Tensor, groups_N: Tensor, mask_NT: Tensor) -> Tensor:
    """R − mean_group, whitened over the policy tokens (arXiv 2501.03262, the variant with a baseline).

    Args:
        rewards_N: (N,).
        groups_N: (N,) any integers, equal within a prompt.
        mask_NT: (N, T), 1 on policy tokens.

    Returns:
        (N, T), 0 outside the mask.
    """
    return reinforce_plus_plus(group_relative(rewards_N, groups_N, normalise_std=False), mask_NT)


def whitened(values_NT: Tensor, mask_NT: Tensor) -> Tensor:
    """(x − mean) / √(var + 1e-8) over the mask, the variance unbiased; 0 outside, and where all values are equal."""
    mask = mask_NT.bool()
    values = values_NT[mask]
    if len(values) < 2 or bool((values == values[0]).all()):
        return torch.zeros_like(values_NT)
    result_NT = (values_NT - values.mean()) * (values.var() + 1e-8).rsqrt()
    return torch.where(mask, result_NT, torch.zeros_like(result_NT))


def gigpo(
    rewards_N: Tensor,
    groups_N: Tensor,
    turn_NT: Tensor,
    anchors: Sequence[Sequence[Hashable]],
    *,
    gamma: float = 0.95,
    omega: float = 1.0,
    normalise_std: bool = False,
) -> Tensor:
    """A_episode + ω·A_step (arXiv 2505.10978): trajectories among those of their prompt, steps among those alike.

    A step is one policy turn. Its return is γ^(turns after it) · R. Steps of one prompt that began with the same
    observation, their anchor, are a group; a step of its own kind gets 0.

    Args:
        rewards_N: (N,).
        groups_N: (N,) any integers, equal within a prompt.
        turn_NT: (N, T) the turn of each policy token, counted from 0; −1 elsewhere.
        anchors: per trajectory, per turn.
        gamma: γ.
        omega: ω.
        normalise_std: divide both terms by the deviation of their groups.

    Returns:
        (N, T), 0 where turn_NT is −1.
    """
    if not any(anchors):
        return torch.zeros_like(turn_NT, dtype=rewards_N.dtype)
    rewards_N = _floating(rewards_N)
    episode_N = group_relative(rewards_N, groups_N, normalise_std=normalise_std)
    owner = [row for row, turns in enumerate(anchors) for _ in turns]
    after = [len(turns) - 1 - turn for turns in anchors for turn in range(len(turns))]
    kinds: dict[Hashable, int] = {}
    alike = [
        kinds.setdefault((group, anchor), len(kinds))
        for group, turns in zip(groups_N.tolist(), anchors, strict=True)
        for anchor in turns
    ]
    returns_S = rewards_N[owner] * gamma ** rewards_N.new_tensor(after)
    step_S = group_relative(returns_S, groups_N.new_tensor(alike), normalise_std=normalise_std)
    first_N = torch.tensor([0, *(len(turns) for turns in anchors)], device=turn_NT.device).cumsum(0)[:-1]
    place_NT = (first_N[:, None] + turn_NT).clamp(min=0)
    advantages_NT = episode_N[:, None] + omega * step_S[place_NT]
    return torch.where(turn_NT >= 0, advantages_NT, torch.zeros_like(advantages_NT))


def shared_mean(advantages_NT: Tensor, segments_NT: Tensor) -> Tensor:
    """The mean, over the trajectories that share a token, of their advantages (arXiv 2507.19849, hard advantage).

    Args:
        advantages_NT: (N, T).
        segments_NT: (N, T) the segment of each policy token, an integer that no other tree's segments have; −1
            elsewhere. A shared token counts once per sharer.
    """
    inside = segments_NT >= 0
    _, index = segments_NT[inside].unique(return_inverse=True)
    size = int(index.max()) + 1 if len(index) else 0
    sums = advantages_NT.new_zeros(size).index_add_(0, index, advantages_NT[inside])
    counts = advantages_NT.new_zeros(size).index_add_(0, index, torch.ones_like(advantages_NT[inside]))
    result_NT = torch.zeros_like(advantages_NT)
    result_NT[inside] = (sums / counts)[index]
    return result_NT


def overlong_penalty(lengths_N: Tensor, *, full: float, buffer: float, factor: float = 1.0) -> Tensor:
    """min(−(len − (L_max − L_buf)) / L_buf · factor, 0), added to the reward (arXiv 2503.14476, eq. 13).

    Args:
        lengths_N: (N,) policy tokens of each trajectory.
        full: L_max, tokens.
        buffer: L_buf, tokens.
        factor: what is lost at L_max.
    """
    return (-(lengths_N - (full - buffer)) / buffer * factor).clamp(max=0)


def entropy_balanced(advantages: Tensor, entropy_NT: Tensor, mask_NT: Tensor, *, scale: float = 0.2) -> Tensor:
    """A·(1 + a·z), z = (H − mean(H)) / std(H) over policy tokens (arXiv 2510.14545, entropy-aware advantage).

    The statistics are over everything given: give the global mini-batch, or the result depends on its layout.
    A token shared by n trajectories counts n times. z = 0 when std(H) < 1e-8.

    Args:
        advantages: (N,) or (N, T).
        entropy_NT: (N, T), nats; detached here.
        mask_NT: (N, T).
        scale: a.

    Returns:
        (N, T), 0 outside the mask.
    """
    mask = mask_NT.bool()
    entropy_NT = entropy_NT.detach()
    advantages_NT = advantages[:, None].expand_as(entropy_NT) if advantages.ndim == 1 else advantages
    values = entropy_NT[mask]
    std = values.std() if values.numel() > 1 else values.new_zeros(())
    z_NT = torch.zeros_like(entropy_NT) if float(std) < 1e-8 else (entropy_NT - values.mean()) / std
    return torch.where(mask, advantages_NT * (1 + scale * z_NT), torch.zeros_like(advantages_NT))


def _floating(rewards: Tensor) -> Tensor:
    return rewards if rewards.is_floating_point() else rewards.to(torch.get_default_dtype())
