"""W8, the second half: one peer that sends bad pieces. Nodes speak BitTorrent with members of their
cluster alone, so the liar is one: a real node that holds the blob, and that the others reach
through liar_process.py."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.http import digest_of
from harness.process import until
from harness.torrents import info_hash
from kit.process import die_with_parent

from .client import Client
from .cluster import SECONDS, Cluster, Image
from .distribute import Plan, distribute
from .lab import Lab
from .network import LabHost
from .rows import Row

BEHIND = 5002  # Where the real node serves the others, who know port 5001 of its address.


class Liar:
    """Stands before the node of `host` until the block ends; then `account` is what it did."""

    def __init__(self, host: LabHost, digest: str, info_hash: bytes, pieces: int,
                 way: str = "noise"):
        folders = f"{Path(__file__).parents[1]}:{Path(__file__).parents[2] / 'tests/e2e'}"
        self._host = host
        self._command = host.enter(
            ["env", f"PYTHONPATH={folders}", sys.executable, "-m", "lab.liar_process",
             f"{host.ip}:5001", f"{host.ip}:{BEHIND}", str(host.data / "cluster/node.pem"), digest,
             info_hash.hex(), str(pieces), way])
        self.account: dict[str, dict] = {}

    def __enter__(self) -> "Liar":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, text=True,
                                         stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        if not self._process.stdout.readline():
            raise RuntimeError(f"the liar ended with {self._process.wait()}")
        return self

    def __exit__(self, *_) -> None:
        try:
            said, _ = self._process.communicate(timeout=60)
            self.account = json.loads(said)
        finally:
            self._process.kill()
            self._process.wait()


def named_as_holder(cluster: Cluster, asker: LabHost, digest: str, node: str) -> bool:
    """Whether a node of the directory says so (p2p/directory_messages.h)."""
    kind, content = digest.split(":")
    assert kind == "sha256"
    words = struct.pack(">BcBI", 1, b"L", 0, 1) + b"\x01" + bytes.fromhex(content)
    body = cluster.network.folder / "lookup"
    body.write_bytes(words)
    member = asker.data / "cluster/node.pem"
    for host in cluster.peers:
        answer = subprocess.run(
            asker.enter(["curl", "--silent", "--fail", "--insecure", "--max-time", "20", "--cert",
                         str(member), "--key", str(member), "--data-binary", f"@{body}",
                         f"https://{host.cluster_address}/cluster/v1/directory/lookup"]),
            capture_output=True, check=False)
        if node.encode() in answer.stdout:
            return True
    return False


def info_hash_of(host: LabHost, image: Image) -> tuple[bytes, int]:
    """Of the torrent of its one layer, which the node holds and shares now; and its pieces."""
    (digest, size), = image.layers
    with host.api(SECONDS) as api:
        content = api.send("GET", f"/v2/{image.repository}/blobs/{digest}").body
        now = api.send("GET", "/shoal/v1/transfers").json()["now"]
    assert digest_of(content) == digest
    pieces = next(one["pieces"] for one in now if one["digest"] == digest)
    piece_bytes = next(1 << bits for bits in range(14, 30) if -(-size >> bits) == pieces)
    return info_hash(digest, content, piece_bytes), pieces


def w8_liar(lab: Lab) -> Iterator[Row]:
    """One more member than the other workloads have, with a whole copy that it lies about."""
    cluster = lab.cluster()
    host = cluster.late_host()
    host.flags += ["--cluster-listen", f"{host.ip}:{BEHIND}", "--advertise", f"{host.ip}:5001"]
    cluster.begin_late(host)
    host.until_ready()
    image = cluster.push([lab.options.size // 2])
    reading = Client(host, image).read()
    if reading.error:
        raise RuntimeError(f"the liar's node does not get the blob: {reading.error}")
    hash_of_info, pieces = info_hash_of(host, image)
    with Liar(host, image.digests[0], hash_of_info, pieces) as liar:
        node = host.id()
        until(lambda: named_as_holder(cluster, cluster.seed, image.digests[0], node),
              "the directory names the liar as a holder", SECONDS)
        figures = distribute(cluster, Plan(image, cluster.peers))
    names = {one.ip: one.name for one in cluster.peers}
    start = figures["started"]
    figures["liar"] = {names.get(ip, ip): {**of, "last": of["last"] and of["last"] - start}
                       for ip, of in liar.account.items()}
    figures |= judge(figures)
    yield Row("W8 liar", "one sends bad pieces", figures)
    cluster.forget(image)
    host.stop()
    cluster.revive()


def judge(figures: dict) -> dict:
    """What of the payload was noise, and how many have not barred the liar: they took
    bytes of it in the second half of the run."""
    took = [of for of in figures["liar"].values() if of["bytes"]]
    half = figures.get("max_s", 0.0) / 2
    return {"liar_share": sum(of["bytes"] for of in took) / figures["bytes"] / figures["hosts"],
            "liar_asked_by": len(took),
            "liar_not_barred_by": sum(of["last"] >= half for of in took)}
