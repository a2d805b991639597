"""Does branching concentrate on a few trajectories? Prints one JSON object a line, and a table to the standard error.

    python benchmarks/branching.py simulated    simulated policies, whose trajectories call tools twice or eight times
    python benchmarks/branching.py lookup       policies that were warm-started on the lookup world

For every rule below: the share of a prompt's branches that falls on its three most-branched families, the number of
its trajectories that branched at all, and at which depth branches lie. Means over seeds with standard errors; all
rules see the same prompts and policies, so that differences to ours are paired. Three families hold much wherever m
is small: `if spread evenly` is what they would hold if the m first roots shared evenly. `--quick` is a smoke test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aepo import keys
from aepo.algorithms.methods import METHODS
from aepo.algorithms.parts import Exploration, Regulariser
from aepo.environments.base import Prompt, Trajectory
from aepo.environments.protocols.guard import Guard
from aepo.environments.protocols.tags import TagProtocol
from aepo.rollout.batch import pre_monitor, rollout
from aepo.rollout.codec import Passage
from aepo.rollout.engine import Generation, Head, Sampling
from aepo.rollout.explorer import Task
from aepo.rollout.metrics import TOP_FAMILIES, plan_metrics, tree_metrics
from aepo.rollout.plan import BatchPlan, Scales, make_plan
from aepo.scoring.base import Score
from aepo.tools.base import Observation, ToolContext, text_parameter
from aepo.trajectories.tree import RolloutTree

Explored = tuple[list[RolloutTree], BatchPlan]

K = 16
OURS = "ours"
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    OURS: ("aepo", {}),
    "oldest first": ("aepo", {"hand_out": "oldest"}),
    "no penalty": ("aepo", {"penalty": 0.0}),
    "penalty .25": ("aepo", {"penalty": 0.25}),
    "aepo-official": ("aepo-official", {}),
}
"""Name → method and the fields of its exploration that differ."""
DEEPEST = 4
"""Branches at this depth and below are counted together."""


# -- simulated ------------------------------------------------------------------------------------------------

WORLDS = {"simulated 2 calls": 2, "simulated 8 calls": 8}
"""Name → mean number of tool calls of a trajectory; it is geometric, with at least one call."""
VOCABULARY = 150_000
THOUGHT = "." * 20


class Letters:
    """One token per character."""

    eos_id = None
    controls: Mapping[str, int] = {}
    tokenizer = SimpleNamespace(chat_template=None)

    def encode(self, text: str) -> tuple[int, ...]:
        """Tokens of a text."""
        return tuple(map(ord, text))

    def encode_foreign(self, text: str, guard: Guard) -> Passage:
        """Tokens of a text from outside; here it is never one that could do harm."""
        del guard
        return Passage(self.encode(text), text)

    encode_prompt = encode_foreign

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of tokens."""
        return "".join(map(chr, token_ids))

    def decode_marked(self, token_ids: Sequence[int], marks: Iterable[str]) -> tuple[str, frozenset[int]]:
        """Text of tokens, none of which is a mark."""
        del marks
        return self.decode(token_ids), frozenset()


@dataclass
class SimulatedEngine:
    """Turns of controllable entropy, in nats: H = 1 + .2·(family) + .2·(turn), both standard normal.

    A family's part is drawn from what its root said first and counts after tool results only: branches inherit it, so
    that ΔH stays high in some families, in which an unchecked rule would go on branching.
    """

    calls: float
    capacity: int = 1024

    async def generate(
        self, prefix_token_ids: Sequence[int], sampling: Sampling, *, tree: str = "", on_head: Head | None = None
    ) -> Generation:
        """A turn: one more call, or the answer."""
        del tree
        prefix = Letters().decode(prefix_token_ids)
        depth = prefix.count("[")
        says = f"{keys.digest(*sampling.key, 'says') % 10**6:06d}"
        ends = depth > 0 and keys.uniform(*sampling.key, "ends") < 1 / self.calls
        text = THOUGHT + (f"<answer>{says}</answer>" if ends else f"<look>{says}</look>")
        family = (prefix + text).partition("</")[0]
        entropy = 1 + 0.2 * (depth > 0) * _normal("family", family) + 0.2 * _normal("turn", *sampling.key)
        entropies = (max(0.0, entropy),) * len(text)
        await asyncio.sleep(0)
        if on_head is not None:
            unit = math.log(VOCABULARY) if sampling.statistic == "official" else 1.0
            on_head([value / unit for value in entropies[: sampling.head_tokens]])
        return Generation(Letters().encode(text), (-1.0,) * len(text), entropies, "stop")

    async def restore(self, tree: str, runs: Sequence[tuple[int, ...]]) -> None:
        """Nothing is cached."""

    def release(self, tree: str) -> None:
        """Nothing is cached."""


def _normal(*key: str | int) -> float:
    return statistics.NormalDist().inv_cdf(max(keys.uniform(*key), 1e-12))


class Look:
    """The tool; it says how often it was called."""

    name = "look"
    description = "Says how often it was called."
    parameters = text_parameter("what", "anything")

    async def call(self, arguments: str, context: ToolContext) -> Observation:
        """Answer a call."""
        del arguments
        return Observation(str(len(context.history)))


class Simulation:
    """Nothing to be right about: only the shape of trees is looked at."""

    name = "simulation"
    protocol = TagProtocol({"look": Look()}, result="[{}]")
    max_tool_calls = 60
    tool_bonus = False
    blocks = False
    tools = {"look": Look()}  # noqa: RUF012

    def score(self, prompt: Prompt, trajectory: Trajectory) -> Score:
        """Everyone is right."""
        del prompt, trajectory
        return Score.of(1.0)


def simulate(arguments: argparse.Namespace) -> None:
    """Grow batches of simulated trees."""
    prompts = [Prompt(f"p{index}", "?", ()) for index in range(8 if arguments.quick else 64)]
    for world, calls in WORLDS.items():
        report(world, [{name: _simulated(calls, name, prompts, seed) for name in RULES} for seed in _seeds(arguments)])


def _simulated(calls: float, name: str, prompts: list[Prompt], seed: int) -> Explored:
    method, changes = RULES[name]
    rule = Exploration(**(METHODS[method].exploration.model_dump() | changes | {"k": K}))
    sampling = Sampling(
        key=(),
        max_tokens=200,
        head_tokens=rule.entropy_tokens,
        statistic=rule.statistic,
    )
    task = Task(SimulatedEngine(calls), Letters(), Simulation(), rule, sampling, context=10_000)  # type: ignore[arg-type]

    async def batch() -> Explored:
        firsts = await pre_monitor(task, prompts, seed=seed, step=0)
        plan = make_plan(0, [prompt.id for prompt in prompts], firsts, rule, Regulariser(), seed=seed)
        return await rollout(task, task, prompts, plan, seed=seed), plan

    return asyncio.run(batch())


# -- lookup ---------------------------------------------------------------------------------------------------


def look_up(arguments: argparse.Namespace) -> None:
    """Grow batches with policies that the existing stages have warm-started, one per seed."""
    with tempfile.TemporaryDirectory() as folder:
        report("lookup", [_looked_up(Path(folder) / str(seed), seed, arguments) for seed in _seeds(arguments)])


def _looked_up(folder: Path, seed: int, arguments: argparse.Namespace) -> dict[str, Explored]:
    from aepo.config import load_config
    from aepo.stages.policies import open_policy
    from aepo.stages.prepare import prepare
    from aepo.stages.session import Session
    from aepo.stages.warm_start import warm_start
    from aepo.stages.workplace import read_prompts, store_of
    from aepo.training.model_folder import load_policy

    def configured(name: str) -> Any:
        method, changes = RULES[name]
        warm = ["warm_start.steps=150"] if arguments.quick else ["warm_start.steps=400", "environment.hops=mixed"]
        settings = [f"seed={seed}", f"method={method}", f"storage.root={folder}", *warm]
        explored = [f"exploration.{field}={value}" for field, value in (changes | {"k": K}).items()]
        return load_config("tiny", [*settings, *explored])

    config = configured(OURS)
    prepare(config, output=folder / "prompts")
    warm_start(config, prompts=folder / "prompts", output=folder / "start")
    prompts = read_prompts(folder / "prompts", "train")[: 8 if arguments.quick else 32]
    start = load_policy(open_policy(folder / "start", store_of(config)).folder)
    found = {}
    for name in RULES:
        session = Session(configured(name), *start)
        plan = session.plan(prompts, 0, Scales(), None)
        found[name] = session.rollout(prompts, plan), plan
    return found


# -- what was found -------------------------------------------------------------------------------------------


def describe(trees: Sequence[RolloutTree], plan: BatchPlan) -> dict[str, float]:
    """What one seed's trees say of a rule."""
    metrics = tree_metrics(trees)
    depths = sum((tree.branches_by_depth() for tree in trees), Counter[int]())
    families = {row.prompt_id: row.m for row in plan.prompts}
    evenly = [share for tree in trees if (share := _spread(tree, families[tree.prompt_id])) is not None]
    shares = {f"depth {depth}": depths[depth] / max(1, depths.total()) for depth in range(1, DEEPEST)}
    return {
        "three families": metrics.get("top_families", math.nan),
        "if spread evenly": statistics.fmean(evenly) if evenly else math.nan,
        "branched trajectories": metrics["branched_trajectories"],
        "m": plan_metrics(plan)["global_rollouts"],
        "branches": metrics["branches"] * K,
        "tool calls": metrics["tool_calls"],
        **shares,
        f"depth {DEEPEST}+": 1 - sum(shares.values()),
    }


def _spread(tree: RolloutTree, families: int) -> float | None:
    """What the three largest of so many families would hold of a tree's branches if these were spread evenly."""
    branches = tree.branches_by_depth().total()
    each, more = divmod(branches, families)
    return sum(each + (family < more) for family in range(min(families, TOP_FAMILIES))) / branches if branches else None


def report(world: str, by_seed: Sequence[dict[str, Explored]]) -> None:
    """Print what every rule gave in every seed, then means with standard errors and paired differences to ours."""
    seeds = [{name: describe(*explored) for name, explored in rules.items()} for rules in by_seed]
    for seed, rules in enumerate(seeds):
        for name, row in rules.items():
            print(json.dumps({"seed": seed, "world": world, "rule": name} | _rounded(row)))
    rows = {}
    for name in RULES:
        values = {metric: _over([rules[name][metric] for rules in seeds]) for metric in seeds[0][name]}
        difference = {
            metric: _over([rules[name][metric] - rules[OURS][metric] for rules in seeds])
            for metric in ("three families", "branched trajectories")
        }
        rows[name] = values
        line = {"name": f"branching, {world}, {name}", "value": values, "unit": "mean over seeds"}
        print(json.dumps(line | {"minus_ours": difference, "seeds": len(seeds)}), flush=True)
    print("\n".join(_table(world, rows)), file=sys.stderr)


def _over(values: Sequence[float]) -> dict[str, float]:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return _rounded({"mean": statistics.fmean(values), "error": error})


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


def _table(world: str, rows: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    metrics = list(rows[OURS])
    yield f"\n| {world} | {' | '.join(metrics)} |"
    yield "|---" * (len(metrics) + 1) + "|"
    for name, row in rows.items():
        cells = (f"{row[metric]['mean']:.3f} ± {row[metric]['error']:.3f}" for metric in metrics)
        yield f"| {name} | {' | '.join(cells)} |"


def _seeds(arguments: argparse.Namespace) -> range:
    return range(2 if arguments.quick else arguments.seeds)


PARTS = {"simulated": simulate, "lookup": look_up}


def main() -> None:
    """Measure the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    for part in arguments.parts:
        PARTS[part](arguments)


if __name__ == "__main__":
    main()
