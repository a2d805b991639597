"""The page: complete, self-contained, sober with nothing to show, and safe from what it shows."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import re

import pytest
from page_reader import Element, read
from report_samples import history, lookup_tree, report, word

from aepo.evaluation.statistics import Interval
from aepo.report import AccuracyRow, render
from aepo.trajectories import Leaf, RolloutTree, Segment

HOSTILE = "</title></style></pre><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;{{ 7 * 7 }}\u202e\x00"
QUIET = {"history": [], "accuracy": [], "trees": [], "reasons": [], "facts": {}}


def headings(page: Element) -> list[str]:
    return [element.text for element in page.all("h2")]


def drawn_keys(page: Element) -> list[str]:
    return [e.attributes["data-key"] for e in page.all("span") if "data-key" in e.attributes]


def hostile_page() -> str:
    tree = RolloutTree(
        HOSTILE,
        (Segment(0, None, "prompt", (0,)), Segment(1, 0, "policy", (1,), (-0.1,), (0.3,)), Segment(2, 1, "tool", (2,))),
        (Leaf(2, 1.0, HOSTILE, HOSTILE),),
    )
    row = AccuracyRow(HOSTILE, HOSTILE, Interval(0.5, 0.4, 0.6), None, 5, 10, 5, 0)
    text = dict.fromkeys(("title", "run", "method", "method_title", "verdict", "decision", "config_yaml"), HOSTILE)
    return render(
        report(
            **text,
            facts={HOSTILE: HOSTILE},
            reasons=[HOSTILE],
            accuracy=[row, dataclasses.replace(row, policy="candidate")],
            trees=[tree],
            token_text=lambda _: HOSTILE,
            history=[{"step": 0.0, "entropy": 0.3, HOSTILE: 1.0}],
        )
    )


def test_hostile_text_stays_text() -> None:
    page = read(hostile_page())
    assert len(page.all("script")) == 1
    assert len(page.all("style")) == 1
    assert not page.all("img")
    assert all(not name.startswith("on") for element in page.all() for name in element.attributes)
    assert HOSTILE.removesuffix("\u202e\x00") in page.text
    assert "49" not in page.all("h1")[0].text


def test_hostile_text_reaches_every_place_it_belongs_to() -> None:
    page = read(hostile_page())
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x00", "\\u0000")
    for place in ("title", "h1", "dt", "dd", "li"):
        assert any(shown in element.text for element in page.all(place)), place
    for cls in ("badge", "verdict", "policy", "group", "outcome", "chart"):
        assert any(shown in element.text for element in page.all(cls=cls)), cls


def test_characters_that_reorder_or_hide_text_are_written_out() -> None:
    html = hostile_page().split("<pre>")[0]
    assert "\u202e" not in html
    assert "\x00" not in html


def test_page_needs_nothing_from_outside_and_allows_only_its_own_script() -> None:
    html = render(report())
    page = read(html)
    links = {"src", "href", "action", "data", "srcset", "xlink:href"}
    assert not [e.tag for e in page.all() if links & set(e.attributes)]
    assert not re.search(r"url\(|@import|localStorage|sessionStorage|document\.cookie|indexedDB|fetch\(", html)
    policy = next(e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    digest = base64.b64encode(hashlib.sha256(page.all("script")[0].text.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_sections_come_in_the_promised_order() -> None:
    assert headings(read(render(report()))) == [
        "Learning",
        "Entropy",
        "Exploration",
        "Decisions",
        "Optimisation health",
        "Evaluation",
        "Rollout trees",
        "Time and tokens",
        "Configuration",
    ]


def test_every_series_of_the_history_appears_once_even_an_unknown_one() -> None:
    rows = [{**row, "something_new": 1.5} for row in history(6)]
    keys = drawn_keys(read(render(report(history=rows))))
    assert sorted(keys) == sorted(set(rows[0]) - {"step", "staged"})


def test_staged_steps_are_marked_only_where_they_are_the_exception() -> None:
    assert len(read(render(report(history=history(40, staged_every=20)))).all("path", "staged"))
    assert not read(render(report(history=history(40, staged_every=1)))).all("path", "staged")


@pytest.mark.parametrize("gone", ["accuracy", "kl", "p_ask_again", "entropy", "seconds_rollout"])
def test_missing_series_leaves_no_empty_chart(gone: str) -> None:
    rows = history(6)
    for index, row in enumerate(rows):
        if index % 2:
            del row[gone]
        else:
            row[gone] = math.nan
    page = read(render(report(history=rows)))
    assert gone not in drawn_keys(page)
    for chart in page.all("figure"):
        assert chart.all("path", "line") or chart.all("path", "dots")
        assert chart.all("span", "ytick")


def test_sections_without_any_measurement_are_left_out() -> None:
    rows = [{"step": 0.0, "entropy": 0.3}, {"step": 1.0, "entropy": 0.2}]
    assert headings(read(render(report(**{**QUIET, "history": rows}, difference=None, config_yaml="")))) == ["Entropy"]


def figures(**changes):
    """Title of a chart → its text."""
    return {figure.all("h3")[0].text: figure.text for figure in read(render(report(**changes))).all("figure")}


@pytest.mark.parametrize(
    ("statistic", "title", "unit"),
    [
        ("exact", "Policy entropy nats", "nats"),
        ("official", "What branches are decided by", ""),
        ("lower bound", "Entropy as explored nats", "nats"),
    ],
)
def test_what_is_no_entropy_in_nats_is_drawn_apart(statistic, title, unit) -> None:
    found = figures(statistic=statistic)
    assert [name for name, text in found.items() if "first turn" in text and "Scales" not in name] == [title]
    (scales,) = (name for name in found if name.startswith("Scales of the budget"))
    assert scales.removeprefix("Scales of the budget").strip() == unit


def test_bounds_and_target_are_drawn_in_the_entropy_chart() -> None:
    chart = next(c for c in read(render(report())).all("figure") if c.all("h3")[0].text.startswith("Policy entropy"))
    assert [e.text for e in chart.all("span", "rulename")] == ["collapse floor", "explosion bound", "target"]
    without = render(report(target_entropy=None, explosion_bound=math.inf))
    assert [e.text for e in read(without).all("span", "rulename")] == ["collapse floor"]


def test_page_with_nothing_to_show_says_so() -> None:
    page = read(render(report(**QUIET, difference=None, verdict="", decision="", config_yaml="")))
    assert page.all("span", "badge")[0].text == "• No decision"
    assert "Nothing was evaluated" in page.all("p", "verdict")[0].text
    assert "No step was recorded" in page.text
    assert not page.all("figure")


@pytest.mark.parametrize("steps", [1, 2, 3, 500])
def test_any_number_of_steps_renders(steps: int) -> None:
    page = read(render(report(history=history(steps))))
    assert page.all("figure")
    assert "nan" not in page.text.lower().split("configuration")[0]


def test_not_a_number_never_reaches_the_page() -> None:
    rows = [dict.fromkeys(history(1)[0], math.nan), dict.fromkeys(history(1)[0], math.inf)]
    nothing = Interval(math.nan, math.nan, math.nan)
    row = AccuracyRow("candidate", "heldout", nothing, nothing, 5, 0, 5, 0)
    html = render(report(history=rows, accuracy=[row], difference=nothing, target_entropy=math.nan))
    assert not re.search(r"\bnan\b|\binf\b", read(html).all("main")[0].text.lower())
    assert not re.search(r'(d|style)="[^"]*(nan|inf)', html)


def test_same_data_gives_the_same_bytes() -> None:
    assert render(report()) == render(report())


def test_page_stays_small_for_long_runs_and_large_trees() -> None:
    assert len(render(report()).encode()) < 250_000
    count = 4000
    segments = [Segment(0, None, "prompt", tuple(range(20)))]
    for _ in range(8):
        entropies = tuple(0.1 * (index % 13) for index in range(count))
        ids = tuple(index % 20 for index in range(count))
        segments.append(Segment(len(segments), 0, "policy", ids, entropies, entropies))
    tree = RolloutTree("big", tuple(segments), tuple(Leaf(i, 1.0, "right", "stop") for i in range(1, 9)))
    html = render(report(history=history(3000), trees=[tree] * 3))
    assert len(html.encode()) < 500_000
    assert "tokens not shown" in html


def test_badge_follows_the_decision() -> None:
    badges = {"promote": "good ✓ Promote", "keep": "bad ✕ Not promoted", "wait": "neutral • Wait"}
    for decision, expected in badges.items():
        badge = read(render(report(decision=decision))).all("span", "badge")[0]
        assert f"{badge.classes[-1]} {badge.text}" == expected


def test_verdict_in_plain_words() -> None:
    text = read(render(report())).all("p", "verdict")[0].text
    assert "82.1% right at the first try, against 37.4% before" in text
    assert "44.7 points above the warm start (95% interval +41.8 to +47.6)" in text
    assert "healthy" in text
    worse = read(render(report(difference=Interval(-0.02, -0.03, -0.01), verdict="collapsed"))).all("p", "verdict")[0]
    assert "2.0 points below" in worse.text
    assert "collapsed" in worse.text
    equal = read(render(report(difference=Interval(0.0, -0.01, 0.01)))).all("p", "verdict")[0]
    assert "level with the warm start" in equal.text


def test_accuracy_table_has_a_drawn_interval_per_row() -> None:
    data = report()
    page = read(render(data))
    rows = [e for e in page.all("div", "row") if e.all("span", "policy")]
    assert len(rows) == len(data.accuracy)
    for element, row in zip(rows, data.accuracy, strict=True):
        assert row.policy in element.text
        assert f"{100 * row.pass_at_1.mean:.1f}%" in element.text
        bar = element.all("s")[0].attributes["style"]
        left, width = (float(value) for value in re.findall(r"[\d.]+(?=%)", bar))
        assert 0 <= left <= left + width <= 100
        assert width > 0


def test_time_split_adds_up() -> None:
    rows = [{"step": float(i), "seconds_rollout": 30.0, "seconds_train": 90.0} for i in range(4)]
    split = read(render(report(history=rows))).all("div", "split")[0]
    assert "rollout 2 min, 25%" in split.text
    assert "training 6 min, 75%" in split.text


def test_token_text_of_the_sample_is_shown() -> None:
    tree = lookup_tree()
    page = read(render(report(trees=[tree])))
    shown = [element.text for element in page.all("b", "t")]
    assert sorted(shown) == sorted(word(token) for segment in tree.segments for token in segment.token_ids)


def test_tools_have_a_section_with_a_curve_each() -> None:
    numbers = {"calls": 5.0, "failures": 0.0, "seconds_p50": 0.1, "cache_hits": 1.0, "outcome_ok": 5.0}
    rows = [
        {"step": float(step)} | {f"tool_{tool}_{key}": n for tool in ("python", "search") for key, n in numbers.items()}
        for step in range(3)
    ]
    found = figures(history=rows)
    assert all(tool in found["Calls of tools"] for tool in ("python", "search"))
    assert {"Median time of a call s", "Calls that failed", "Answers from the cache"} <= set(found)
    assert not [title for title in found if title.startswith("tool_")]
    assert "Calls of tools" not in figures()
