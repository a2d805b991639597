"""Which measurements are drawn together, in which section, in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aepo.report.charts import Chart, Curve, Panel, Rule, draw
from aepo.report.data import ReportData
from aepo.report.numbers import finite
from aepo.report.timeline import Timeline

INTERNAL = {"step", "staged"}
"""Keys that place a row instead of measuring something."""


@dataclass(frozen=True)
class Section:
    """Charts under one heading: `charts` in full size, then `details` as small multiples."""

    title: str
    lead: str
    charts: tuple[Chart, ...]
    details: tuple[Chart, ...] = ()


LEARNING = (
    Panel("Accuracy in training", (Curve("accuracy"),), unit="%", include=(0.0, 1.0), fixed=True),
    Panel("Mean reward", (Curve("reward"),)),
)

ENTROPY_DETAIL = (
    Panel("Auxiliary temperature", (Curve("temperature"),), include=(1.0,), trend=False),
    Panel("Auxiliary samples", (Curve("auxiliary", "drawn", "c1"), Curve("positives", "positive", "c3"))),
    Panel("Weight of the entropy bonus", (Curve("entropy_coefficient"),), include=(0.0,), trend=False),
)

EXPLORATION = (
    Panel(
        "Branches per trajectory",
        (Curve("branches"),),
        note="Extra continuations grown after tool results.",
    ),
    Panel(
        "Branches by depth",
        tuple(Curve(f"branches_depth_{depth}", f"depth {depth}", f"s{depth}") for depth in range(1, 5)),
        note="Depth: tool results before the branch. Stacked.",
        stacked=True,
    ),
)

EXPLORATION_DETAIL = (
    Panel("Starts per prompt, m", (Curve("global_rollouts"),)),
    Panel("Tool calls per trajectory", (Curve("tool_calls"),)),
    Panel("Malformed tool calls", (Curve("malformed"),), unit="%"),
    Panel(
        "Trajectories per step",
        (Curve("trajectories", "all", "c1"), Curve("unscored", "unscored", "c2")),
    ),
    Panel(
        "Share of the three busiest families",
        (Curve("top_families"),),
        unit="%",
        note="Branches that go back to three of a prompt's roots.",
        include=(0.0, 1.0),
    ),
    Panel("Trajectories that branch, per prompt", (Curve("branched_trajectories"),)),
    Panel("Prompts learned from", (Curve("prompts_kept"),), note="Those whose rewards differ.", include=(0.0,)),
)

DECISIONS = (
    Panel(
        "Entropy by decision",
        (
            Curve("entropy_source", "which source", "c1"),
            Curve("entropy_ask_again", "ask again", "c2"),
            Curve("entropy_candidate", "which candidate", "c3"),
            Curve("entropy_calculate", "calculate or guess", "c4"),
        ),
        unit="nats",
        note="Both sources are equally good, so a high entropy there is health, not error.",
    ),
    Panel(
        "P(ask again | aged)",
        (Curve("p_ask_again"),),
        unit="%",
        note="How often an aged result is asked for again; a good policy always does.",
        include=(0.0, 1.0),
        fixed=True,
    ),
)

OPTIMISATION = (
    Panel("Gradient norm", (Curve("grad_norm"),)),
    Panel(
        "Clipped tokens",
        (Curve("clipped_high", "above", "c1"), Curve("clipped_low", "below", "c2")),
        unit="%",
    ),
    Panel("KL to the sampling policy", (Curve("kl"),), unit="nats"),
    Panel("KL to the first policy", (Curve("kl_first"),), unit="nats"),
    Panel("Importance ratio, mean", (Curve("importance"),), include=(1.0,)),
    Panel("Loss", (Curve("loss"),)),
    Panel("Learning rate", (Curve("learning_rate"),), trend=False),
    Panel("Skipped updates", (Curve("skipped"),), note="Their gradient was not finite.", trend=False),
)

COST = (
    Panel(
        "Time per step",
        (Curve("seconds_rollout", "rollout", "c1"), Curve("seconds_train", "training", "c5")),
        unit="s",
        stacked=True,
    ),
    Panel(
        "Tokens per step",
        (Curve("sampled_tokens", "sampled", "c1"), Curve("trained_tokens", "trained", "c5")),
    ),
)


FIRST_TURN = Curve("root_entropy", "first turn", "c3")
AFTER_TOOLS = Curve("tool_entropy", "after tools", "c2")
BOUNDS = (Curve("entropy_lower", "all tokens, at least", "c4"), Curve("entropy_upper", "all tokens, at most", "c5"))


def explored_panels(data: ReportData) -> tuple[Panel, ...]:
    """What exploration decided by, apart from the policy's entropy where the two are no numbers to compare."""
    turns = (FIRST_TURN, AFTER_TOOLS)
    if data.statistic == "official":
        note = "The published code's sum over the first tokens of a turn, divided by log |V|; no nats."
        return (Panel("What branches are decided by", turns, note=note),)
    if data.statistic == "lower bound":
        note = "What the most likely tokens tell: the entropy is at least this, and decisions go by it."
        return (Panel("Entropy as explored", (*turns, *BOUNDS), unit="nats", note=note),)
    return ()


def scales_panel(data: ReportData) -> Panel:
    """By what differences of H are divided."""
    return Panel(
        "Scales of the budget",
        (Curve("scale_root", "first turn", "c3"), Curve("scale_tool", "after tools", "c2")),
        unit="" if data.statistic == "official" else "nats",
    )


def entropy_panel(data: ReportData) -> Panel:
    """The entropy curve with everything it is judged by."""
    rules = [
        Rule(data.collapse_floor, "collapse floor", "below"),
        Rule(data.explosion_bound, "explosion bound", "above"),
    ]
    if finite(data.target_entropy) is not None:
        rules.append(Rule(float(data.target_entropy or 0.0), "target", ""))
    return Panel(
        "Policy entropy",
        (
            Curve("entropy", "all tokens", "c1"),
            *((FIRST_TURN, AFTER_TOOLS) if data.statistic == "exact" else ()),
        ),
        unit="nats",
        rules=tuple(rules),
    )


TOOL = re.compile(r"tool_(\w+)_seconds_p50")
COLOURS = ("c1", "c2", "c3", "c4", "c5")


def tool_panels(time: Timeline) -> tuple[Panel, ...]:
    """What calls of tools came to, a curve per tool."""
    tools = sorted({found[1] for row in time.rows for key in row if (found := TOOL.fullmatch(key))})

    def curves(number: str) -> tuple[Curve, ...]:
        return tuple(Curve(f"tool_{tool}_{number}", tool, COLOURS[at % 5]) for at, tool in enumerate(tools))

    return (
        Panel("Calls of tools", curves("calls")),
        Panel("Median time of a call", curves("seconds_p50"), unit="s"),
        Panel("Calls that failed", curves("failures"), note="No fault of the policy's: not learned from."),
        Panel("Answers from the cache", curves("cache_hits")),
    )


def before_accuracy(data: ReportData, time: Timeline) -> list[Section]:
    """Sections that stand before the evaluation."""
    known = {curve.key for panel in _all_panels(data) for curve in panel.curves} | INTERNAL
    extra = dict.fromkeys(key for row in time.rows for key in row if key not in known and not key.startswith("tool_"))
    others = tuple(Panel(key, (Curve(key),)) for key in extra)
    sections = (
        _section(
            time,
            "Learning",
            "Measured on the rollouts of each step, before the policy learns from them.",
            LEARNING,
        ),
        _section(
            time,
            "Entropy",
            "How undecided the policy is. Too little and it stops exploring, too much and it forgets.",
            (entropy_panel(data), *explored_panels(data)),
            (scales_panel(data), *ENTROPY_DETAIL),
        ),
        _section(
            time,
            "Exploration",
            "How rollouts are spent: on fresh starts, and on branches where a tool's answer surprises.",
            EXPLORATION,
            EXPLORATION_DETAIL,
        ),
        _section(time, "Decisions", "What the policy is undecided about.", DECISIONS),
        _section(time, "Tools", "What the policy called, and what came of it.", tool_panels(time)),
        _section(time, "Optimisation health", "Spikes and drifts here come before trouble above.", (), OPTIMISATION),
        _section(time, "Other measurements", "", (), others),
    )
    return [section for section in sections if section]


def cost(time: Timeline) -> Section | None:
    """Where time and tokens went."""
    return _section(time, "Time and tokens", "What a step costs, and what it yields.", COST)


def _all_panels(data: ReportData) -> list[Panel]:
    small = (ENTROPY_DETAIL, EXPLORATION_DETAIL, OPTIMISATION)
    entropy = (entropy_panel(data), *explored_panels(data), scales_panel(data))
    groups = (LEARNING, entropy, EXPLORATION, DECISIONS, COST, *small)
    return [panel for group in groups for panel in group]


def _section(
    time: Timeline, title: str, lead: str, panels: Sequence[Panel], details: Sequence[Panel] = ()
) -> Section | None:
    """The section with the charts of which something was measured; None when that is none."""
    charts = tuple(chart for panel in panels if (chart := draw(panel, time)))
    small = tuple(chart for panel in details if (chart := draw(panel, time, 2)))
    return Section(title, lead, charts, small) if charts or small else None
