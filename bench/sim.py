"""The swarm past this machine: simulated hosts with the swarm's own policies, how long they take
over the least time that their links allow. The same seed gives the same figures."""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit import stats
from kit.generator import Generator, GeneratorError
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20
WORKLOADS = {
    "W1": "one warm seed, all others at once",
    "W3": "the same with an image of several layers",
    "W6": "one host after the other, and a late one",
    "W7": "the seed and 30 % of the hosts die half way",
    "W9": "a pull beside the prefetch of another blob",
}
# What runs when nothing is said: the lab's own scale, then what no lab has.
DEFAULT = [
    *({"workload": name, "hosts": 20, "mbit": 64, "size": 96 * MIB} for name in ("W1", "W7")),
    {"workload": "W1", "hosts": 20, "mbit": 64, "size": 96 * MIB, "readers": True},
    {"workload": "W3", "hosts": 20, "mbit": 64, "size": 10 * MIB, "layers": 14, "readers": True},
    {"workload": "W6", "hosts": 20, "mbit": 64, "size": 48 * MIB},
    {"workload": "W9", "hosts": 20, "mbit": 64, "size": 48 * MIB},
    *({"workload": "W1", "hosts": hosts, "mbit": mbit, "size": 1024 * MIB}
      for hosts, mbit in ((1000, 1000), (5000, 1000), (5000, 10_000), (15_000, 10_000))),
]
COLUMNS = {
    "p50_over_bound": "p50",
    "p99_over_bound": "p99",
    "max_over_bound": "max / bound",
    "bound_s": "bound, s",
    "half_max_over_bound": "half",
    "seed_copies": "copies",
    "duplicate_share": "twice, %",
    "upload_skew": "skew",
    "connections_mean": "connections",
    "connections_max": "most",
    "directory_requests_mean": "requests",
    "directory_bytes_mean": "B",
    "directory_burst": "most in 1 s",
    "memory_max_mb": "MB",
    "failed": "failed",
}
PERCENT = {"duplicate_share"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench sim", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"{', '.join(WORKLOADS)} (W1)")
    parser.add_argument("--hosts", type=int, nargs="+", metavar="N",
                        help="that want the content, one run for each number; without this and "
                             "without a workload the default set runs")
    parser.add_argument("--mbit", type=float, default=1000, help="of each link, either way (1000)")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of a blob (1024)")
    parser.add_argument("--layers", type=int, default=1, help="of the image, of that size each (1)")
    parser.add_argument("--readers", action="store_true", help="a client reads on each host")
    parser.add_argument("--peers-max", type=int, default=40, metavar="N",
                        help="that a host connects to (40, as the product)")
    parser.add_argument("--fetchers-max", type=int, default=6, metavar="N",
                        help="of those that fetch the same, that a host asks first (6)")
    parser.add_argument("--seed-peers", type=int, default=24, metavar="N",
                        help="that one who has all serves at once (24; 0: as many as come)")
    parser.add_argument("--seed", type=int, default=1, help="of what is random (1)")
    parser.add_argument("--rounds", type=int, default=1, metavar="R",
                        help="with this seed and those after it; medians (1)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-sim.json", metavar="FILE")
    given = parser.parse_args()
    for name in given.workloads:
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name}; there are: {' '.join(WORKLOADS)}")
    if min(*(given.hosts or [1]), given.size, given.layers, given.rounds) < 1 or given.mbit <= 0:
        parser.error("all numbers must be above zero")
    return given


def worlds_of(given: argparse.Namespace) -> list[dict]:
    if not given.hosts and not given.workloads:
        return DEFAULT
    return [{"workload": name, "hosts": hosts, "mbit": given.mbit, "size": given.size * MIB,
             "layers": given.layers, "readers": given.readers, "peers-max": given.peers_max,
             "fetchers-max": given.fetchers_max, "seed-peers": given.seed_peers}
            for name in given.workloads or ["W1"] for hosts in given.hosts or [20]]


def simulate(generator: Generator, world: dict, seeds: range) -> dict:
    flags = [part for name, value in world.items() if not isinstance(value, bool)
             for part in (f"--{name}", value)]
    if world.get("readers"):
        flags.append("--readers")
    runs = [generator(*flags, "--seed", seed) for seed in seeds]
    return {**world, "seeds": list(seeds), "runs": runs,
            "figures": {name: stats.median([run[name] for run in runs]) for name in runs[0]}}


def name_of(world: dict) -> str:
    layers = world.get("layers", 1)
    size = f"{world['size'] // MIB:,} MiB"
    times = f"{layers} x " if layers > 1 else ""
    reads = ", read" if world.get("readers") else ""
    return (f"{world['workload']} {world['hosts']:,} x {world['mbit']:,g} Mbit/s, "
            f"{times}{size}{reads}")


def main() -> int:
    given = parse()
    generator = Generator((given.build / "bench/shoal_bench_sim").resolve())
    seeds = range(given.seed, given.seed + given.rounds)
    worlds = worlds_of(given)
    results = []
    try:
        with ThreadPoolExecutor(2) as pool:
            for result in pool.map(lambda world: simulate(generator, world, seeds), worlds):
                results.append(result)
                over = result["figures"]["max_over_bound"]
                print(f"{name_of(result)}: max {over:.2f} x the bound", file=sys.stderr,
                      flush=True)
    except GeneratorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    rows = [[name_of(result), *(number(result["figures"][name] * (100 if name in PERCENT else 1))
                                for name in COLUMNS)] for result in results]
    print(render(["", *COLUMNS.values()], rows))
    stuck = [name_of(result) for result in results if result["figures"]["unfinished"] > 0]
    for name in stuck:
        print(f"{name}: transfers had not ended when the simulated time was over")
    given.json.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if stuck else 0


if __name__ == "__main__":
    sys.exit(main())
