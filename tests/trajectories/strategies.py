"""Random valid rollout trees, for any test that wants them.

`from tests.trajectories.strategies import rollout_trees`, with pytest run from the repository.
"""

from __future__ import annotations

from hypothesis import strategies as st

from aepo.trajectories import Leaf, RolloutTree, Segment

LARGEST_TOKEN = 2**31 - 1
OUTCOMES = ("correct", "partial", "wrong", "malformed", "infrastructure", "cancelled")
FINISH_REASONS = ("answer", "stop", "length", "tool_limit", "error", "cancelled")


texts = st.text('ab 7\n\0"\\é‹漢𝄞', max_size=8)


def float32(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers that float32 holds exactly, as rollouts store them."""
    return st.floats(low, high, width=32)


@st.composite
def segments(draw: st.DrawFn, position: int, parent: int | None, source: str, most_tokens: int = 5) -> Segment:
    """A segment at a place of a tree; only the policy has log-probs, entropies and H, and not always."""
    tokens = tuple(draw(st.lists(st.integers(0, LARGEST_TOKEN), max_size=most_tokens)))
    exactly = {"min_size": len(tokens), "max_size": len(tokens)}
    if source == "policy":
        logprobs = draw(st.none() | st.lists(float32(-64, 0), **exactly).map(tuple))
        entropies = draw(st.none() | st.lists(float32(0, 12), **exactly).map(tuple))
        upper = draw(st.none() | st.lists(float32(0, 12), **exactly).map(tuple))
        head = draw(st.none() | st.floats(0, 240))
    else:
        logprobs = entropies = upper = head = None
    return Segment(position, parent, source, tokens, logprobs, entropies, draw(st.none() | texts), head, upper)


@st.composite
def rollout_trees(draw: st.DrawFn, most_segments: int = 12) -> RolloutTree:
    """A tree grown segment by segment: trajectories start at the prompt and branch after tool results.

    The policy follows the prompt and tool results, a tool result follows the policy. Every segment without
    children is a leaf (one that ends in a tool result was cut off there); leaves come in any order.
    """
    grown = [draw(segments(0, None, "prompt"))]
    open_turns: list[int] = []  # policy segments that nothing follows
    can_branch = [0]  # the prompt and tool results
    for position in range(1, draw(st.integers(2, max(2, most_segments)))):
        parent = draw(st.sampled_from(can_branch + open_turns))
        if parent in open_turns:
            open_turns.remove(parent)
            can_branch.append(position)
            grown.append(draw(segments(position, parent, "tool")))
        else:
            open_turns.append(position)
            grown.append(draw(segments(position, parent, "policy")))
    continued = {segment.parent for segment in grown}
    ends = draw(st.permutations([segment.id for segment in grown[1:] if segment.id not in continued]))
    return RolloutTree(
        prompt_id=draw(texts),
        segments=tuple(grown),
        leaves=tuple(
            Leaf(
                end,
                draw(st.none() | st.floats(-1, 1.1)),
                draw(st.sampled_from(OUTCOMES)),
                draw(st.sampled_from(FINISH_REASONS)),
            )
            for end in ends
        ),
        role=draw(st.sampled_from(["main", "auxiliary"])),
        temperature=draw(st.floats(0.1, 2.0)),
    )
