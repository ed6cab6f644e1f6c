"""The swarm lab: real nodes on hosts of their own with shaped links get the same content, and how
long that takes is held against the least time that the links allow. Needs root."""

import argparse
import datetime
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from kit import machine
from lab import bars, html, report
from lab.lab import MIB, Lab, Options
from lab.rows import Row
from lab.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("ip", "tc", "nsenter", "curl")
BASELINE_TOOLS = ("docker-registry", "aria2c", "transmission-cli", "transmission-create",
                  "opentracker")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench swarm", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W",
                        help="W1 to W10, and baselines; all of them")
    parser.add_argument("--hosts", type=int, default=20, help="that want the content (20)")
    parser.add_argument("--rate", type=float, default=64, metavar="MBIT",
                        help="of each link, either way (64)")
    parser.add_argument("--size", type=int, default=96, metavar="MIB", help="of a blob (96)")
    parser.add_argument("--layers", type=int, default=14,
                        help="that the 140 MB image of W3 has (14)")
    parser.add_argument("--seeds", type=int, default=1, metavar="R",
                        help="repetitions, with other content each (1)")
    parser.add_argument("--no-baselines", action="store_true",
                        help="nothing but shoal's own nodes")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-swarm.json",
                        metavar="FILE")
    parser.add_argument("--html", type=Path, default=ROOT / "build/bench-swarm.html",
                        metavar="FILE")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {unknown[0]}; there are: {' '.join(WORKLOADS)}")
    for file in (given.json, given.html):
        if not file.resolve().parent.is_dir():
            parser.error(f"{file}: there is no such folder")
    for name in ("hosts", "rate", "size", "layers", "seeds"):
        if getattr(given, name) <= 0:
            parser.error(f"--{name} must be above zero")
    return given


def missing(binary: Path, wanted: list[str]) -> list[str]:
    tools = (*TOOLS, *(BASELINE_TOOLS if "baselines" in wanted else ()))
    found = [tool for tool in tools if not shutil.which(tool)]
    if os.geteuid() != 0:
        found.append("root, for network namespaces and their links")
    if not binary.exists():
        found.append(f"{binary} (./dev bench swarm builds it)")
    return found


def end_on_signal(number: int, _) -> None:
    sys.exit(128 + number)


def main() -> int:
    given = parse()
    binary = (given.build / "cli/shoal").resolve()
    wanted = [name for name in given.workloads or WORKLOADS
              if name != "baselines" or not given.no_baselines]
    lacking = missing(binary, wanted)
    if lacking:
        print(f"bench: the swarm lab needs {'; '.join(lacking)}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_on_signal)  # So that what was started is ended.

    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    options = Options(given.hosts, given.rate, given.size * MIB, given.layers, binary, say)
    told = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "options": {"hosts": given.hosts, "mbit": given.rate, "size": options.size,
                    "layers": given.layers, "repetitions": given.seeds}}
    rows: dict[str, dict] = {}
    failed: list[str] = []
    try:
        with Lab(options) as lab:
            for _ in range(given.seeds):
                for name in wanted:
                    for row in WORKLOADS[name](lab):
                        keep(rows, name, row)
                        say(f"{name} {row.label}{outcome(row.figures)}")
    except (AssertionError, RuntimeError, OSError) as error:  # The hosts' own are assertions.
        failed.append(f"the run ends here: {error}")
    finally:
        # What was measured before something failed is not lost.
        if rows:
            write(given, {**told, "rows": rows, "bars": bars.judge(rows)})
    failed += [failure for row in rows.values() for one in row["rounds"]
               for failure in one["failed"]]
    for failure in failed:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failed else 0


def keep(rows: dict[str, dict], workload: str, row: Row) -> None:
    kept = rows.setdefault(row.key, {"workload": workload, "label": row.label, "rounds": []})
    if row.figures is None:
        return
    for earlier in kept["rounds"]:
        earlier.pop("picture", None)  # The plots show the last repetition.
    kept["rounds"].append({**row.figures, "failed_pulls": len(row.figures["failed"])})


def outcome(figures: dict | None) -> str:
    if figures is None:
        return ""
    if figures.get("over_bound"):
        return f": {figures['over_bound']:.2f} x the bound"
    return f": {figures['p50_s'] * 1000:.1f} ms" if "p50_s" in figures else ": failed"


def write(given: argparse.Namespace, result: dict) -> None:
    given.json.write_text(json.dumps(result, indent=1) + "\n")
    given.html.write_text(html.page(result))
    print(machine.line(result["machine"]))
    print(html.options_line(result["options"]), end="\n\n")
    print(report.table(result["rows"]), end="\n\n")
    if any(one["met"] for one in result["bars"]):
        print(bars.table(result["bars"]), end="\n\n")
    print(f"{given.json}, {given.html}")


if __name__ == "__main__":
    sys.exit(main())
