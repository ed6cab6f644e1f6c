"""All figures of nodes that give each other content. Between real nodes, each a host of its own in
a network namespace with a shaped link: the first byte on a cold host; how long the last of several
hosts takes, over what the links allow at best; and how far a client lags behind the transfer that
it reads. Then ./dev bench loopback, one seed to one peer, and ./dev bench held, what merely held
blobs cost. Needs root; the lab (./dev bench swarm) is the place for more hosts."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import hosts as hosts_of
from harness import node as node_of
from harness.http import ACCEPT, digest_of, image_manifest
from harness.process import run, until
from lab.cluster import ask_torrent

ROOT = Path(__file__).resolve().parent.parent
MBIT = 125_000  # Bytes a second.
SECONDS = 900   # At most, for one transfer.
READERS = 3     # Docker's layers at once.


def push_image(host, tag: str, layers: int, size: int) -> list[str]:
    """Layers of random bytes; their digests, once each has its torrent."""
    with host.api(SECONDS) as api:
        config, _ = api.push_blob("bench/app", b"{}")
        pushed = [(api.push_blob("bench/app", os.urandom(size))[0], size) for _ in range(layers)]
        api.push_manifest("bench/app", tag, image_manifest((config, 2), pushed))
    for digest, _ in pushed:
        ask_torrent(host, digest)
    return [digest for digest, _ in pushed]


def ask_manifest(api, tag: str) -> None:
    assert api.send("GET", f"/v2/bench/app/manifests/{tag}", headers=ACCEPT).status == 200


def read_layers(host, digests: list[str]) -> None:
    left = list(digests)

    def read() -> None:
        with host.api(SECONDS) as api:
            while left:
                digest = left.pop(0)
                assert digest_of(api.send("GET", f"/v2/bench/app/blobs/{digest}").body) == digest

    readers = [threading.Thread(target=read) for _ in range(min(READERS, len(left)))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


def pull(host, tag: str, digests: list[str], reads: bool) -> None:
    with host.api(SECONDS) as api:
        ask_manifest(api, tag)
    if reads:
        read_layers(host, digests)
    for digest in digests:
        until(lambda digest=digest: host.logged("blob fetched", digest), "it has come", SECONDS)


def sent_bytes(host) -> int:
    link = json.loads(run(["ip", "-n", host.name, "-s", "-j", "link", "show", "eth0"]))
    return link[0]["stats64"]["tx"]["bytes"]


def together(network, count: int, mbit: int, shapes: list[tuple], rounds: int) -> None:
    """One seed, and hosts that all pull at the same moment."""
    seed, *peers = network.cluster(count + 1, ("--cluster-replicas", "1"))
    for host in (seed, *peers):
        host.shape(mbit, mbit)
    for name, layers, size, reads in shapes:
        ratios, copies = [], []
        for number in range(rounds):
            tag = f"{name.replace(' ', '-')}-{number}"
            digests = push_image(seed, tag, layers, size)
            total = layers * size
            before = sent_bytes(seed)
            took = []
            gate = threading.Barrier(len(peers) + 1)

            def one(host, tag=tag, digests=digests, reads=reads, took=took, gate=gate) -> None:
                gate.wait()
                start = time.monotonic()
                pull(host, tag, digests, reads)
                took.append(time.monotonic() - start)

            threads = [threading.Thread(target=one, args=(host,)) for host in peers]
            for thread in threads:
                thread.start()
            gate.wait()
            for thread in threads:
                thread.join()
            assert len(took) == len(peers), "a host did not get the image"
            # F/u_s and F/d; with as much upload at each host the third term is below them.
            ratios.append(max(took) * mbit * MBIT / total)
            copies.append((sent_bytes(seed) - before) / total)
        print(f"{count} hosts, {mbit} Mbit/s, {name}: last host {statistics.median(ratios):.2f} x "
              f"the bound ({min(ratios):.2f}-{max(ratios):.2f}), "
              f"the seed sent {statistics.median(copies):.2f} copies", flush=True)


def first_byte(network, rounds: int) -> None:
    seed, peer = network.cluster(2, ("--cluster-replicas", "1"))
    waits = []
    for number in range(rounds + 1):
        digest, = push_image(seed, f"first-{number}", 1, 50 << 20)
        with peer.api() as api:
            start = time.monotonic()
            ask_manifest(api, f"first-{number}")
            one = api.send("GET", f"/v2/bench/app/blobs/{digest}", headers={"Range": "bytes=0-0"})
            waits.append((time.monotonic() - start) * 1000)
            assert one.status == 206
    waits = waits[1:]  # The first connects the two.
    print(f"first byte of a 50 MiB layer, from the manifest on: {statistics.median(waits):.0f} ms "
          f"({min(waits):.0f}-{max(waits):.0f})", flush=True)


def cut_through(network, mbit: int, size: int) -> None:
    seed, peer = network.cluster(2, ("--cluster-replicas", "1"))
    digest, = push_image(seed, "cut", 1, size)
    peer.shape(mbit, mbit)
    start = time.monotonic()
    with peer.api(SECONDS) as api:
        ask_manifest(api, "cut")
        assert digest_of(api.send("GET", f"/v2/bench/app/blobs/{digest}").body) == digest
    took = time.monotonic() - start
    transfer = until(lambda: peer.logged("blob fetched", digest), "it is logged")[-1]
    print(f"a client reads {size >> 20} MiB that arrive at {mbit} Mbit/s: {took:.1f} s, "
          f"{took * 1000 / int(transfer['ms']):.3f} x the transfer, "
          f"{took * mbit * MBIT / size:.3f} x the bound", flush=True)


def between_hosts(part) -> None:
    """part(network) with a network of its own."""
    folder = tempfile.mkdtemp(prefix="shoal-bench-p2p-")
    network = hosts_of.Network(folder)
    try:
        part(network)
    finally:
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


def other_benchmark(name: str, build: Path) -> None:
    subprocess.run([ROOT / "bench/run", name, "--build", build], stdin=subprocess.DEVNULL,
                   check=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench p2p", description=__doc__)
    parser.add_argument("--hosts", type=int, default=8, help="that pull together (8)")
    parser.add_argument("--mbit", type=int, default=100, help="of each host, up and down (100)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cut-mib", type=int, default=1024, help="read at 64 Mbit/s (1024)")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="PART,...",
                        help="of first-byte, together, cut-through, loopback, held; all of them")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    arguments = parser.parse_args()
    hosts_of.BINARY = node_of.BINARY = (arguments.build / "cli/shoal").resolve()
    shapes = [("32 MiB", 1, 32 << 20, False), ("32 MiB that clients read", 1, 32 << 20, True),
              ("14 layers of 10 MiB that clients read", 14, 10 << 20, True)]
    parts = {
        "first-byte": lambda: between_hosts(lambda network: first_byte(network, 5)),
        "together": lambda: between_hosts(lambda network: together(
            network, arguments.hosts, arguments.mbit, shapes, arguments.rounds)),
        "cut-through": lambda: between_hosts(lambda network: cut_through(
            network, 64, arguments.cut_mib << 20)),
        "loopback": lambda: other_benchmark("loopback", arguments.build),
        "held": lambda: other_benchmark("held", arguments.build),
    }
    wanted = arguments.only or list(parts)
    unknown = [name for name in wanted if name not in parts]
    if unknown:
        parser.error(f"--only: there is no part {unknown[0]!r}; there are: {', '.join(parts)}")
    if os.geteuid() != 0:
        parser.error("network namespaces and their links need root")
    try:
        for name in wanted:
            parts[name]()
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
