"""Simulates the members of a large cluster against the node that holds its state, and prints what
their liveness costs that node. Everything is real but that all members are on one machine."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from kit.generator import Generator, GeneratorError
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
ROWS = {
    "requests_per_second": "requests a second, all",
    "beats_per_second": "  beats",
    "lists_per_second": "  pages of a list",
    "watches_per_second": "  watches begun",
    "others_per_second": "  others",
    "cpu_percent": "CPU of the node with the state, % of a core",
    "resident_mb": "its memory, MB",
    "beat_p50_us": "a beat, us",
    "beat_p99_us": "a beat, 99th percentile",
    "beat_max_us": "a beat, slowest",
    "start_seconds": "all start at once: until all see all, s",
    "start_cpu_seconds": "  CPU of the node with the state, s",
    "stop_seen_seconds": "an orderly stop is seen after, s",
    "ttl_seconds": "lease, s",
    "death_seen_seconds": "a dead member is gone after, s",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench membership", description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seconds", type=int, default=60, help="of measuring each (60)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-membership.json")
    arguments = parser.parse_args()

    generator = Generator(arguments.build / "bench/shoal_bench_membership")
    reports = []
    folder = tempfile.mkdtemp(prefix="bench-membership-", dir=arguments.work_dir)
    try:
        for members in arguments.members:
            print(f"{members:,} members", file=sys.stderr, flush=True)
            reports.append(generator("--dir", f"{folder}/node", "--members", members,
                                     "--seconds", arguments.seconds))
    except GeneratorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    for report in reports:
        report["requests_per_second"] = sum(
            report[f"{kind}_per_second"] for kind in ("beats", "lists", "watches", "others"))
    rows = [[label, *(number(report[name]) for report in reports)] for name, label in ROWS.items()]
    print(render(["members", *(f"{members:,}" for members in arguments.members)], rows))
    arguments.json.write_text(json.dumps(reports, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
