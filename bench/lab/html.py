"""The report as one HTML file that needs nothing else: tables, and plots as SVG."""

from collections.abc import Mapping
from html import escape

from kit import machine
from kit.table import number

from .published import CURVES
from .report import COLUMNS, cell
from .svg import COLOURS, Chart, shade

TOP_AND_BOTTOM = 76  # Of a chart, around its rows.
LEAST_RATIO = 0.5    # Of the time over the bound, where it is drawn.
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right;
         font-size: 13px; vertical-align: bottom; }
td:first-child, th:first-child { text-align: left; }
.aim { background: #d8f0dc; } .bar { background: #eef5d6; } .no { background: #f8dada; }
figure { margin: 1.5rem 0; } figcaption { color: #555; font-size: 13px; }
svg { max-width: 100%; } .title { font-weight: 600; font-size: 14px; }
text { font: 11px system-ui, sans-serif; fill: #333; } .x { text-anchor: middle; }
.y { text-anchor: end; } .small { font-size: 8px; } .grid { stroke: #e6e6e6; }
.legend span { margin-right: 1.2rem; font-size: 13px; white-space: nowrap; }
.wide { overflow-x: auto; }
"""


def page(report: Mapping) -> str:
    rows = report["rows"]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'><title>The swarm lab</title>",
        f"<style>{STYLE}</style><h1>The swarm lab</h1>",
        f"<p>{escape(report['date'])}, {escape(machine.line(report['machine']))}. "
        f"{escape(options_line(report['options']))}</p>",
        "<h2>Held against</h2>", bars_table(report["bars"]),
        "<h2>All rows</h2>", rows_table(rows), "<h2>Plots</h2>",
        *(f"<figure>{chart}<figcaption>{caption}</figcaption></figure>"
          for chart, caption in figures(rows)),
        "<h2>Published by others, not measured here</h2>", published_table()]
    return "\n".join(parts)


def options_line(options: Mapping) -> str:
    return (f"{options['hosts']} hosts and a seed, {options['mbit']:g} Mbit/s each way, "
            f"{options['size'] / 2**20:g} MiB, {options['repetitions']} "
            f"repetition{'s' if options['repetitions'] > 1 else ''}: medians"
            f"{', with least and most' if options['repetitions'] > 1 else ''}.")


def html_table(headings, lines, classes=None) -> str:
    def row(tag: str, cells, css: str = "") -> str:
        return (f"<tr class='{css}'>" + "".join(f"<{tag}>{escape(str(text))}</{tag}>"
                                                for text in cells) + "</tr>")
    body = [row("td", line, classes[at] if classes else "") for at, line in enumerate(lines)]
    return f"<div class='wide'><table>{row('th', headings)}{''.join(body)}</table></div>"


def bars_table(judged) -> str:
    lines = [[f"{one['what']}{', ' + one['unit'] if one['unit'] else ''}",
              number(one["measured"]) or "not run", f"{one['bar']:g}", f"{one['aim']:g}",
              one["met"] or ""] for one in judged]
    return html_table(["", "measured", "bar", "aim", "met"], lines,
                      [one["met"] or "" for one in judged])


def rows_table(rows) -> str:
    lines = []
    for row in rows.values():
        rounds = row["rounds"]
        if not rounds:
            lines.append([f"{row['workload']} {row['label']}"])
            continue
        lines.append([f"{row['workload']} {row['label']}", rounds[0]["hosts"],
                      number(rounds[0]["bytes"] / 2**20),
                      *(cell(rounds, name, factor) for name, _, factor in COLUMNS),
                      sum(len(one["failed"]) for one in rounds)])
    return html_table(["", "hosts", "MiB", *(heading for _, heading, _ in COLUMNS), "failed"],
                      lines)


def published_table() -> str:
    return html_table(
        ["", "hosts: time over the bound", "conditions", "source"],
        [[curve.name, ", ".join(f"{hosts}: {ratio:g}" for hosts, ratio in curve.points),
          curve.conditions, curve.source] for curve in CURVES])


def figures(rows):
    """(SVG, caption) of each plot that there are figures for."""
    if any(row["workload"] == "W10" and row["rounds"] for row in rows.values()):
        yield curve_over_hosts(rows), (
            "Time until the last host has the blob over the least that the links allow. Dashed: "
            "published by others, on their machines, not measured here.")
    if any(one.get("complete_s") for row in rows.values() for one in row["rounds"]):
        yield completions(rows), "Share of the hosts that have all of it, over time."
    for key, row in rows.items():
        picture = row["rounds"][-1].get("picture") if row["rounds"] else None
        if picture is None or key not in ("W1", "W1 read", "W7", "W8 liar", "W3"):
            continue
        if any(picture["pieces"].values()):
            yield arrivals(row, picture), (
                "Pieces that have arrived, a line for each host, asked for four times a second. "
                "Dashed: as fast as the links allow.")
        for way, name in ((0, "up"), (1, "down")):
            yield link_use(row, picture, way, name), (
                f"How much of its link each host uses, {name}: white nothing, dark all of it. The "
                "first row is the seed.")


def curve_over_hosts(rows) -> str:
    own = {}
    for row in rows.values():
        for one in row["rounds"] if row["workload"] == "W10" else ():
            own.setdefault(one["hosts"], []).append(one["over_bound"])
    points = sorted((hosts, sorted(values)[len(values) // 2]) for hosts, values in own.items())
    top = max(6.0, *(ratio for _, ratio in points))
    chart = Chart("Time over the bound, by number of hosts", "hosts", "time / bound", (0.9, 3000),
                  (0, top), log_x=True)
    chart.line([(0.9, 1), (3000, 1)], "#888", "the bound", dash="2 3")
    chart.line(points, COLOURS[0], "shoal, the last host", dots=True, width=2.4)
    for number_of, curve in enumerate(CURVES):
        chart.line(curve.points, COLOURS[1 + number_of % (len(COLOURS) - 1)],
                   f"{curve.name} (published)", dash="5 4", dots=True)
    for row in rows.values():
        if row["workload"] == "baselines" and row["rounds"] and row["label"] == "computed":
            one = row["rounds"][-1]
            chart.line([(one["hosts"], one["over_bound"])], "#000", "a binary tree (computed)")
    return chart.svg()


def completions(rows) -> str:
    curves = []
    for row in rows.values():
        if row["workload"] not in ("W1", "W3", "W7", "baselines"):
            continue
        ratios = sorted(seconds / one["bound_s"] for one in row["rounds"]
                        for seconds in one.get("complete_s", {}).values())
        if ratios:
            curves.append((f"{row['workload']} {row['label']}", ratios))
    top = max([2.0, *(ratios[-1] for _, ratios in curves)])
    chart = Chart("Hosts that have all of it", "time / bound", "share of the hosts",
                  (LEAST_RATIO, top), (0, 1), log_x=True)
    for at, (label, ratios) in enumerate(curves):
        points = [(LEAST_RATIO, 0.0)]
        for rank, ratio in enumerate(ratios):
            at_least = max(LEAST_RATIO, ratio)
            points += [(at_least, rank / len(ratios)), (at_least, (rank + 1) / len(ratios))]
        chart.line([*points, (top, 1.0)], COLOURS[at % len(COLOURS)], label)
    chart.line([(1, 0), (1, 1)], "#888", "the bound", dash="2 3")
    return chart.svg()


def arrivals(row, picture) -> str:
    one = row["rounds"][-1]
    until = max([one["bound_s"], *(points[-1][0] for points in picture["pieces"].values()
                                   if points)])
    chart = Chart(f"{row['workload']} {row['label']}: pieces", "seconds", "share of the pieces",
                  (0, until), (0, 1))
    for at, points in enumerate(picture["pieces"].values()):
        chart.line([(0, 0), *points], COLOURS[at % len(COLOURS)], width=1, opacity=0.7)
    chart.line([(0, 0), (one["bound_s"], 1)], "#000", "the bound", dash="5 4", width=2)
    return chart.svg()


def link_use(row, picture, way: int, name: str) -> str:
    links = {host: samples for host, samples in picture["links"].items() if samples}
    end = max(samples[-1][0] for samples in links.values())
    step = max(0.2, end / 90)
    chart = Chart(f"{row['workload']} {row['label']}: use of the links, {name}", "seconds", "",
                  (0, end), (0, len(links)), height=TOP_AND_BOTTOM + 13 * len(links))
    for at, samples in enumerate(reversed(links.values())):
        bins: dict[int, list[float]] = {}
        for when, *use in samples:
            bins.setdefault(int(when / step), []).append(use[way])
        for number_of, uses in bins.items():
            chart.bar(number_of * step, min(end, (number_of + 1) * step), at + 0.05, at + 0.95,
                      shade(sum(uses) / len(uses)))
    return chart.svg([host.split("-")[-1] for host in reversed(links)])

