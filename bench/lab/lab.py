"""What the workloads run in: the options, and one running cluster for as many of them as can use
it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import hosts as hosts_of
from harness import node as node_of

from .cluster import Cluster
from .distribute import Plan, distribute
from .network import LabNetwork

MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    hosts: int
    mbit: float
    size: int    # Bytes of a blob.
    layers: int  # Of W3's first image.
    binary: Path
    say: Callable[[str], None]  # Progress, for people.


class Lab:
    """As a context manager: whatever it started has ended after the block."""

    def __init__(self, options: Options):
        self.options = options
        self._network: LabNetwork | None = None
        self._cluster: Cluster | None = None
        node_of.BINARY = hosts_of.BINARY = options.binary

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def cluster(self) -> Cluster:
        """Of all hosts, at the rate of the options, all of them alive; started when first asked
        for, with one small image pulled everywhere so that all nodes have met."""
        if self._cluster is not None:
            self._cluster.revive()
        else:
            self.start(self.options.hosts, self.options.mbit)
        return self._cluster

    def start(self, peers: int, mbit: float) -> None:
        """Another cluster in place of what runs."""
        self.close()
        self.options.say(f"starting a seed and {peers} hosts of {mbit:g} Mbit/s")
        self._network = LabNetwork()
        cluster = Cluster(self._network, peers, mbit)
        image = cluster.push([4 * MIB])
        warm = distribute(cluster, Plan(image, cluster.peers))
        cluster.forget(image)
        if warm["failed"]:
            raise RuntimeError(f"the hosts do not get an image: {warm['failed'][0]}")
        self._cluster = cluster

    def close(self) -> None:
        network, self._network, self._cluster = self._network, None, None
        if network is not None:
            network.close()

    def distribute(self, sizes: list[int], **plan) -> dict:
        """Pushes an image to the seed, and lets all hosts (or `peers`) get it."""
        cluster = self.cluster()
        image = cluster.push(sizes)
        plan.setdefault("peers", cluster.peers)
        try:
            return distribute(cluster, Plan(image, **plan))
        finally:
            cluster.forget(image)
