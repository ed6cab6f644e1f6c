"""What blobs that a node of a cluster merely holds cost it: memory, and CPU while nobody asks. Many
small ones, which have no torrents, and fewer large ones, which have; some of these are fetched by
other nodes by the swarm, and what that leaves behind is measured, too."""

import argparse
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit import machine
from kit.generator import Generator, GeneratorError
from kit.servers import ServerError, Shoal, free_port
from kit.table import number, render

ROOT = Path(__file__).resolve().parent.parent
SMALL_BYTES = 16 << 10
LARGE_BYTES = 2 << 20  # The least that has a torrent.
REPOSITORY = "bench/held"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CLIENTS = 4  # That push, or pull, at once.
SMALL_CLIENTS = 32

QUIET_SHARE = 0.02  # Of a core, over a step: below it a node rests.
QUIET_STEP_S = 1.0
QUIET_STEPS = 5
SETTLE_MAX_S = 900
COLUMNS = {
    "anonymous_mb": "anonymous MB",
    "resident_mb": "resident MB",
    "cpu_per_minute": "CPU-s a minute",
    "threads": "threads",
    "descriptors": "descriptors",
    "torrents": "torrents",
}


class Member(Shoal):
    """A node of a cluster, alone in it unless it joins another. Does nothing by itself: no copies,
    and no scrub, which reads all that is held, by and by."""

    def __init__(self, name: str, folder: Path, binary: Path, joins: "Member | None" = None):
        super().__init__(name, folder, binary)
        self.cluster_address = f"127.0.0.1:{free_port()}"
        self._joins = ["--join", joins.cluster_address, "--token", joins.token()] if joins else []

    def command(self) -> list[str]:
        return [*super().command(), "--cluster-listen", self.cluster_address, "--cluster-name",
                self.name, "--cluster-replicas", "1", "--store-scrub-rate", "0", *self._joins]

    def token(self) -> str:
        done = subprocess.run(
            [self._binary, "token", "create", "--node", f"http://{self.address}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.split()[-1]

    def client(self) -> "Client":
        return Client(self.address)

    def metric(self, name: str) -> float:
        with self.client() as client:
            text = client.send("GET", "/metrics")[2].decode()
        return float(next(line for line in text.splitlines() if line.startswith(name + " "))
                     .split()[1])

    def until(self, name: str, holds: Callable, what: str) -> None:
        """Until the metric is as it should be."""
        deadline = time.monotonic() + SETTLE_MAX_S
        while not holds(self.metric(name)):
            self.check_alive()
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name}: {what}: not within {SETTLE_MAX_S} s")
            time.sleep(0.2)

    def settle(self) -> None:
        """Until no torrent is shared, and what the node put off is done: flushes, and torrents, for
        which it reads all that was pushed."""
        self.until("shoal_swarm_torrents", lambda count: count == 0, "torrents leave the session")
        deadline = time.monotonic() + SETTLE_MAX_S
        quiet = 0
        while quiet < QUIET_STEPS:
            self.check_alive()
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not come to rest")
            used, read = self.account.cpu_seconds(), self.account.read_bytes()
            time.sleep(QUIET_STEP_S)
            used = self.account.cpu_seconds() - used
            rests = (used < QUIET_SHARE * QUIET_STEP_S and
                     self.account.read_bytes() - read < LARGE_BYTES)
            quiet = quiet + 1 if rests else 0

    def figures(self) -> dict[str, float]:
        return {
            "anonymous_mb": self.account.anonymous_mb(),
            "resident_mb": self.account.rss_mb(),
            "threads": self.account.threads(),
            "descriptors": self.account.descriptors(),
            "torrents": int(self.metric("shoal_swarm_torrents")),
        }

    def rest(self, seconds: float) -> dict[str, float]:
        """The figures of a node that nobody asks for anything, for so long."""
        self.settle()
        start, used = time.monotonic(), self.account.cpu_seconds()
        time.sleep(seconds)
        used = self.account.cpu_seconds() - used
        return {"cpu_per_minute": used * 60 / (time.monotonic() - start), **self.figures()}


class Client:
    """One keep-alive connection; an answer that is not as wanted ends the run."""

    def __init__(self, address: str):
        self._connection = http.client.HTTPConnection(address, timeout=300)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes | None = None,
             headers: dict | None = None, want: int = 200) -> tuple:
        self._connection.request(method, target, body=body, headers=headers or {})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != want:
            raise ServerError(f"{method} {target}: {response.status}, want {want}: "
                              f"{content[:300].decode(errors='replace')}")
        return response.status, response.headers, content

    def push_blob(self, content: bytes) -> dict:
        """Its descriptor."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        _, headers, _ = self.send("POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"", want=202)
        location = urllib.parse.urlsplit(headers["Location"])
        query = "&".join(filter(None, (location.query, f"digest={digest}")))
        self.send("PUT", f"{location.path}?{query}", content, want=201)
        return {"mediaType": LAYER_TYPE, "digest": digest, "size": len(content)}


def work_through(node: Member, items: Sequence, work: Callable) -> None:
    """work(client, item) for each, by several clients at once."""
    def run(part: Sequence) -> None:
        with node.client() as client:
            for item in part:
                work(client, item)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, (items[first::CLIENTS] for first in range(CLIENTS))))


def push_image(node: Member, layers: int) -> list[str]:
    """Large layers under the tag `asked`; their digests."""
    pushed = []
    work_through(node, range(layers),
                 lambda client, _: pushed.append(client.push_blob(os.urandom(LARGE_BYTES))))
    with node.client() as client:
        config = client.push_blob(b"{}")
        config["mediaType"] = "application/vnd.oci.image.config.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config,
                    "layers": pushed}
        client.send("PUT", f"/v2/{REPOSITORY}/manifests/asked", json.dumps(manifest).encode(),
                    {"Content-Type": MANIFEST_TYPE}, 201)
    return [layer["digest"] for layer in pushed]


def pull_image(node: Member, digests: list[str]) -> None:
    """As a client of the node does; every layer is checked, and stays here."""
    with node.client() as client:
        client.send("GET", f"/v2/{REPOSITORY}/manifests/asked", headers={"Accept": MANIFEST_TYPE})

    def pull(client: Client, digest: str) -> None:
        body = client.send("GET", f"/v2/{REPOSITORY}/blobs/{digest}")[2]
        if "sha256:" + hashlib.sha256(body).hexdigest() != digest:
            raise ServerError(f"what came is not {digest}")

    work_through(node, digests, pull)


class Run:
    """The rows, in the order in which they are measured."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self._arguments = arguments
        self._folder = folder
        self._binary = arguments.build / "cli/shoal"
        self._generator = Generator(arguments.build / "bench/shoal_bench")
        self.rows = {}

    def _node(self, name: str, joins: Member | None = None) -> Member:
        return Member(name, self._folder / name, self._binary, joins)

    def _row(self, name: str, figures: dict) -> None:
        self.rows[name] = figures
        print(f"{name}: {figures['anonymous_mb']:.1f} MB", file=sys.stderr, flush=True)

    def _push(self, node: Member, count: int, size: int, clients: int) -> None:
        if count:
            self._generator("small-push", "--server", node.address, "--repository", REPOSITORY,
                            "--count", count, "--size", size, "--connections", clients,
                            "--seed", 1)

    def _rests(self, node: Member, name: str) -> None:
        """As the pushes left it, and after a new start."""
        self._row(name, node.rest(self._arguments.rest))
        node.stop()
        node.start()
        self._row(f"{name}, started anew", node.rest(self._arguments.rest))

    def small(self) -> None:
        with self._node("small") as node:
            self._row("nothing", node.rest(self._arguments.rest))
            if self._arguments.small:
                self._push(node, self._arguments.small, SMALL_BYTES, SMALL_CLIENTS)
                self._rests(node, f"{self._arguments.small:,} of 16 KiB")

    def large(self) -> None:
        with self._node("large") as node:
            digests = push_image(node, self._arguments.asked)
            self._push(node, self._arguments.large - len(digests), LARGE_BYTES, CLIENTS)
            self._rests(node, f"{self._arguments.large:,} of 2 MiB")
            for number in range(1, 1 + self._arguments.askers):
                self._ask(node, digests, number)

    def _ask(self, node: Member, digests: list[str], number: int) -> None:
        """What stays from the first who asks may be the allocator's; the next shows whether it
        grows."""
        with self._node(f"asker-{number}", node) as other:
            pull_image(other, digests)
            self._row(f"node {number} has just fetched {len(digests):,}", node.figures())
            other.until("shoal_cluster_fetched_blobs_total", lambda count: count >= len(digests),
                        "the blobs are fetched")
            swarmed = other.metric("shoal_swarm_finished_total")
            if swarmed < len(digests):
                raise ServerError(f"{swarmed:.0f} of {len(digests)} came by the swarm")
        self._row(f"node {number} has left", node.rest(self._arguments.rest))


def cell(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench held", description=__doc__)
    parser.add_argument("--small", type=int, default=100_000, help="blobs of 16 KiB (100000)")
    parser.add_argument("--large", type=int, default=10_000, help="blobs of 2 MiB (10000)")
    parser.add_argument("--asked", type=int, default=1_000,
                        help="of the large ones, that others fetch (1000)")
    parser.add_argument("--askers", type=int, default=2,
                        help="nodes that fetch them, one after the other (2)")
    parser.add_argument("--rest", type=float, default=60,
                        help="seconds without a request over which CPU is measured (60)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", metavar="DIR")
    parser.add_argument("--work-dir", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench-held.json")
    arguments = parser.parse_args()
    if arguments.asked > arguments.large:
        parser.error("--asked is a part of --large")
    wanted = max(arguments.small * SMALL_BYTES,
                 (arguments.large + arguments.asked) * LARGE_BYTES) * 1.1
    if shutil.disk_usage(arguments.work_dir).free < wanted:
        parser.error(f"{arguments.work_dir} has no {wanted / 1e9:.0f} GB free")

    folder = Path(tempfile.mkdtemp(prefix="bench-held-", dir=arguments.work_dir))
    run = Run(arguments, folder)
    try:
        run.small()
        run.large()
    except (GeneratorError, ServerError, OSError, http.client.HTTPException) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    print(machine.line(machine.describe()))
    print(f"CPU over {arguments.rest:.0f} s of rest\n")
    rows = [[name, *(cell(figures.get(column)) for column in COLUMNS)]
            for name, figures in run.rows.items()]
    print(render(["held", *COLUMNS.values()], rows))
    arguments.json.write_text(json.dumps(run.rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
