"""What tools raised while trees grew: counted, and told to whoever keeps the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from aepo.errors import UserError, shorten
from aepo.trajectories.tree import RolloutTree

Tell = Callable[[str, str, int], None]
"""Takes the tool's name, what it raised, and how often by now."""


class ToolFailures:
    """Counts failures of tools by what they say.

    Args:
        tell: told of a failure the first time, the tenth, the hundredth, ...
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell = tell
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, tool: str, error: str) -> None:
        """Count a failure."""
        failure = (tool, shorten(error))
        self._counts[failure] += 1
        times = self._counts[failure]
        if self._tell is not None and times == 10 ** (len(str(times)) - 1):
            self._tell(*failure, times)

    def refuse_nothing_else(self, trees: Iterable[RolloutTree]) -> None:
        """See that a batch has a trajectory which no tool has ended.

        Raises:
            UserError: it has none: there is nothing to learn from or to count.
        """
        leaves = [leaf for tree in trees for leaf in tree.leaves]
        if not leaves or not self._counts or any(leaf.finish_reason != "error" for leaf in leaves):
            return
        (tool, said), times = self._counts.most_common(1)[0]
        raise UserError(
            f"all {len(leaves)} trajectories ended because a tool failed, most often {tool} ({times} times: {said}): "
            "mend it, or what it talks to, and run again."
        )
