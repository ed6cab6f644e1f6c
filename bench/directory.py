"""Counts what the directory of a cluster costs: who holds what, told to three nodes per digest."""

import argparse
import json
import sys
from pathlib import Path

from kit.generator import Generator, GeneratorError
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
PHASES = {
    "start": "all start at once",
    "leave": "one leaves",
    "join": "one joins",
    "restart": "one forgets all",
    "idle": "idle",
}
ROWS = {
    "messages_per_node": "messages per node",
    "messages_max": "messages of the busiest node",
    "kilobytes_per_node": "kB per node",
    "kilobytes_max": "kB of the busiest node",
    "cluster_burst": "messages in one second, whole cluster",
    "node_burst": "messages in one second, one receiver",
    "seconds": "seconds until the last message",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench directory", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100, help="of the cluster (100)")
    parser.add_argument("--blobs", type=int, default=10_000, help="of each node (10000)")
    parser.add_argument("--shared", type=int, help="blobs that all nodes have (a fifth)")
    parser.add_argument("--idle-minutes", type=int, default=10, help="of the last phase (10)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-directory.json")
    arguments = parser.parse_args()
    shared = arguments.blobs // 5 if arguments.shared is None else arguments.shared

    generator = Generator(arguments.build / "bench/shoal_bench")
    try:
        report = generator("directory", "--nodes", arguments.nodes, "--blobs", arguments.blobs,
                           "--shared", shared, "--idle-minutes", arguments.idle_minutes)
    except GeneratorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    rows = [[label, *(number(report[f"{phase}_{name}"]) for phase in PHASES)]
            for name, label in ROWS.items()]
    idle = f"idle, {arguments.idle_minutes} min"
    print(f"{arguments.nodes:,} nodes with {arguments.blobs:,} blobs each, {shared:,} of them on "
          "all nodes; bodies of requests and answers\n")
    print(render(["", *list(PHASES.values())[:-1], idle], rows))
    print(f"\na table of 100,000 digests with 3 holders each: {report['bytes_per_digest']:.0f} "
          f"bytes per digest\n{report['entries']:,.0f} pairs of digest and holder in all tables; "
          f"{report['cpu_ms_per_node']:.0f} ms of CPU per node for the start, both ends together")
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
