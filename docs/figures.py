"""Draws the figures of the documentation: `make figures`.

surrogates.svg is the coefficient c of dL/dlogπ = −A·c against the ratio r, for every surrogate. autograd takes it
from the functions that train, so the figure cannot say anything else than they do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from aepo.algorithms.objective import surrogate_loss
from aepo.algorithms.parts import Surrogate

TARGET = Path(__file__).parent / "images" / "surrogates.svg"

SAMPLES = 201
LOWEST, HIGHEST = 0.4, 7.0
TOP = 5.5
JUMP = 0.1
"""A difference of c between neighbouring samples that is a jump of the function, not its slope."""
X_TICKS = (0.5, 0.8, 1, 1.2, 2, 3, 5)
Y_TICKS = (0, 0.8, 1.2, 2, 3, 4, 5)


@dataclass(frozen=True)
class Curve:
    """A surrogate in the figure: its name, its settings, and its pen. Later ones are drawn upon earlier ones."""

    name: str
    settings: Surrogate
    pen: str


CURVES = (
    Curve("ppo_clip", Surrogate(function="ppo_clip"), "ppo"),
    Curve("entropy_balanced_clip", Surrogate(function="entropy_balanced_clip"), "balanced"),
    Curve("gppo", Surrogate(function="gppo"), "gppo"),
    Curve("cispo one-sided, cap 5", Surrogate(function="cispo"), "cispo"),
    Curve("cispo both-sided, .8 to 1.2", Surrogate(function="cispo", floor=0.8, cap=1.2), "both"),
)

STYLE = """\
svg { --paper: #fcfcfb; --ink: #1a1e24; --soft: #59616c; --hair: #dcdfde;
  --c1: #a3abb5; --c2: #0a63ad; --c3: #f0a030; --c4: #93489b; --c5: #00a383; }
@media (prefers-color-scheme: dark) { svg { --paper: #14171b; --ink: #e8eaec; --soft: #a5adb7; --hair: #2d333a;
  --c1: #69737f; --c2: #6db1f0; --c3: #b4660f; --c4: #d9a3de; --c5: #41c3a3; } }
text { font: 13px -apple-system, "Segoe UI", Inter, Roboto, Arial, sans-serif; fill: var(--soft); }
.title { font-weight: 600; font-size: 15px; fill: var(--ink); }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--hair); } .curve { fill: none; stroke-linejoin: round; }
.ppo { stroke: var(--c1); stroke-width: 11; } .balanced { stroke: var(--c2); stroke-width: 6.5; }
.gppo { stroke: var(--c3); stroke-width: 2.5; } .cispo { stroke: var(--c4); stroke-width: 2; stroke-dasharray: 9 5; }
.both { stroke: var(--c5); stroke-width: 5; stroke-dasharray: 0 9; stroke-linecap: round; }
"""


@dataclass(frozen=True)
class Panel:
    """One half of the figure: what it is for, the sign of A, and where its axes begin (pixels)."""

    title: str
    advantage: float
    left: float
    width: float = 372
    top: float = 44
    height: float = 300

    def x(self, ratio: float) -> float:
        """Pixels of a ratio, on a logarithmic axis."""
        return self.left + self.width * math.log(ratio / LOWEST) / math.log(HIGHEST / LOWEST)

    def y(self, coefficient: float) -> float:
        """Pixels of a coefficient."""
        return self.top + self.height * (1 - coefficient / TOP)


PANELS = (Panel("A > 0: a token of a good trajectory", 1.0, 52), Panel("A < 0: a token of a bad one", -1.0, 484))


def main() -> None:
    """Write the figures."""
    TARGET.write_text(surrogates(), encoding="utf-8")


def coefficients(settings: Surrogate, ratios: Tensor, advantage: float) -> Tensor:
    """The coefficient c of dL/dlogπ = −A·c at each ratio."""
    logprobs = ratios.log().requires_grad_()
    loss = surrogate_loss(settings, logprobs, torch.zeros_like(ratios), torch.full_like(ratios, advantage))
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    return -gradient / advantage


def surrogates() -> str:
    """The figure as SVG."""
    lines = [line for panel in PANELS for line in _panel(panel)] + list(_legend())
    words = "Gradient coefficient c against the ratio r for " + "; ".join(curve.name for curve in CURVES)
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 468" role="img">',
            f"<title>{escape(words)}</title>",
            f"<style>\n{STYLE}</style>",
            '<rect width="880" height="468" style="fill: var(--paper)"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel) -> Iterator[str]:
    bottom, right = panel.top + panel.height, panel.left + panel.width
    yield _text(panel.left, 24, panel.title, "title")
    for tick in X_TICKS:
        yield f'<path class="grid" d="M{panel.x(tick):.1f} {panel.top}V{bottom}"/>'
        yield _text(panel.x(tick), bottom + 24, f"{tick:g}", "middle")
    for tick in Y_TICKS:
        yield f'<path class="grid" d="M{panel.left} {panel.y(tick):.1f}H{right}"/>'
        yield _text(panel.left - 9, panel.y(tick) + 4.5, f"{tick:g}", "end")
    yield _text(right, bottom + 44, "ratio r", "end")
    yield _text(panel.left - 9, panel.top - 2, "c", "end")
    ratios = torch.logspace(math.log10(LOWEST), math.log10(HIGHEST), SAMPLES, dtype=torch.float64)
    for curve in CURVES:
        values = coefficients(curve.settings, ratios, panel.advantage).tolist()
        yield f'<path class="curve {curve.pen}" d="{_path(panel, ratios.tolist(), values)}"/>'


def _path(panel: Panel, ratios: Sequence[float], values: Sequence[float]) -> str:
    """A line that is interrupted where the function jumps."""
    parts, before = [], math.inf
    for ratio, value in zip(ratios, values, strict=True):
        parts.append(f"{'M' if abs(value - before) > JUMP else 'L'}{panel.x(ratio):.1f} {panel.y(value):.1f}")
        before = value
    return "".join(parts)


def _legend() -> Iterator[str]:
    for index, curve in enumerate(CURVES):
        x, y = PANELS[0].left + 275 * (index % 3), 418 + 28 * (index // 3)
        yield f'<path class="curve {curve.pen}" d="M{x} {y}h36"/>'
        yield _text(x + 46, y + 4.5, curve.name)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
