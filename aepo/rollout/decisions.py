"""Who branches at a depth of one prompt's tree: a pure function of entropies, streaks and keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aepo import keys
from aepo.algorithms.branching import branch_probability, next_streak
from aepo.algorithms.parts import Exploration
from aepo.keys import Key
from aepo.rollout.growing import Path


class Decisions:
    """Decides depth after depth, and remembers streaks and who was granted what.

    Args:
        rule: the method's exploration.
        key: of the tree, the beginning of every key in it.
        tool_scale: s_tool, by which differences of H are divided.
    """

    def __init__(self, rule: Exploration, key: Key, tool_scale: float) -> None:
        self._rule = rule
        self._key = key
        self._tool_scale = tool_scale
        self._granted: Counter[int] = Counter()
        self._streak = 0

    def at(self, depth: int, candidates: Sequence[Path], initial: Mapping[int, float], left: int) -> list[Path]:
        """The candidates that branch, each as often as it has children, in the order of their creation.

        Args:
            depth: of the tool result.
            candidates: trajectories to decide about, oldest first.
            initial: family → H_initial of its root.
            left: trajectories that may still be started.
        """
        deltas = {path.index: self._delta(path, depth, initial[path.family]) for path in candidates}
        shared = self._rule.streak_of == "prompt"
        willing = [
            path
            for path in candidates
            if self._wants(path, depth, deltas[path.index], self._streak if shared else path.streak)
        ]
        parents = self._hand_out(willing, depth, left)
        for path in candidates:
            path.decided = depth
            path.streak = self._next(path.streak, path in parents, deltas[path.index])
        self._streak = self._next(self._streak, bool(parents), max(deltas.values(), default=0.0))
        self._granted.update(path.family for path in parents)
        return parents

    def _hand_out(self, willing: list[Path], depth: int, left: int) -> list[Path]:
        """Parents, once per child; where budget runs short, who comes first is the rule's."""
        children = self._rule.children
        if len(willing) * children > left and self._rule.hand_out == "fewest":
            order = {path.index: keys.uniform(*self._node(path, depth), "hand-out") for path in willing}
            willing = sorted(willing, key=lambda path: (self._granted[path.family], order[path.index]))
        return [path for path in willing for _ in range(children)][:left]

    def _wants(self, path: Path, depth: int, delta: float, streak: int) -> bool:
        rule = self._rule
        alpha = keys.uniform(*self._node(path, depth), "alpha") if rule.alpha == "uniform" else rule.alpha
        return branch_probability(delta, streak, alpha=alpha, gamma=rule.gamma, penalty=rule.penalty) >= rule.threshold

    def _next(self, streak: int, branched: bool, delta: float) -> int:
        return next_streak(streak, branched=branched, delta_entropy=delta, rule=self._rule.streak)

    def _delta(self, path: Path, depth: int, initial: float) -> float:
        """ΔH = (H − H_initial) / s_tool, H of the turn after the tool result.

        The published code takes the turn before it, and the trajectory's own first turn for the initial one.
        """
        if self._rule.entropy_turn == "before":
            return (path.heads[depth - 1] - path.heads[path.born]) / self._tool_scale
        return (path.heads[depth] - initial) / self._tool_scale

    def _node(self, path: Path, depth: int) -> Key:
        return (*self._key, path.index, depth)
