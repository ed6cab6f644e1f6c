"""A row of the report, and figures made of other figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from .measure import percentile, skew


@dataclass(frozen=True)
class Row:
    key: str    # The same in each repetition.
    label: str
    figures: dict | None  # None: there are none, and the label says why.


def of_hosts(figures: dict, hosts: Sequence[str], least: float | None = None) -> dict:
    """The same run, with the times of these hosts alone, over `least` seconds."""
    least = least or figures["bound_s"]
    complete = [figures["complete_s"][name] for name in hosts if name in figures["complete_s"]]
    half = [figures["half_by_host_s"][name] for name in hosts
            if name in figures["half_by_host_s"]]
    changed = {**figures, "hosts": len(hosts), "bound_s": least}
    for name in ("p50_s", "p99_s", "max_s", "over_bound", "half_s", "half_over_bound"):
        changed.pop(name, None)
    return changed | times(complete, half, least)


def times(complete: Sequence[float], half: Sequence[float], least: float) -> dict:
    """What is said of times in every row: of nothing, nothing."""
    figures = {}
    if complete:
        figures |= {"p50_s": percentile(complete, 0.5), "p99_s": percentile(complete, 0.99),
                    "max_s": max(complete), "over_bound": max(complete) / least}
    if half:
        figures |= {"half_s": max(half), "half_over_bound": max(half) / least}
    return figures


def one_after_the_other(runs: Sequence[dict], seed: str) -> dict:
    """Of several runs with the same content, the next after the last host of the one before: times
    and bounds add up. Copies are those that `seed` sent."""
    complete: dict[str, float] = {}
    before = 0.0
    for run in runs:
        complete |= {name: before + value for name, value in run["complete_s"].items()}
        before += run.get("max_s", 0.0)
    size, hosts = runs[0]["bytes"], sum(run["hosts"] for run in runs)
    least = sum(run["bound_s"] for run in runs)
    sent: dict[str, int] = {}
    for run in runs:
        for name, count in run["sent_bytes"].items():
            sent[name] = sent.get(name, 0) + count
    return {
        "hosts": hosts, "bytes": size, "bound_s": least,
        "failed": [failure for run in runs for failure in run["failed"]],
        "complete_s": complete, **times(list(complete.values()), [], least),
        "waves": [{name: run.get(name) for name in ("hosts", "bound_s", "max_s", "over_bound")}
                  for run in runs],
        "first_byte_s": percentile([run["first_byte_s"] for run in runs
                                    if "first_byte_s" in run] or [0.0], 0.5),
        "seed_copies_wire": sum(run["wire_sent"].get(seed, 0) for run in runs) / size,
        "duplicate_share": sum(run.get("duplicate_share", 0) * run["hosts"]
                               for run in runs) / hosts,
        "upload_skew": skew([count for name, count in sent.items() if name != seed]),
        "cpu_s_per_gib": sum((run["cpu_s_per_gib"] or 0) * run["hosts"] for run in runs) / hosts,
        "machine_busy": max(run["machine_busy"] for run in runs),
        "peak_rss_mb": max(run["peak_rss_mb"] for run in runs),
    }
