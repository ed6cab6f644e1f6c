"""Beside the swarm, on the same hosts and links: what users have now, and stock BitTorrent."""

import contextlib
import http.client
import json
import os
import shutil
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from harness.bt_clients import Aria2, Transmission
from harness.hosts import HostApi
from harness.process import Process, run, until
from harness.torrents import bdecoded, v1_info_hash
from kit.process import Account
from kit.servers import Distribution, Server, Shoal

from .bound import binary_tree, one_server
from .client import Client, HostConnection
from .cluster import SECONDS, Cluster, push_image
from .distribute import bound_of
from .lab import MIB, Lab
from .measure import busy_seconds, skew
from .network import LabHost, LinkWatch
from .rows import Row, times

# One server gives each host its own copy: with fewer bytes it is as many times slower, and ends.
SERVER_BYTES = 8 * MIB
REGISTRY_PORT, TRACKER_PORT = 5050, 6969
WAIT_BOUNDS = 12   # So many times the bound a stock client gets.
TREE_PIECES = 384


class _OnHost(Server):
    """A server that the other hosts reach at its host's address."""

    def __init__(self, host: LabHost, *arguments):
        super().__init__(*arguments)
        self._host = host

    def choose_address(self) -> str:
        return f"{self._host.ip}:{REGISTRY_PORT}"

    def connect(self) -> HostConnection:
        return HostConnection(self._host.namespace, self.address)

    def command(self) -> list[str]:
        return self._host.enter(super().command())


class _Registry(_OnHost, Distribution):
    pass


class _LoneNode(_OnHost, Shoal):
    pass


class _Watched:
    """The links and the machine, while the block runs."""

    def __init__(self, cluster: Cluster):
        self._watch = LinkWatch(cluster.network)

    def __enter__(self) -> "_Watched":
        self._watch.__enter__()
        self.start, self._busy = time.monotonic(), busy_seconds()
        return self

    def __exit__(self, *_) -> None:
        spent = time.monotonic() - self.start
        self.busy = (busy_seconds() - self._busy) / (spent * os.cpu_count())
        self._watch.__exit__()

    def sent(self, host: LabHost) -> int:
        return self._watch.sent_and_received(host)[0]


def one_server_row(cluster: Cluster, server: Server, key: str, label: str) -> Row:
    """All hosts pull the same image from it, at once."""
    with server:
        with HostApi(cluster.seed.namespace, server.address, SECONDS) as api:
            image = push_image(api, "lab/app", "1", [SERVER_BYTES])
        links = cluster.links()
        clients = [Client(host, image, server.address) for host in cluster.peers]
        cpu = server.account.cpu_seconds()
        with _Watched(cluster) as watched:
            threads = [threading.Thread(target=client.read, daemon=True) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        readings = [client.reading for client in clients]
        cpu = server.account.cpu_seconds() - cpu
        peak = server.account.peak_rss_mb()
    least = bound_of(image.size, [cluster.seed], cluster.peers, links).seconds
    ends = [reading.end_s for reading in readings if reading.end_s]
    return Row(key, label, {
        "hosts": len(cluster.peers), "bytes": image.size, "bound_s": least,
        "own_bound_s": one_server(image.size, links[cluster.seed.name].up,
                                  [links[host.name].down for host in cluster.peers]),
        "failed": [f"{reading.host}: {reading.error}" for reading in readings if reading.error],
        "complete_s": {reading.host: reading.end_s for reading in readings if reading.end_s},
        **times(ends, [reading.half_s for reading in readings if reading.half_s], least),
        "first_byte_s": min((reading.first_byte_s for reading in readings
                             if reading.first_byte_s), default=None),
        "seed_copies_wire": watched.sent(cluster.seed) / image.size,
        "cpu_s_per_gib": cpu / (image.size * len(ends) / 2**30) if ends else None,
        "peak_rss_mb": peak, "machine_busy": watched.busy})


class _Stock:
    """A stock client in a host's namespace, with its own defaults, but that it looks for peers
    nowhere beyond the lab; says when it has all."""

    def __init__(self, host: LabHost, folder: Path, torrent: Path, content: Path | None = None):
        self.address = host.ip
        self._host = host
        self._content = content  # A seed's.
        self.finished = folder / "finished"
        folder.mkdir(parents=True)
        self._script = folder / "finish"
        self._script.write_text(f"#!/bin/sh\ndate +%s.%N >{self.finished}.part &&\n"
                                f"  mv {self.finished}.part {self.finished}\n")
        self._script.chmod(0o755)
        super().__init__(folder, torrent)

    def command(self, torrent: Path) -> list:
        if self._content is not None:
            os.link(self._content, self.files / self._content.name)
        *command, name = super().command(torrent)
        return self._host.enter([*command, *self.options(), name])


class _Aria2(_Stock, Aria2):
    def options(self) -> list[str]:
        # A seed that verified first would announce itself as one that lacks it all.
        trusts = ["--bt-seed-unverified=true"] if self._content else []
        return ["--enable-peer-exchange=true", f"--on-bt-download-complete={self._script}", *trusts]


class _Transmission(_Stock, Transmission):
    def options(self) -> list:
        settings = self.folder / "config/settings.json"
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"pex-enabled": True}))
        return ["--finish", self._script, *(["--verify"] if self._content else [])]


def torrent_of(cluster: Cluster, folder: Path, size: int) -> tuple[Path, Path]:
    """Random content and its torrent, with a tracker on the seed's host."""
    content, torrent = folder / "content", folder / "content.torrent"
    content.write_bytes(os.urandom(size))
    run(["transmission-create", "-o", torrent, "-t",
         f"http://{cluster.seed.ip}:{TRACKER_PORT}/announce", content])
    return content, torrent


def announced(cluster: Cluster, info_hash: bytes) -> bool:
    """Whether the tracker knows a peer, which is the seed."""
    query = urllib.parse.urlencode({"info_hash": info_hash})
    try:
        with contextlib.closing(HostConnection(
                cluster.seed.namespace, f"{cluster.seed.ip}:{TRACKER_PORT}")) as connection:
            connection.request("GET", f"/scrape?{query}")
            said = bdecoded(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError, IndexError):
        return False
    files = said.get(b"files", {}) if isinstance(said, dict) else {}
    return any(of.get(b"complete", 0) + of.get(b"incomplete", 0) for of in files.values())


def stock_row(cluster: Cluster, kind: type, key: str, label: str, size: int) -> Row:
    """The same blob and links, by clients that know nothing of each other but a tracker."""
    folder = cluster.network.folder / key.replace(" ", "-")
    tracker_folder = folder / "tracker"
    tracker_folder.mkdir(parents=True)
    for path in (cluster.network.folder, folder, tracker_folder):
        path.chmod(0o755)  # The tracker is nobody.
    content, torrent = torrent_of(cluster, folder, size)
    info_hash = v1_info_hash(torrent.read_bytes())
    (tracker_folder / "whitelist").write_text(info_hash.hex() + "\n")
    links = cluster.links()
    least = bound_of(size, [cluster.seed], cluster.peers, links).seconds
    clients, started = [], []
    tracker = Process(cluster.seed.enter(
        ["opentracker", "-i", cluster.seed.ip, "-p", str(TRACKER_PORT), "-P", str(TRACKER_PORT),
         "-d", tracker_folder, "-w", "whitelist"]), folder / "tracker.log")
    try:
        seed = kind(cluster.seed, folder / "seed", torrent, content)
        clients.append(seed)
        until(lambda: announced(cluster, info_hash), f"{label}: the seed is announced")
        with _Watched(cluster) as watched:
            start = time.time()
            for number, host in enumerate(cluster.peers):
                started.append(kind(host, folder / f"peer{number}", torrent))
                clients.append(started[-1])
            deadline = time.monotonic() + WAIT_BOUNDS * least
            while (time.monotonic() < deadline and
                   not all(client.finished.exists() for client in started)):
                time.sleep(0.1)
        accounts = [Account(client.process.pid) for client in clients if client.process.alive()]
        cpu = sum(account.cpu_seconds() for account in accounts)
        peak = max((account.peak_rss_mb() for account in accounts), default=None)
    finally:
        for client in clients:
            client.process.end(9)
        tracker.end(9)
    complete = {host.name: float(client.finished.read_text()) - start
                for host, client in zip(cluster.peers, started) if client.finished.exists()}
    shutil.rmtree(folder)
    return Row(key, label, {
        "hosts": len(cluster.peers), "bytes": size, "bound_s": least, "failed": [],
        "unfinished": len(started) - len(complete), "complete_s": complete,
        **times(list(complete.values()), [], least),
        "seed_copies_wire": watched.sent(cluster.seed) / size,
        "upload_skew": skew([watched.sent(host) for host in cluster.peers]),
        "cpu_s_per_gib": cpu / (size * max(1, len(complete)) / 2**30), "peak_rss_mb": peak,
        "machine_busy": watched.busy})


def tree_row(cluster: Cluster, size: int) -> Row:
    """Computed for the measured rates, not run."""
    links = cluster.links()
    count = len(cluster.peers)
    seconds = binary_tree(size, TREE_PIECES, count, min(
        min(rates.up, rates.down) for rates in links.values()))
    least = bound_of(size, [cluster.seed], cluster.peers, links).seconds
    return Row("binary tree", "computed", {
        "hosts": count, "bytes": size, "bound_s": least, "failed": [], "max_s": seconds,
        "over_bound": seconds / least})


def baselines(lab: Lab) -> Iterator[Row]:
    """What else there is, in the same run."""
    cluster, size = lab.cluster(), lab.options.size
    folder = cluster.network.folder
    yield one_server_row(cluster, _Registry(cluster.seed, "docker-registry", folder / "registry"),
                         "registry", "docker-registry, HTTP")
    yield one_server_row(
        cluster, _LoneNode(cluster.seed, "shoal alone", folder / "alone", lab.options.binary),
        "alone", "one shoal node, HTTP")
    yield stock_row(cluster, _Aria2, "aria2", "aria2", size)
    yield stock_row(cluster, _Transmission, "transmission", "transmission", size)
    yield tree_row(cluster, size)
