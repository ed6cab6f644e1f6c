"""The swarm as other clients of BitTorrent see it: stock ones, and such that lie."""

import concurrent.futures
import contextlib
import subprocess
import threading

import pytest

from harness.bt_clients import Aria2, Transmission
from harness.http import digest_of
from harness.lying_peer import WAYS, LyingPeer
from harness.node import BINARY, Node
from harness.process import until
from harness.pulls import random_bytes

MIB = 1 << 20
CLUSTER = ("--cluster-listen", "127.0.0.1:0")


def shoal(node, *arguments):
    done = subprocess.run([BINARY, *arguments, "--node", f"http://{node.address}"],
                          capture_output=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode()


@contextlib.contextmanager
def open_node(folder, *flags, address="127.0.0.2"):
    """A cluster of its own: BitTorrent is all that it shares with other nodes."""
    node = Node(folder, flags=(*CLUSTER, "--swarm-open", f"{address}:0", *flags))
    node.folder.mkdir(parents=True, exist_ok=True)
    try:
        yield node.start()
    finally:
        node.kill()


@pytest.fixture
def node(folder):
    with open_node(folder / "node") as started:
        yield started


def push(node, content):
    with node.api() as api:
        digest, pushed = api.push_blob("app", content)
        assert pushed.status == 201, pushed.body
    return digest


def delete(node, digest):
    with node.api() as api:
        assert api.send("DELETE", f"/v2/app/blobs/{digest}").status == 202
    assert read(node, digest).status == 404


def torrent_of(node, digest, folder):
    code, torrent, error = shoal(node, "torrent", digest)
    assert code == 0, error
    path = folder / "layer.torrent"
    path.write_bytes(torrent)
    return path


def fetch(node, torrent):
    return shoal(node, "torrent", "--fetch", torrent, "--repository", "app")


def read(node, digest, name="app"):
    with node.api() as api:
        return api.send("GET", f"/v2/{name}/blobs/{digest}")


def metric(node, name):
    with node.api() as api:
        lines = api.send("GET", "/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


@pytest.mark.parametrize("kind", (Aria2, Transmission), ids=lambda kind: kind.name)
def test_a_stock_client_fetches_a_layer_and_seeds_it_back(folder, node, kind):
    # Neither whole pieces nor whole blocks.
    content = random_bytes(1, 20 * MIB + 12345)
    digest = push(node, content)
    torrent = torrent_of(node, digest, folder)
    with contextlib.closing(kind(folder / "client", torrent)) as client:
        client.until_complete(content)
        delete(node, digest)
        # Another one: Transmission never forgets that somebody was a seed, and gives seeds nothing.
        with open_node(folder / "other", address="127.0.0.3") as other:
            code, out, error = fetch(other, torrent)
            assert code == 0, error
            assert digest in out.decode()
            assert read(other, digest).body == content
            assert metric(other, "shoal_swarm_received_bytes_total") >= len(content)
            code, out, error = shoal(other, "transfers")
            assert f"{client.address} 20.0 MiB" in out.decode(), out
            # What is here by now is wanted under another name.
            code, _, error = shoal(other, "torrent", "--fetch", torrent, "--repository", "team/b")
            assert code == 0, error
            assert read(other, digest, "team/b").body == content


def test_a_stock_client_fetches_from_several_nodes(folder):
    content = random_bytes(2, 16 * MIB)
    slow = ("--swarm-send-rate", "4MiB")  # So that none of them has given it all at once.
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(open_node(folder / address, *slow, address=address))
                 for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4")]
        digest = push(nodes[0], content)
        torrent = torrent_of(nodes[0], digest, folder)
        for node in nodes[1:]:
            code, _, error = fetch(node, torrent)
            assert code == 0, error
        before = [metric(node, "shoal_swarm_sent_bytes_total") for node in nodes]
        client = stack.enter_context(contextlib.closing(Aria2(folder / "client", torrent)))
        client.until_complete(content)
        for node, sent in zip(nodes, before):
            assert metric(node, "shoal_swarm_sent_bytes_total") - sent > MIB


@pytest.mark.parametrize("way", WAYS)
def test_a_peer_that_lies_costs_nobody_the_layer(folder, way):
    """It says that it has all pieces, and gives none of them."""
    content = random_bytes(3, 12 * MIB)
    # Slow enough for the liar to be asked, too.
    with open_node(folder / "first", "--swarm-send-rate", "2MiB") as first:
        digest = push(first, content)
        torrent = torrent_of(first, digest, folder)
        liar = LyingPeer(torrent.read_bytes(), content, way)
        with contextlib.closing(liar), open_node(folder / "second", address="127.0.0.3") as second:
            liar.announce()
            code, _, error = fetch(second, torrent)
            assert code == 0, error
            assert liar.asked > 0
            assert read(second, digest).body == content


def test_with_liars_alone_a_transfer_fails_and_says_why(folder, node):
    content = random_bytes(4, 4 * MIB)
    digest = push(node, content)
    torrent = torrent_of(node, digest, folder)

    def fetch_from(way, address):
        """From liars alone, who keep at it; as soon as somebody has the layer, it can be had."""
        with open_node(folder / way, address=address) as other, \
                contextlib.closing(LyingPeer(torrent.read_bytes(), content, way)) as liar:
            liar.announce()
            code, _, error = fetch(other, torrent)
            assert code == 1
            assert f"no byte of {digest}" in error or f"no right piece of {digest}" in error
            assert read(other, digest).status == 404
            returned.wait(60)
            code, _, error = fetch(other, torrent)
            assert code == 0, error
            assert read(other, digest).body == content

    delete(node, digest)
    returned = threading.Barrier(len(WAYS) + 1)
    with concurrent.futures.ThreadPoolExecutor(len(WAYS)) as pool:
        tries = [pool.submit(fetch_from, way, f"127.0.0.{number + 3}")
                 for number, way in enumerate(WAYS)]
        until(lambda: returned.n_waiting == len(WAYS) or any(one.done() for one in tries),
              "all have failed", 90)
        for one in tries:
            assert not one.done(), one.result()
        assert digest_of(content) == push(node, content)
        returned.wait(60)
        for one in tries:
            one.result()


def test_nodes_alone_take_part_unless_it_is_said(folder):
    with open_node(folder / "open") as node:
        digest = push(node, random_bytes(5, 3 * MIB))
        torrent = torrent_of(node, digest, folder)
    closed = Node(folder, flags=CLUSTER)
    try:
        closed.start()
        push(closed, random_bytes(5, 3 * MIB))
        for arguments in ((digest,), ("--fetch", torrent, "--repository", "app")):
            code, _, error = shoal(closed, "torrent", *arguments)
            assert code == 1
            assert "--swarm-open 127.0.0.1:6881" in error
        with closed.api() as api:
            refused = api.send("GET", f"/shoal/v1/torrents/{digest}/announce")
            assert refused.status != 200
    finally:
        closed.kill()


def test_a_node_is_not_opened_to_the_network(folder):
    command = [BINARY, "node", "--data", folder / "data", "--listen", "127.0.0.1:0", *CLUSTER,
               "--swarm-open", "0.0.0.0:0"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert b"loopback" in done.stderr


def test_what_is_no_layer_has_no_torrent(folder, node):
    digest = digest_of(b"nobody has this")
    assert shoal(node, "torrent", digest)[0] == 3
    small = push(node, b"small")
    code, _, error = shoal(node, "torrent", small)
    assert code == 1 and "too small" in error
    (folder / "noise.torrent").write_bytes(b"d4:spam4:eggse")
    code, _, error = fetch(node, folder / "noise.torrent")
    assert code == 1 and "not a .torrent file of shoal's" in error
    with node.api() as api:
        for query in ("", "?info_hash=short&port=1", "?info_hash=" + "a" * 20 + "&port=0"):
            answer = api.send("GET", f"/shoal/v1/torrents/{digest}/announce{query}")
            assert answer.status == 200 and b"failure reason" in answer.body
        layer = push(node, random_bytes(6, 3 * MIB))
        other = api.send("GET", f"/shoal/v1/torrents/{layer}/announce?port=1&info_hash={'a' * 20}")
        assert b"is another one" in other.body
    until(lambda: metric(node, "shoal_swarm_torrents") == 0, "nothing is shared")
