"""Places the services of a simulated cluster, which change, with shoal's placer, with SwarmKit's
order and with Kubernetes' scores, and prints what had to move and how even the load is; then how
long it takes to place many slots at once."""

import argparse
import json
import sys
from pathlib import Path

from kit import machine, stats
from kit.generator import Generator, GeneratorError
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
GIB = 1 << 30
MIB = 1 << 20
PLACERS = {
    "swarmkit": "SwarmKit's order",
    "kubernetes": "Kubernetes' scores",
    "unbounded": "shoal, no load bound",
    "shoal": "shoal",
    "in-place": "shoal, versions in place",
}
# At least so much less than SwarmKit's order moves, by hosts; and no more load than that.
BARS = {20: 25, 100: 55}
LOAD_BAR = 1.5
SECONDS_BAR = 2.0
SHAPES = [(1, "1 service"), (100, "100 services"), (1000, "1,000 services"),
          (10_000, "10,000 services")]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench placement", description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[20, 100], metavar="N")
    parser.add_argument("--seeds", type=int, default=5, help="of the model; means (5)")
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3, help="of the speed; medians (3)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-placement.json",
                        metavar="FILE")
    given = parser.parse_args()
    if min(*given.hosts, given.seeds, given.changes, given.rounds) < 1:
        parser.error("all numbers must be above zero")
    return given


def run_model(generator: Generator, given: argparse.Namespace, hosts: int, placer: str) -> dict:
    runs = [generator("model", "--placer", placer, "--hosts", hosts, "--changes", given.changes,
                      "--seed", seed) for seed in range(1, given.seeds + 1)]
    mean = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
    return {"hosts": hosts, "placer": placer, "runs": runs, "mean": mean,
            "skew": mean["load_max"] / mean["load_mean"],
            "peak": max(run["load_peak"] for run in runs)}


def model_table(results: list[dict]) -> tuple[str, bool]:
    base = {result["hosts"]: result["mean"]["bytes_moved"] for result in results
            if result["placer"] == "swarmkit"}
    rows = []
    met = True
    for result in results:
        mean = result["mean"]
        hosts = result["hosts"]
        saved = 100 * (1 - mean["bytes_moved"] / base[hosts])
        bar = ""
        if result["placer"] == "shoal" and hosts in BARS:
            good = saved >= BARS[hosts] and result["skew"] <= LOAD_BAR
            met = met and good
            bar = f">= {BARS[hosts]} %, <= {LOAD_BAR}: {'yes' if good else 'NO'}"
        rows.append([f"{PLACERS[result['placer']]}, {hosts} hosts",
                     number(mean["bytes_moved"] / GIB),
                     "" if result["placer"] == "swarmkit" else f"{saved:.1f}",
                     number(mean["bytes_moved"] / mean["starts"] / MIB),
                     f"{mean['load_max']:.2f} / {mean['load_mean']:.2f}",
                     f"{result['skew']:.2f}", f"{result['peak']:.2f}", bar])
    return render(["", "GiB moved", "less, %", "MiB a start", "load max / mean", "skew", "peak",
                   "bar"], rows), met


def run_speed(generator: Generator, given: argparse.Namespace, services: int,
              explain: bool) -> dict:
    flags = ["--explain"] if explain else []
    runs = [generator("speed", "--services", services, *flags) for _ in range(given.rounds)]
    return {"services": services, "explain": explain, "runs": runs,
            "figures": {name: stats.median([run[name] for run in runs]) for name in runs[0]}}


def speed_table(results: list[dict]) -> tuple[str, bool]:
    names = dict(SHAPES)
    rows = []
    met = True
    for result in results:
        figures = result["figures"]
        good = figures["seconds"] < SECONDS_BAR
        met = met and good
        explained = ", explained" if result["explain"] else ""
        rows.append([names[result["services"]] + explained, number(figures["seconds"]),
                     number(figures["memory_bytes"] / MIB), f"{figures['placed']:,.0f}",
                     f"< {SECONDS_BAR:g} s: {'yes' if good else 'NO'}"])
    return render(["10,000 slots on 1,000 hosts", "s", "MiB", "placed", "bar"], rows), met


def main() -> int:
    given = parse()
    generator = Generator((given.build / "bench/shoal_bench_placement").resolve())
    try:
        models = [run_model(generator, given, hosts, placer)
                  for hosts in given.hosts for placer in PLACERS]
        speeds = [run_speed(generator, given, services, False) for services, _ in SHAPES]
        speeds.append(run_speed(generator, given, 1000, True))
    except GeneratorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    about = machine.describe()
    print(machine.line(about))
    print(f"120 services, {given.changes} changes, seeds 1 to {given.seeds}, means\n")
    table, moved_less = model_table(models)
    print(table + "\n")
    table, fast = speed_table(speeds)
    print(table)
    given.json.write_text(
        json.dumps({"machine": about, "model": models, "speed": speeds}, indent=2) + "\n")
    return 0 if moved_less and fast else 1


if __name__ == "__main__":
    sys.exit(main())
