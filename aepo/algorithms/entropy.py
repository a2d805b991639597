"""Token entropy in nats: exact from logits, and bounds from the n most likely tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aepo.algorithms.parts import OFFICIAL_CANDIDATES


def token_entropy(logprobs: Tensor) -> Tensor:
    """−Σ p·log p over the last axis of normalised log-probs; −inf entries count 0."""
    return -(logprobs.exp() * logprobs.clamp(min=torch.finfo(logprobs.dtype).min)).sum(-1)


def official_entropy(logprobs: Tensor, tokens: Tensor, most_likely: int = OFFICIAL_CANDIDATES) -> Tensor:
    """What the published code of arXiv 2510.14545 takes for a token's entropy; it then sums 20 of them.

    −Σ p·log p over the most likely tokens and the sampled one, not renormalised, divided by log |V|.

    Args:
        logprobs: (..., V), nats.
        tokens: (...) sampled ones.
        most_likely: how many candidates are looked at.
    """
    vocabulary = logprobs.shape[-1]
    likely = logprobs.topk(min(most_likely, vocabulary), dim=-1)
    sampled = logprobs.gather(-1, tokens[..., None])[..., 0]
    among = (likely.indices == tokens[..., None]).any(-1)
    rest = torch.where(among, torch.zeros_like(sampled), token_entropy(sampled[..., None]))
    return (token_entropy(likely.values) + rest) / math.log(vocabulary)


def top_logprob_entropy(logprobs: Tensor, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Bounds of the entropy when only the n largest log-probs are known (algorithms.md, 1.1).

    With q the missing mass and p_n the smallest known probability: the entropy is least when q sits on as few
    tokens as possible, lower = −Σ p·log p + q·log(1/min(q, p_n)), and greatest when q is spread evenly,
    upper = −Σ p·log p + q·(log(|V| − n) − log q).

    Args:
        logprobs: (..., n), nats, n ≤ vocab_size.
        vocab_size: |V|.

    Returns:
        lower and upper, each (...), nats.
    """
    known = logprobs.shape[-1]
    if known > vocab_size:
        raise ValueError(f"{known} log-probs for a vocabulary of {vocab_size}")
    body = token_entropy(logprobs)
    missing = (1 - logprobs.exp().sum(-1)).clamp(min=0)
    if known == vocab_size:
        return body, body
    smallest = logprobs.exp().amin(-1)
    safe = missing.clamp(min=torch.finfo(logprobs.dtype).tiny)
    lower = body - missing * torch.minimum(safe, smallest.clamp(min=torch.finfo(logprobs.dtype).tiny)).log()
    upper = body + missing * (math.log(vocab_size - known) - safe.log())
    return lower, upper
