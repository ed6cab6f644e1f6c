"""W4: how long a host waits for a small object that it lacks and another has."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator

from .client import HostConnection
from .cluster import SECONDS, Cluster, push_blob
from .lab import Lab
from .measure import percentile
from .rows import Row

REPOSITORY = "lab/small"
OBJECTS = ((1, "1 B", 200), (10_000, "10 KB", 200), (1 << 20, "1 MiB", 60))


def w4(lab: Lab) -> Iterator[Row]:
    """Small objects, each a new one, asked for once, by each host in turn: nothing else goes on."""
    cluster = lab.cluster()
    for size, label, count in OBJECTS:
        yield Row(f"W4 {label}", label, _first_gets(cluster, size, count))


def _first_gets(cluster: Cluster, size: int, count: int) -> dict:
    # There are 256 objects of one byte; of the others no two are the same.
    contents = ([bytes([number]) for number in range(min(count, 256))] if size == 1 else
                [os.urandom(size) for _ in range(count)])
    with cluster.seed.api(SECONDS) as api:
        digests = [push_blob(api, REPOSITORY, content)[0] for content in contents]
    waits, first, failed = [], [], []
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(
            HostConnection(host.namespace, host.address))) for host in cluster.peers]
        for connection in connections:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        for number, digest in enumerate(digests):
            connection = connections[number % len(connections)]
            start = time.monotonic()
            connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}")
            answer = connection.getresponse()
            begun = answer.read(1)
            first.append(time.monotonic() - start)
            body = begun + answer.read()
            waits.append(time.monotonic() - start)
            if answer.status != 200 or f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
                failed.append(f"GET of {size} bytes: {answer.status}")
    with cluster.seed.api(SECONDS) as api:
        for digest in digests:
            api.send("DELETE", f"/v2/{REPOSITORY}/blobs/{digest}")
    return {"hosts": len(cluster.peers), "bytes": size, "requests": len(digests), "failed": failed,
            "p50_s": percentile(waits, 0.5), "p99_s": percentile(waits, 0.99),
            "max_s": max(waits), "first_byte_s": percentile(first, 0.5)}
