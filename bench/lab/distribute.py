"""One distribution: hosts that get an image, together or one after the other, and the figures of
it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .bound import Bound, bound
from .client import Client, Reading
from .cluster import SECONDS, Cluster, Image
from .measure import Meter, percentile, skew
from .network import LabHost, Rates
from .rows import times

STORED_SECONDS = 30  # After a client has the last byte.


@dataclass
class Plan:
    """Who gets the image, and how."""

    image: Image
    peers: Sequence[LabHost]
    reads: bool = True  # A client on each reads it; else each is only asked for the manifest.
    delays: Mapping[str, float] = field(default_factory=dict)  # By host: seconds until it begins.
    seeds: Sequence[LabHost] = ()  # Who has it; the cluster's seed unless said.
    # Called in a thread of its own when the clock has started, with the meter.
    during: Callable[[Meter], None] | None = None
    lost: Sequence[str] = ()  # Hosts that `during` kills: their pulls need not end well.
    # From the measured rates, where it is not that of Kumar and Ross for all hosts at once.
    least: Callable[[dict[str, Rates]], float] | None = None
    links: Mapping[str, Rates] | None = None  # Measured before; else they are now.


def bound_of(size: float, seeds: Sequence[LabHost], peers: Sequence[LabHost],
             links: Mapping[str, Rates]) -> Bound:
    return bound(size, [links[host.name].up for host in seeds],
                 [links[host.name].up for host in peers],
                 [links[host.name].down for host in peers])


class _Pull:
    """Of one host, in a thread of its own. Times are since it began."""

    def __init__(self, plan: Plan, host: LabHost, meter: Meter, gate: threading.Barrier):
        self.host = host
        self._plan = plan
        self._meter = meter
        self._gate = gate
        self._client = Client(host, plan.image)
        self.reading: Reading = self._client.reading
        self.stored_s: float | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def complete_s(self) -> float | None:
        """The client has all of it, and so does the node."""
        if self.reading.error or self.stored_s is None:
            return None
        return max(self.stored_s, self.reading.end_s or 0)

    def _run(self) -> None:
        self._gate.wait()
        time.sleep(self._plan.delays.get(self.host.name, 0))
        reading = self.reading
        reading.start = time.monotonic()
        seconds = STORED_SECONDS
        if self._plan.reads:
            self._client.read()
        else:
            self._client.prefetch()
            seconds = SECONDS
        if reading.error:
            return
        stored = self._meter.wait_stored(self.host, self._plan.image.digests, seconds)
        if stored is None:
            reading.error = "the node has not kept it"
        else:
            self.stored_s = stored - (reading.start - self._meter.start)


def distribute(cluster: Cluster, plan: Plan) -> dict:
    """The figures of one repetition, for the JSON. Raises nothing for pulls that fail."""
    seeds = list(plan.seeds or [cluster.seed])
    links = plan.links or cluster.links([*seeds, *plan.peers])
    size = plan.image.size
    terms = bound_of(size, seeds, plan.peers, links)
    least = plan.least(links) if plan.least else terms.seconds
    hosts = [*seeds, *plan.peers]
    with Meter(cluster.network, hosts) as meter:
        gate = threading.Barrier(len(plan.peers) + 1)
        pulls = [_Pull(plan, host, meter, gate) for host in plan.peers]
        meter.begin()
        gate.wait()
        if plan.during:
            threading.Thread(target=plan.during, args=(meter,), daemon=True).start()
        for pull in pulls:
            pull.thread.join()
        died = [f"{host.name}'s node died with {host.process.wait()}: {host.process.tail(1)}"
                for host in hosts if not host.process.alive() and host.name not in plan.lost]
    return {
        "hosts": len(plan.peers), "bytes": size, "started": meter.started, "bound_s": least,
        "bound": terms.json(), "first_piece_s": meter.first_pieces(),
        "links_mbit": {name: [rates.up * 8e-6, rates.down * 8e-6]
                       for name, rates in links.items()},
        **_times(pulls, least, plan, died), **_costs(meter, plan, seeds), "wrong": meter.wrong,
        "node_failures": meter.failures,
        "sources": _sources(cluster, meter), "picture": _picture(meter, plan, seeds, links)}


def _times(pulls: Sequence[_Pull], least: float, plan: Plan, died: list[str]) -> dict:
    done = [pull for pull in pulls if pull.complete_s is not None]
    half = {pull.host.name: pull.reading.half_s for pull in done if pull.reading.half_s}
    first = [pull.reading.first_byte_s for pull in done if pull.reading.first_byte_s]
    figures = {
        "failed": [f"{pull.host.name}: {pull.reading.error}" for pull in pulls
                   if pull.complete_s is None and pull.host.name not in plan.lost] + died,
        "complete_s": {pull.host.name: pull.complete_s for pull in done},
        "clients_end_s": {pull.host.name: pull.reading.end_s for pull in done
                          if pull.reading.end_s},
        "half_by_host_s": half,
        **times([pull.complete_s for pull in done], list(half.values()), least),
    }
    if first:
        figures |= {"first_byte_s": percentile(first, 0.5), "first_byte_max_s": max(first)}
    return figures


def _costs(meter: Meter, plan: Plan, seeds: Sequence[LabHost]) -> dict:
    size = plan.image.size
    nodes = meter.nodes
    peers = [nodes[host.name] for host in plan.peers
             if host.name in nodes and host.name not in plan.lost]
    givers = [nodes[host.name] for host in seeds if host.name in nodes]
    moved = sum(node.received for node in peers)
    figures = {
        "machine_busy": meter.busy,
        "wire_sent": {host.name: meter.sent(host) for host in (*seeds, *plan.peers)
                      if host.name in nodes},
        "sent_bytes": {name: node.sent for name, node in nodes.items()},
        "received_bytes": {name: node.received for name, node in nodes.items()},
        "cpu_s_per_gib": sum(node.cpu_s for node in nodes.values()) / (moved / 2**30)
        if moved else None,
        "peak_rss_mb": max((node.peak_rss_mb for node in nodes.values()), default=None),
        "https_share": sum(node.https for node in peers) / moved if moved else None,
    }
    wire = sum(meter.sent(host) for host in seeds)
    figures["seed_copies_wire"] = wire / size
    if givers:
        figures["seed_copies"] = sum(node.sent for node in givers) / size
    if peers:
        # What came beyond one copy, pieces that were wrong included.
        figures["duplicate_share"] = moved / (size * len(peers)) - 1
        figures["upload_skew"] = skew([node.sent for node in peers])
    arrivals = [arrival for of in meter.arrivals.values() for arrival in of.values()]
    figures["redundant_bytes"] = sum(arrival.redundant for arrival in arrivals)
    figures["wrong_bytes"] = sum(arrival.wrong for arrival in arrivals)
    return figures


def _sources(cluster: Cluster, meter: Meter) -> dict[str, dict[str, int]]:
    """For each host, whom its bytes came from, as its log says; `https`: not by the swarm."""
    of: dict[str, dict[str, int]] = {}
    for host, arrivals in meter.arrivals.items():
        for arrival in arrivals.values():
            for node, count in arrival.sources.items():
                name = cluster.names.get(node, node)
                of.setdefault(host, {})[name] = of.get(host, {}).get(name, 0) + count
    return of


def _picture(meter: Meter, plan: Plan, seeds: Sequence[LabHost],
             links: Mapping[str, Rates]) -> dict:
    """What the plots are drawn from."""
    wanted = set(plan.image.digests)
    pieces = {}
    for host in plan.peers:
        points: list[tuple[float, float]] = []
        arrivals = {digest: arrival for digest, arrival in
                    meter.arrivals.get(host.name, {}).items() if digest in wanted}
        if len(arrivals) == 1:
            arrival = next(iter(arrivals.values()))
            points = [(round(at, 3), count / arrival.pieces) for at, count in arrival.points]
            if arrival.stored_s is not None:
                points.append((round(arrival.stored_s, 3), 1.0))
        pieces[host.name] = points
    use = {}
    samples = meter.samples
    for host in (*seeds, *plan.peers):
        rows = []
        for (since, before), (until, after) in zip(samples, samples[1:]):
            if until > since and host.link in before and host.link in after:
                spent = until - since
                rows.append((round(until, 2), *(
                    round((after[host.link][way] - before[host.link][way]) / spent / rate, 3)
                    for way, rate in enumerate((links[host.name].up, links[host.name].down)))))
        use[host.name] = rows
    return {"pieces": pieces, "links": use, "seeds": [host.name for host in seeds]}
