"""What the figures are held against: for each a bar that must hold and an aim beyond it."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.table import number, render

from .report import summary


@dataclass(frozen=True)
class Bar:
    what: str
    row: str       # Its key, and
    figure: str    # the name of the figure in the JSON.
    bar: float     # At most.
    aim: float
    factor: float = 1  # From the figure to the unit of the bar.
    unit: str = ""


BARS = (
    Bar("W1 last host / bound, nobody reads", "W1", "over_bound", 1.20, 1.10),
    Bar("W1 last host / bound, clients read", "W1 read", "over_bound", 1.20, 1.10),
    Bar("W1 half in order / bound, clients read", "W1 read", "half_over_bound", 0.70, 0.62),
    Bar("W3 layers / bound", "W3", "over_bound", 1.30, 1.15),
    Bar("W4 10 KB from a peer, median", "W4 10 KB", "p50_s", 50, 10, 1000, "ms"),
    Bar("W7 survivors / bound", "W7", "over_bound", 1.6, 1.4),
    Bar("W7 failed pulls", "W7", "failed_pulls", 0, 0),
    Bar("W8 duplicate and wrong bytes, a liar", "W8 liar", "duplicate_share", 1, 0.3, 100, "%"),
    Bar("W8 hosts that did not bar the liar", "W8 liar", "liar_not_barred_by", 0, 0),
    Bar("W9 foreground pull slowed by", "W9", "slowed", 10, 5, 100, "%"),
    Bar("W1 largest resident memory", "W1 read", "peak_rss_mb", 150, 100, 1, "MB"),
)


def judge(rows: Mapping[str, dict]) -> list[dict]:
    """Each bar with what was measured, the median of the repetitions; "measured" is None where
    that did not run."""
    judged = []
    for bar in BARS:
        of = summary(rows[bar.row]["rounds"], bar.figure) if bar.row in rows else None
        value = of["median"] * bar.factor if of else None
        met = None if value is None else (
            "aim" if value <= bar.aim else "bar" if value <= bar.bar else "no")
        judged.append({"what": bar.what, "measured": value, "bar": bar.bar, "aim": bar.aim,
                       "unit": bar.unit, "met": met})
    return judged


def table(judged: list[dict]) -> str:
    return render(["", "measured", "bar", "aim", "met"], [
        [f"{one['what']}{', ' if one['unit'] else ''}{one['unit']}", number(one["measured"]),
         f"{one['bar']:g}", f"{one['aim']:g}", one["met"]]
        for one in judged if one["measured"] is not None])
