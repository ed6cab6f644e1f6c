"""One seed and one peer over loopback, each end a process of its own. By BitTorrent: shoal's store
as libtorrent's disk, the disks that libtorrent brings itself, and no disk at all, with the same
settings. Beside it, with TLS: from node to node by the swarm and over HTTPS; and a bare copy."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kit import machine
from kit.generator import Generator
from kit.process import die_with_parent
from kit.stats import median, summary
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("store", "mmap", "posix", "none", "swarm", "https", "tcp")
ROWS = {
    "mb_per_second": "MB/s",
    "seed_cpu": "CPU-s per GiB, seed",
    "peer_cpu": "CPU-s per GiB, peer",
    "both_cpu": "CPU-s per GiB, both",
    "seed_peak_mb": "peak MB, seed",
    "peer_peak_mb": "peak MB, peer",
    "peer_anonymous_mb": "anonymous MB at the end, peer",
}


class End:
    """One process of shoal_bench_loopback; ends with the block, whatever happens."""

    def __init__(self, binary: Path, *arguments: str):
        self.process = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)

    def __enter__(self) -> "End":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()

    def line(self) -> dict:
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"shoal_bench_loopback ended with {self.process.wait()}")
        return json.loads(text)

    def finish(self) -> dict:
        self.process.stdin.close()
        return self.line()


def transfer(binary: Path, way: str, size: int, folder: Path) -> dict[str, float]:
    torrent = folder / "torrent"
    common = ("--way", way, "--torrent", str(torrent), "--size", str(size))
    with End(binary, "seed", "--folder", str(folder / "seed"), *common) as seed:
        address = seed.line()["address"]
        with End(binary, "fetch", "--folder", str(folder / "peer"), "--peer", address,
                 *common) as peer:
            fetched = peer.line()
        served = seed.finish()
    gib = size / 2**30
    return {
        "mb_per_second": size / 1e6 / fetched["seconds"],
        "seed_cpu": served["cpu_seconds"] / gib,
        "peer_cpu": fetched["cpu_seconds"] / gib,
        "both_cpu": (served["cpu_seconds"] + fetched["cpu_seconds"]) / gib,
        "seed_peak_mb": served["peak_mb"],
        "peer_peak_mb": fetched["peak_mb"],
        "peer_anonymous_mb": fetched["anonymous_mb"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench loopback", description=__doc__)
    parser.add_argument("--size-mib", type=int, default=1024, help="of the blob (1024)")
    parser.add_argument("--rounds", type=int, default=3, help="of each way, in turn (3)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-loopback.json")
    arguments = parser.parse_args()
    binary = arguments.build / "bench/shoal_bench_loopback"

    # A virtual machine pays for the first touch of each page: nobody shall be charged for it.
    touched = min(6 * (arguments.size_mib << 20), machine.available_memory_bytes() // 2)
    Generator(arguments.build / "bench/shoal_bench")("warm", "--size", touched)

    rounds = {way: [] for way in arguments.ways}
    for _ in range(arguments.rounds):
        for way in arguments.ways:
            folder = Path(tempfile.mkdtemp(prefix="shoal-bench-loopback-"))
            try:
                rounds[way].append(transfer(binary, way, arguments.size_mib << 20, folder))
            finally:
                shutil.rmtree(folder)
            print(f"{way}: {rounds[way][-1]['both_cpu']:.2f} CPU-s per GiB", file=sys.stderr)

    results = {way: {name: [run[name] for run in runs] for name in ROWS}
               for way, runs in rounds.items()}
    rows = [[label, *(number(median(results[way][name])) for way in arguments.ways)]
            for name, label in ROWS.items()]
    print(f"{arguments.size_mib} MiB from one seed to one peer, medians of {arguments.rounds}; "
          "`store`, `swarm` and `https` verify the\n"
          "digest and sync, `tcp` syncs, the others do neither; `swarm` and `https` go by TLS\n")
    print(render(["", *arguments.ways], rows))
    cpu = {way: median(of["both_cpu"]) for way, of in results.items()}
    own = [cpu[way] for way in ("mmap", "posix") if way in cpu]
    if own and "store" in cpu:
        print(f"\nCPU of `store` over libtorrent's best own disk: {cpu['store'] / min(own):.2f}")
    for way in ("store", "swarm"):
        if way in cpu and "https" in cpu:
            print(f"CPU of `{way}` over `https`: {cpu[way] / cpu['https']:.2f}")
    arguments.json.write_text(json.dumps(
        {way: {name: summary(values) for name, values in of.items()}
         for way, of in results.items()}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
