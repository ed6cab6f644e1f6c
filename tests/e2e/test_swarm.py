"""Layers move between hosts by BitTorrent, and nobody else takes part in that."""

import concurrent.futures
import ipaddress
import socket
import ssl

import pytest

from harness.hosts import ONE_COPY, inside
from harness.http import digest_of
from harness.process import run, until
from harness.pulls import Pull, pull_blob, push_layers, push_small, random_bytes
from harness.torrents import PROTOCOL, handshake, info_hash, said

MIB = 1 << 20
IDLE_SECONDS = 90  # A torrent that nobody uses leaves after 40 s; a connection after 90 at most.
LAYER_BYTES = 2 * MIB  # The least that is shared by torrent.
TRANSFERS, IN_ONE_IMAGE = 1000, 50
KEPT = 16  # Descriptors of 8 connections to another node.


def test_hosts_that_pull_together_give_each_other_what_they_have(network):
    pusher, *others = network.cluster(4, ONE_COPY)
    content = random_bytes(1, 48 * MIB)
    assert push_small(pusher, "app", content)[0].status == 201
    for host in (pusher, *others):
        host.shape(up=100)
    pulls = [Pull(host, "app", content) for host in others]
    assert all(pull.right() for pull in pulls)
    digest = digest_of(content)
    for host in others:
        assert host.holds(digest)
        sources = host.sources(digest)
        assert set(sources) - {pusher.id(), "https"}, f"{host.name}: {sources}"


def test_what_many_clients_ask_for_at_once_is_fetched_once(network):
    pusher, other = network.cluster(2, ONE_COPY)
    content = random_bytes(2, 12 * MIB)
    assert push_small(pusher, "app", content)[0].status == 201
    other.shape(down=40)
    before = other.received_bytes()
    pulls = [Pull(other, "app", content) for _ in range(50)]
    assert all(pull.right() for pull in pulls)
    assert other.received_bytes() - before < 1.3 * len(content)
    assert len(other.logged("blob fetched", digest_of(content))) == 1


def pull_layers(host, name, digests, clients):
    """Through so many clients at once."""
    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        for got in threads.map(lambda digest: pull_blob(host, name, digest), digests):
            assert isinstance(got, bytes), got


def until_closed(host, before):
    """Until no more descriptors are open than `before`, but for connections that are kept for the
    next request."""
    until(lambda: host.process.descriptors() <= before + KEPT + 10,
          f"{host.name} closes what it opened after {before} descriptors", IDLE_SECONDS)


def test_many_layers_at_once_leave_nothing_open(network):
    pusher, other = network.cluster(2, ONE_COPY)
    layers = [random_bytes(100 + number, 5 * MIB // 2) for number in range(200)]
    assert push_layers(pusher, "app", layers)[0].status == 201
    assert push_small(pusher, "first", b"what is opened once")[0].status == 201
    assert Pull(other, "first").right()
    before = {host: host.process.descriptors() for host in (pusher, other)}
    with other.api() as api:
        manifest = api.send("GET", "/v2/app/manifests/1").json()
    pull_layers(other, "app", [layer["digest"] for layer in manifest["layers"]], 20)
    for layer in layers:
        assert other.sources(digest_of(layer)).keys() <= {pusher.id(), "https"}
    for host, count in before.items():
        until_closed(host, count)


def test_what_was_given_away_does_not_stay_in_memory(network):
    pusher, other = network.cluster(2, ONE_COPY)
    layers = [random_bytes(400 + number, LAYER_BYTES) for number in range(150)]
    assert push_layers(pusher, "app", layers)[0].status == 201
    before = pusher.process.memory()
    pull_layers(other, "app", map(digest_of, layers), 8)
    grown = pusher.process.memory() - before
    assert grown < 100 * MIB, f"{grown} bytes for {len(layers)} layers of {LAYER_BYTES}"


def delete_blobs(host, name, digests):
    with host.api() as api:
        for digest in digests:
            assert api.send("DELETE", f"/v2/{name}/blobs/{digest}").status == 202


def test_a_thousand_transfers_leave_no_memory_and_nothing_open(network):
    pusher, other = hosts = network.cluster(2, ONE_COPY)
    descriptors = {host: host.process.descriptors() for host in hosts}
    memory = []
    for number in range(TRANSFERS // IN_ONE_IMAGE):
        layers = [random_bytes(1000 * number + one, LAYER_BYTES) for one in range(IN_ONE_IMAGE)]
        digests, name = [digest_of(layer) for layer in layers], f"app{number}"
        assert push_layers(pusher, name, layers)[0].status == 201
        pull_layers(other, name, digests, 8)
        delete_blobs(pusher, name, digests)  # Everywhere: their torrents leave with them.
        if (number + 1) * IN_ONE_IMAGE in (TRANSFERS // 5, TRANSFERS):
            for host in hosts:
                until_closed(host, descriptors[host])
            memory.append({host: host.process.memory() for host in hosts})
    for host in hosts:
        early, late = (one[host] for one in memory)
        assert late < early + 64 * MIB, f"{host.name}: {early} bytes, later {late}"


def test_hosts_that_join_in_the_same_second_pull_at_once(network):
    first = network.host()
    first.flags += ONE_COPY
    first.start()
    content = random_bytes(3, 24 * MIB)
    assert push_small(first, "app", content)[0].status == 201
    first.shape(up=100)
    late = [network.host(), network.host()]
    for host in late:
        host.flags += ONE_COPY
        host.begin_to_join(first)
    pulls = [Pull(host.until_ready(), "app", content) for host in late]
    assert all(pull.right() for pull in pulls)
    for host in late:
        assert host.holds(digest_of(content))
    network.until_live(first, *late)


def test_what_is_deleted_while_it_is_given_away_is_gone(network):
    pusher, other = network.cluster(2, ONE_COPY)
    content = random_bytes(4, 48 * MIB)
    with pusher.api() as api:
        digest, pushed = api.push_blob("app", content)
        assert pushed.status == 201
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content, pull_blob, digest=digest)
    other.until_received(len(content) // 3, before)
    with pusher.api() as api:
        assert api.send("DELETE", f"/v2/app/blobs/{digest}").status == 202
    pull.wait()
    assert not pusher.holds(digest)
    with pusher.api() as api:
        assert api.send("GET", f"/v2/app/blobs/{digest}").status == 404


@pytest.fixture
def foreign(folder):
    """A certificate that no authority of ours has signed, with its key."""
    file = folder / "foreign.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", file, "-out", folder / "certificate.pem", "-days", "2",
         "-subj", "/CN=n-foreign"])
    with open(file, "ab") as both:
        both.write((folder / "certificate.pem").read_bytes())
    return file


def knock(host, target, words, certificate=None, tls=True, enough=None):
    """What a connection to the host's address `target` answers to these words; "" for nothing."""
    address, port = target.rsplit(":", 1)
    with inside(host.namespace):
        connection = socket.create_connection((address, int(port)), timeout=30)
    with connection:
        if not tls:
            return said(connection, words)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(certificate)
        try:
            with context.wrap_socket(connection) as protected:
                return said(protected, words, enough=enough)
        except (ssl.SSLError, ConnectionError):
            return b""


def listeners(host):
    """(address, port, process) of everything that waits for connections or datagrams."""
    found = []
    for line in run(host.enter(["ss", "-H", "-ltunp"])).splitlines():
        address, port = line.split()[4].rsplit(":", 1)
        found.append((address.strip("[]").split("%")[0], int(port), line))
    return found


def test_an_outsider_gets_nothing_of_the_swarm(network, foreign):
    pusher, other, third = network.cluster(3, ONE_COPY)
    outside = network.host()
    content = random_bytes(5, 24 * MIB)
    digest = digest_of(content)
    assert push_small(pusher, "app", content)[0].status == 201
    other.shape(down=40)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(MIB, before)

    hello = handshake(info_hash(digest, content, 64 << 10))
    tunnel = (f"GET /cluster/v1/swarm/{digest} HTTP/1.1\r\nHost: {pusher.cluster_address}\r\n"
              "Connection: Upgrade\r\nUpgrade: bittorrent\r\n\r\n").encode()
    torrent = (f"GET /cluster/v1/torrents/{digest} HTTP/1.1\r\nHost: {pusher.cluster_address}\r\n"
               "Connection: close\r\n\r\n").encode()
    target = pusher.cluster_address
    member = third.data / "cluster/node.pem"
    for words in (tunnel, torrent):
        assert knock(outside, target, words).startswith(b"HTTP/1.1 403 ")
        assert knock(outside, target, words, foreign) == b""
    # With a member's key it is another thing: then these words are the right ones.
    assert knock(outside, target, torrent, member).startswith(b"HTTP/1.1 200 ")
    assert PROTOCOL in knock(outside, target, tunnel + hello, member, enough=PROTOCOL)
    for words in (hello, tunnel + hello):
        assert PROTOCOL not in knock(outside, target, words, tls=False)
    assert PROTOCOL not in knock(outside, target, tunnel + hello)
    assert PROTOCOL not in knock(outside, target, hello, member)

    # Nothing but the port between nodes is to be reached from elsewhere, and the session itself
    # does not speak to who is on the host.
    for host in (pusher, other):
        sessions = 0
        for address, port, line in listeners(host):
            assert "shoal" in line, line
            if (address, port) == (host.ip, 5001):
                continue
            assert ipaddress.ip_address(address).is_loopback, line
            if address == "127.0.0.1" and port != 5000 and line.startswith("tcp"):
                sessions += 1
                assert knock(host, f"{address}:{port}", hello, tls=False) == b""
        assert sessions == 1
    assert pull.running(), "the transfer was over before the outsider had tried everything"
    assert pull.right()
