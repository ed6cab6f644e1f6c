"""A running cluster in the lab: one seed, and the hosts that want what it has."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.http import Api, image_manifest
from harness.process import run, until

from .network import LabHost, LabNetwork, Rates, measure_links

TORRENT_BYTES_MIN = 2 << 20  # Smaller blobs come over HTTPS.
SECONDS = 600  # At most, for anything that is waited for.
# A cluster takes some nodes at once and then five a second (joins_per_second in
# orchestrator/membership/join_service.h): a little less than it takes.
JOINS_AT_ONCE, JOINS_PER_SECOND = 16, 4
BACKGROUND = "copies"  # The repository of which all nodes keep a copy.
FLAGS = ("--cluster-replicas", "1", "--cluster-durability", "local", "--cluster-repair-delay", "1s",
         "--store-scrub-rate", "0", "--log-format", "json")


@dataclass(frozen=True)
class Image:
    repository: str
    tag: str
    config: tuple[str, int]  # Digest and size.
    layers: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.layers)

    @property
    def digests(self) -> list[str]:
        return [digest for digest, _ in self.layers]


def push_image(api: Api, repository: str, tag: str, sizes: Sequence[int]) -> Image:
    """Layers of random bytes, to any registry."""
    config = json.dumps({"image": f"{repository}:{tag}"}).encode()
    first = push_blob(api, repository, config)
    layers = [push_blob(api, repository, os.urandom(size)) for size in sizes]
    _, answer = api.push_manifest(repository, tag, image_manifest(first, layers))
    if answer.status != 201:
        raise RuntimeError(f"a manifest was answered {answer.status}: {answer.body[:200]!r}")
    return Image(repository, tag, first, tuple(layers))


def push_blob(api: Api, repository: str, content: bytes) -> tuple[str, int]:
    digest, answer = api.push_blob(repository, content)
    if answer.status != 201:
        raise RuntimeError(f"a push was answered {answer.status}: {answer.body[:200]!r}")
    return digest, len(content)


class Cluster:
    """The first host keeps the cluster's state and is a peer as the others; the second is the seed.
    So the seed can be killed and the state stays."""

    def __init__(self, network: LabNetwork, peers: int, mbit: float):
        self.network = network
        self.mbit = mbit
        self.names: dict[str, str] = {}  # Of all nodes that were seen, by their ids.
        self._images = 0
        home, self.seed, *others = [network.host() for _ in range(peers + 1)]
        self.peers = [home, *others]
        network.introduce()
        self._token = ""
        self._flags = [*FLAGS, "--cluster-replicas-for", f"{BACKGROUND}/*={peers + 1}"]
        for host in self.hosts:
            host.flags += self._flags
        home.start()
        with home.api() as api:
            answer = api.send("POST", "/shoal/v1/cluster/tokens?ttl=86400&uses=1000")
        assert answer.status == 201, answer.body
        self._token = answer.json()["token"]
        for number, host in enumerate([self.seed, *others]):
            if number >= JOINS_AT_ONCE:
                time.sleep(1 / JOINS_PER_SECOND)
            host.begin_to_join(home, self._token)
        for host in (self.seed, *others):
            host.until_ready()
        self.until_live()
        for host in self.hosts:
            host.shape(mbit, mbit)

    @property
    def hosts(self) -> list[LabHost]:
        return [self.seed, *self.peers]

    def late_host(self) -> LabHost:
        """One more, not started yet."""
        host = self.network.host()
        self.network.introduce()
        host.flags += self._flags
        host.shape(self.mbit, self.mbit)
        return host

    def begin_late(self, host: LabHost) -> None:
        host.begin_to_join(self.peers[0], self._token)

    def until_live(self) -> None:
        """Until each sees all of them, and nobody else, alive."""
        wanted = {host.name for host in self.hosts}

        def sees_all(host: LabHost) -> bool:
            with host.api() as api:
                members = api.send("GET", "/shoal/v1/cluster/status").json()["members"]
            self.names |= {member["id"]: member["name"] for member in members}
            return {member["name"] for member in members if member["live"]} == wanted

        for host in self.hosts:
            until(lambda host=host: sees_all(host), f"{host.name} sees all members", SECONDS)

    def revive(self) -> None:
        """Starts the nodes again that have been killed, or have died."""
        dead = [host for host in self.hosts if not host.process.alive()]
        for host in dead:
            host.kill()  # Takes note of its end.
            host.begin()
        for host in dead:
            host.until_ready()
        self.until_live()

    def links(self, hosts: Sequence[LabHost] | None = None) -> dict[str, Rates]:
        return measure_links(self.network, list(hosts or self.hosts))

    def push(self, sizes: Sequence[int], repository: str = "lab/app") -> Image:
        """Layers of random bytes, to the seed, each with its torrent made."""
        self._images += 1
        with self.seed.api(SECONDS) as api:
            image = push_image(api, repository, f"{self._images}", sizes)
        for digest, size in image.layers:
            if size >= TORRENT_BYTES_MIN:
                ask_torrent(self.seed, digest)
        return image

    def forget(self, image: Image) -> None:
        """Everywhere, so that a long run does not fill the disk."""
        with self.seed.api(SECONDS) as api:
            api.send("DELETE", f"/v2/{image.repository}/manifests/{image.tag}")
            for digest in image.digests:
                api.send("DELETE", f"/v2/{image.repository}/blobs/{digest}")


def ask_torrent(host, digest: str) -> None:
    """As another node does; the answer waits until it is made."""
    member = host.data / "cluster/node.pem"
    run(host.enter(["curl", "--silent", "--fail", "--insecure", "--max-time", "300", "--output",
                    "/dev/null", "--cert", member, "--key", member,
                    f"https://{host.cluster_address}/cluster/v1/torrents/{digest}"]))

