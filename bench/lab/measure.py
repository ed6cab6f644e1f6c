"""What a run cost the nodes, and when what came: from the kernel's books, the nodes' own interface
and their logs."""

import contextlib
import datetime
import http.client
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kit.process import Account

from .client import HostConnection
from .network import LabHost, LabNetwork, LinkWatch

POLL_S = 0.25


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: a value that was measured. `share` from 0 to 1."""
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)  # Rounded up.
    return ordered[max(0, min(len(ordered), rank) - 1)]


def skew(values: Sequence[float]) -> float:
    """Largest over mean: 1 when all did the same."""
    mean = sum(values) / len(values)
    return max(values) / mean if mean else 1.0


def busy_seconds() -> float:
    """Of all cores, since the machine has started: what runs here beside the nodes counts, too."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def transfers_now(host: LabHost) -> set[str]:
    """Digests that come to the host now."""
    with contextlib.closing(HostConnection(host.namespace, host.address)) as connection:
        return {one["digest"] for one in transfers(host, connection)["now"] if one["arriving"]}


def transfers(host: LabHost, connection: http.client.HTTPConnection) -> dict:
    connection.request("GET", "/shoal/v1/transfers")
    return json.loads(connection.getresponse().read())


@dataclass
class NodeCost:
    """Of one node, over the run."""

    cpu_s: float
    peak_rss_mb: float
    wire_sent: int
    wire_received: int
    received: int  # Payload, duplicates included, by the swarm and over HTTPS.
    sent: int      # Payload that left by the swarm.
    https: int


@dataclass
class Arrival:
    """Of one digest on one host: when, in seconds since the clock started, so many pieces were
    there. `stored_s`: the node had verified and kept all of it."""

    points: list[tuple[float, int]] = field(default_factory=list)
    pieces: int = 0
    redundant: int = 0
    wrong: int = 0
    stored_s: float | None = None
    sources: dict[str, int] = field(default_factory=dict)


class _Log:
    """The lines that a node adds to its log from now on."""

    def __init__(self, host: LabHost):
        self._file = open(host.log, "rb")
        self._file.seek(0, 2)
        self._rest = b""

    def lines(self) -> list[dict]:
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [json.loads(line) for line in whole if line.startswith(b"{")]

    def close(self) -> None:
        self._file.close()


class Meter:
    """Around one run: `with Meter(...) as meter`. Nodes may be killed inside it: what they used
    until then is not counted."""

    def __init__(self, network: LabNetwork, hosts: Sequence[LabHost]):
        self._hosts = list(hosts)
        self._watch = LinkWatch(network)
        self._before: dict[str, tuple[float, dict]] = {}
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._follow_logs, self._poll_transfers)]
        self.arrivals: dict[str, dict[str, Arrival]] = {}  # By host and digest.
        self.failures: list[str] = []  # What nodes logged as not fetched.
        self.wrong: list[dict] = []    # What they logged of pieces that were not what they claim.
        self.nodes: dict[str, NodeCost] = {}
        self.start = 0.0    # The clock's zero, as time.monotonic() has it,
        self.started = 0.0  # and as the nodes' logs do.
        self.busy = 0.0  # Share of the machine's cores that was in use.

    def __enter__(self) -> "Meter":
        self._accounts = {host.name: Account(host.process.pid) for host in self._hosts}
        self._logs = {host.name: _Log(host) for host in self._hosts}
        for host in self._hosts:
            self.arrivals[host.name] = {}
            self._accounts[host.name].reset_peak()
            self._before[host.name] = (self._accounts[host.name].cpu_seconds(),
                                       self._totals(host))
        self._watch.__enter__()
        self.begin()
        for thread in self._threads:
            thread.start()
        return self

    def begin(self) -> None:
        """The clock starts anew."""
        self.start = time.monotonic()
        self.started = time.time()
        self._busy_before = busy_seconds()

    def __exit__(self, *_) -> None:
        self.busy = ((busy_seconds() - self._busy_before) /
                     ((time.monotonic() - self.start) * os.cpu_count()))
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._watch.__exit__()
        for host in self._hosts:
            # A killed node's books are closed.
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
                self.nodes[host.name] = self._cost(host)
        for log in self._logs.values():
            log.close()

    @property
    def samples(self) -> list[tuple[float, dict[str, tuple[int, int]]]]:
        return [(at - self.start, links) for at, links in self._watch.samples]

    def sent(self, host: LabHost) -> int:
        """Bytes that left the host in all of the run, on the wire."""
        return self._watch.sent_and_received(host)[0]

    def first_pieces(self) -> dict[str, float]:
        """By host: when it was first seen to have a piece; up to POLL_S late."""
        seen = {}
        for host, arrivals in self.arrivals.items():
            times = [at for arrival in arrivals.values() for at, count in arrival.points if count]
            if times:
                seen[host] = min(times)
        return seen

    def wait_stored(self, host: LabHost, digests: Sequence[str], seconds: float) -> float | None:
        """When the node had all of them; None: it died, or not within so many seconds from now
        on."""
        def missing() -> bool:
            of = self.arrivals[host.name]
            return any(digest not in of or of[digest].stored_s is None for digest in digests)

        deadline = time.monotonic() + seconds
        with self._changed:
            while missing():
                self._changed.wait(1)
                if time.monotonic() > deadline or not host.process.alive():
                    return None
            return max(self.arrivals[host.name][digest].stored_s for digest in digests)

    def _cost(self, host: LabHost) -> NodeCost:
        cpu, before = self._before[host.name]
        totals = self._totals(host)
        grown = {name: totals[name] - before[name]
                 for name in ("received_bytes", "sent_bytes", "https_bytes")}
        account = self._accounts[host.name]
        sent, received = self._watch.sent_and_received(host)
        return NodeCost(account.cpu_seconds() - cpu, account.peak_rss_mb(), sent, received,
                        grown["received_bytes"] + grown["https_bytes"], grown["sent_bytes"],
                        grown["https_bytes"])

    def _totals(self, host: LabHost) -> dict:
        with contextlib.closing(HostConnection(host.namespace, host.address)) as connection:
            return transfers(host, connection)["totals"]

    def _arrival(self, host: LabHost, digest: str) -> Arrival:
        return self.arrivals[host.name].setdefault(digest, Arrival())

    def _follow_logs(self) -> None:
        while not self._stop.wait(0.02):
            for host in self._hosts:
                for line in self._logs[host.name].lines():
                    self._take(host, line)

    def _take(self, host: LabHost, line: dict) -> None:
        message = line.get("message", "")
        if message == "blob fetched":
            wall = datetime.datetime.fromisoformat(line["time"]).timestamp()
            with self._changed:
                arrival = self._arrival(host, line["digest"])
                arrival.stored_s = wall - self.started
                pairs = (one.rsplit(":", 1) for one in line["from"].split(",") if ":" in one)
                arrival.sources = {node: int(size) for node, size in pairs}
                self._changed.notify_all()
        elif message == "blob not fetched":
            self.failures.append(f"{host.name}: {line.get('error')}")
        elif message == "wrong pieces received":
            self.wrong.append({"host": host.name, **line})

    def _poll_transfers(self) -> None:
        connections = {host.name: HostConnection(host.namespace, host.address)
                       for host in self._hosts}
        while not self._stop.wait(POLL_S):
            for host in self._hosts:
                connection = connections[host.name]
                try:
                    now = transfers(host, connection)["now"]
                except (OSError, http.client.HTTPException, ValueError):
                    connection.close()
                    continue
                at = time.monotonic() - self.start
                for one in now:
                    if one["arriving"]:
                        arrival = self._arrival(host, one["digest"])
                        arrival.points.append((at, one["arrived_pieces"]))
                        arrival.pieces = one["pieces"]
                        arrival.redundant = max(arrival.redundant, one["redundant_bytes"])
                        arrival.wrong = max(arrival.wrong, one["wrong_bytes"])
        for connection in connections.values():
            connection.close()
