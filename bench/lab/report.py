"""The figures for people: a table of the rows, medians over the repetitions with least and most."""

import statistics
from collections.abc import Mapping, Sequence

from kit.table import number, render

# Name in the JSON, heading, factor.
COLUMNS = (
    ("bound_s", "bound s", 1),
    ("p50_s", "p50 s", 1),
    ("p99_s", "p99 s", 1),
    ("max_s", "max s", 1),
    ("over_bound", "max /bound", 1),
    ("half_over_bound", "half /bound", 1),
    ("first_byte_s", "1st byte ms", 1000),
    ("seed_copies_wire", "seed copies", 1),
    ("duplicate_share", "dup. %", 100),
    ("upload_skew", "skew", 1),
    ("cpu_s_per_gib", "CPU-s/GiB", 1),
    ("peak_rss_mb", "RSS MB", 1),
    ("machine_busy", "busy %", 100),
)
RANGED = ("over_bound", "half_over_bound")  # In the text; all are in the HTML and the JSON.


def summary(rounds: Sequence[Mapping], name: str) -> dict | None:
    """Of one figure over the repetitions that have it."""
    values = [one[name] for one in rounds if one.get(name) is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def cell(rounds: Sequence[Mapping], name: str, factor: float, ranges: bool = True) -> str:
    """The median, and least and most where they differ from it."""
    of = summary(rounds, name)
    if of is None:
        return ""
    text, least, most = (number(of[which] * factor) for which in ("median", "min", "max"))
    return f"{text} ({least}-{most})" if ranges and (least, most) != (text, text) else text


def table(rows: Mapping[str, dict]) -> str:
    lines = []
    for key, row in rows.items():
        rounds = row["rounds"]
        if not rounds:
            lines.append([f"{row['workload']}: {row['label']}"])
            continue
        failed = sum(len(one.get("failed", [])) for one in rounds)
        label = f"{row['workload']} {row['label']}"
        lines.append([label, f"{rounds[0]['hosts']}", number(rounds[0]["bytes"] / 2**20),
                      *(cell(rounds, name, factor, name in RANGED)
                        for name, _, factor in COLUMNS), f"{failed}"])
    return render(["", "hosts", "MiB", *(heading for _, heading, _ in COLUMNS), "failed"], lines)
