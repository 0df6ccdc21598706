"""Draws a run's JSON: `.venv-bench/bin/python -m bench.plot RESULTS.json PLOT.png`."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

OURS_COLOR, OTHER_COLOR = "#1f5fa8", "#a9b4c0"


def draw(results: dict[str, Any], to: Path) -> None:
    """Draws the rates on a logarithmic scale with their spread, and the times from sent to counted."""
    figure, axes = pyplot.subplots(1, 2, figsize=(13, 4.2), width_ratios=(3, 2), layout="constrained")
    _draw_rates(axes[0], results["titles"], results["rates"])
    _draw_freshness(axes[1], results["freshness"])
    figure.savefig(to, dpi=130)


def _draw_rates(axes: Axes, titles: dict[str, str], rates: dict[str, dict[str, float]]) -> None:
    names = sorted(rates, key=lambda name: rates[name]["median"])
    for row, name in enumerate(names):
        rate = rates[name]
        color = OURS_COLOR if name in ("aggregator", "refold") else OTHER_COLOR
        below, above = rate["median"] - rate["min"], rate["max"] - rate["median"]
        axes.barh(row, rate["median"], color=color, xerr=[[below], [above]], capsize=3)
        axes.text(rate["max"] * 1.15, row, f"{rate['median']:,.0f}", va="center")
    axes.set_xscale("log")
    axes.set_xlim(right=4 * max([1.0, *(rate["max"] for rate in rates.values())]))
    axes.set_yticks(range(len(names)), [titles[name] for name in names])
    axes.set_title("Events per second (median; whiskers: least and most)", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_freshness(axes: Axes, freshness: list[dict[str, float]]) -> None:
    marks = (("p50_ms", "p50", -0.27), ("p99_ms", "p99", 0.0), ("max_ms", "max", 0.27))
    for shade, (field, label, shift) in zip(("#9cc3ea", OURS_COLOR, "#12355c"), marks, strict=True):
        places = [row + shift for row in range(len(freshness))]
        bars = axes.bar(places, [each[field] for each in freshness], width=0.25, color=shade, label=label)
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    labels = [f"{each['rate']:,.0f}/s\n{100 * each['core_share']:.0f} % of a core" for each in freshness]
    axes.set_xticks(range(len(freshness)), labels)
    axes.set_title("Milliseconds from sent to counted", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    if freshness:
        axes.legend(frameon=False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
