"""A cluster of real hosts: a Docker engine and a node each, in network namespaces on one bridge.

What was acknowledged is never lost; every pull ends in an image or in an error in its time.
"""

import contextlib
import signal
import subprocess
import threading
import time

import pytest

from harness.hosts import Host, live_members
from harness.http import ACCEPT, digest_of
from harness.process import Process, run, until
from harness.pulls import PULL_SECONDS, pull_small, push_small

LIVENESS_S = 5
FLAGS = ("--cluster-liveness", f"{LIVENESS_S}s", "--cluster-repair-delay", "1s",
         "--http-progress-timeout", "5s")


@pytest.fixture
def three(network):
    return network.cluster(3, FLAGS)


def pulled_by_engine(host, image, name):
    host.engine.wipe()
    return host.engine.pull(host.reference(name)) == image.files


def test_an_image_pushed_on_one_host_is_listed_and_pulled_on_the_others(three, samples):
    image = samples.several()
    first, *others = three
    first.engine.push(image, first.reference("team/app:1"))
    for host in others:
        with host.api() as api:
            assert api.send("GET", "/v2/_catalog").json()["repositories"] == ["team/app"]
            assert api.send("GET", "/v2/team/app/tags/list").json()["tags"] == ["1"]
        assert "team/app" in host.shoal("images").stdout
        assert pulled_by_engine(host, image, "team/app:1")


def test_a_push_is_seen_at_once_and_the_last_of_two_wins_everywhere(three):
    for number in range(20):
        pusher, *others = three[number % 3:] + three[:number % 3]
        content = b"version %d" % number
        answer, _ = push_small(pusher, "app", content)
        assert answer.status == 201
        for host in others:
            assert pull_small(host, "app") == content

    threads = [threading.Thread(target=push_small, args=(host, "app", host.name.encode()))
               for host in three]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = {bytes(pull_small(host, "app")) for host in three}
    assert len(winners) == 1 and winners <= {host.name.encode() for host in three}


def test_a_dead_pusher_takes_nothing_with_it(three, samples):
    image = samples.several()
    holder, pusher, other = three
    pusher.engine.push(image, pusher.reference("app:1"))
    pusher.kill()
    for host in (holder, other):
        assert pulled_by_engine(host, image, "app:1")
    # Its copy is replaced by another one: then the next loss is borne as well.
    until(lambda: holder.status()["replicas"]["short"] == 0 and
          len(live_members(holder)) == 2, "two copies again")
    other.kill()
    assert pulled_by_engine(holder, image, "app:1")


def test_without_the_state_known_names_are_pulled_and_new_ones_refused(three):
    holder, second, third = three
    assert push_small(second, "app", b"known")[0].status == 201
    assert pull_small(third, "app") == b"known"
    holder.kill()

    for host in (second, third):
        with host.api() as api:
            manifest = api.send("GET", "/v2/app/manifests/1", headers=ACCEPT)
            assert manifest.status == 200
            assert manifest.headers["Shoal-Stale"] == "true"
            assert manifest.headers["Warning"].startswith("110 ")
        assert pull_small(host, "app") == b"known"
    answer, _ = push_small(second, "app", b"new", "2")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0

    holder.start()

    def pushed():
        answer, _ = push_small(second, "app", b"new", "2")
        return answer.status == 201
    until(pushed, "pushes work again")
    for host in three:
        assert pull_small(host, "app", "2") == b"new"
        with host.api() as api:
            until(lambda api=api: api.send("GET", "/v2/app/manifests/1", headers=ACCEPT)
                  .headers["Shoal-Stale"] is None, "the host hears of the state again")


def test_a_dead_leader_is_followed_by_another(three):
    leader_name = until(lambda: (three[0].status()["leader"] or {}).get("name"), "a leader")
    leader = next(host for host in three if host.name == leader_name)
    rest = [host for host in three if host is not leader]
    leader.kill()
    if leader is three[0]:  # With it the state: leading ends, and begins again with it.
        leader.start()
        rest = three
    until(lambda: (rest[0].status()["leader"] or {}).get("name") in {host.name for host in rest},
          "a new leader")
    assert push_small(rest[0], "app", b"led")[0].status == 201


def test_a_partition_heals(three):
    holder, second, third = three
    assert push_small(holder, "app", b"before")[0].status == 201
    assert pull_small(third, "app") == b"before"
    third.leave_network()
    assert pull_small(third, "app") == b"before"  # What it has, it serves.
    begun = time.monotonic()
    answer, _ = push_small(third, "app", b"alone", "2")
    assert answer.status == 503
    missing = pull_small(third, "app", "none")
    assert missing.status == 503
    assert time.monotonic() - begun < PULL_SECONDS
    until(lambda: live_members(holder) == {holder.name, second.name}, "the lost host is missed",
          seconds=LIVENESS_S * 4)
    assert push_small(second, "app", b"after")[0].status == 201

    third.return_to_network()
    until(lambda: pull_small(third, "app") == b"after", "the host is back")
    until(lambda: len(live_members(holder)) == 3, "and is seen")


def test_all_hosts_killed_at_once_come_back_with_everything(three, samples):
    image = samples.several()
    for number, host in enumerate(three):
        assert push_small(host, f"app{number}", b"content %d" % number)[0].status == 201
    three[1].engine.push(image, three[1].reference("big:1"))
    for host in three:
        host.kill()
    for host in three:
        host.start()
    for host in three:
        for number in range(3):
            until(lambda host=host, number=number:
                  pull_small(host, f"app{number}") == b"content %d" % number,
                  f"{host.name} has app{number}")
    assert pulled_by_engine(three[2], image, "big:1")


def test_pushes_go_on_while_hosts_die(three):
    """Whatever was answered 201 is there in the end, whoever was killed meanwhile."""
    acknowledged, stop = {}, threading.Event()

    def push(host, number):
        count = 0
        while not stop.is_set():
            name, content = f"p{number}", b"%d of %d" % (count, number)
            try:
                answer, digest = push_small(host, name, content, str(count))
            except (OSError, AssertionError, subprocess.SubprocessError):
                continue
            if answer.status == 201:
                acknowledged[name, str(count)] = content
            count += 1

    pushers = [threading.Thread(target=push, args=(three[number], number)) for number in (0, 1)]
    for pusher in pushers:
        pusher.start()
    for victim in (three[2], three[1], three[0]):
        before = len(acknowledged)
        until(lambda before=before: len(acknowledged) > before + 5, "pushes go on", seconds=120)
        victim.kill()
        victim.start()
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before + 5, "pushes go on", seconds=120)
    stop.set()
    for pusher in pushers:
        pusher.join()
    for (name, tag), content in acknowledged.items():
        assert pull_small(three[2], name, tag) == content


def test_an_orderly_stop_is_seen_at_once_and_a_kill_in_time(three):
    first, second, third = three
    third.stop()
    assert live_members(first) == {first.name, second.name}
    second.kill()
    until(lambda: live_members(first) == {first.name}, "the killed host is missed",
          seconds=LIVENESS_S + 3)


def test_what_is_deleted_on_one_host_is_gone_on_all(three):
    first, second, third = three
    answer, digest = push_small(second, "app", b"to go")
    assert answer.status == 201
    for host in three:
        assert pull_small(host, "app") == b"to go"
    with third.api() as api:
        assert api.send("DELETE", f"/v2/app/manifests/{digest}").status == 202
    for host in three:
        with host.api() as api:
            for reference in ("1", digest):
                assert api.send("GET", f"/v2/app/manifests/{reference}").status == 404
            assert api.send("GET", "/v2/app/tags/list").json()["tags"] == []


def test_tokens_expire_are_used_up_and_cannot_be_made_up(network):
    first = network.host()
    first.flags += FLAGS
    first.start()
    once = first.token("--uses", "1")
    second, third = network.host(), network.host()
    second.join(first, once)

    def refused(token, reason):
        done = subprocess.run(
            [str(part) for part in third.command()]
            + ["--join", first.cluster_address, "--token", token],
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode != 0
        assert reason in done.stderr, done.stderr

    refused(once, "used up")
    short = first.token("--ttl", "1s")
    expiry = time.monotonic() + 1
    until(lambda: time.monotonic() > expiry, "the token's end")
    refused(short, "expired")
    forged = first.token()
    forged = forged[:-4] + ("aaaa" if forged[-4:] != "aaaa" else "bbbb")
    refused(forged, "token")
    refused("shoal1.nonsense", "token")


def test_only_members_get_in_on_any_port(three, folder):
    first, second, third = three
    push_small(first, "app", b"secret")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=n-foreign"])
    targets = ("/v2/", "/v3/kv/range", "/cluster/v1/blobs/" + digest_of(b"secret"),
               "/cluster/v1/directory/lookup", "/cluster/v1/renew", "/shoal/v1/status", "/metrics")

    def status_of(target, *arguments):
        done = subprocess.run(first.enter(
            ["curl", "--silent", "--insecure", "--max-time", "20", "--output", "/dev/null",
             "--write-out", "%{http_code}", *map(str, arguments), "--data", "{}",
             f"https://{first.cluster_address}{target}"]),
            capture_output=True, text=True, check=False)
        return done.stdout

    for target in targets:
        assert status_of(target) == "403"
        assert status_of(target, "--cert", certificate, "--key", key) == "000"
    # The registry and the node's own interface are not served to the network at all.
    for address in (f"{first.ip}:5000",):
        done = subprocess.run(second.enter(["curl", "--silent", "--max-time", "5",
                                            f"http://{address}/v2/"]), check=False)
        assert done.returncode == 7

    member = third.data / "cluster/node.pem"  # Certificate and key.
    assert status_of("/v3/kv/range", "--cert", member, "--key", member) == "400"
    first.shoal("node", "rm", third.name)
    until(lambda: status_of("/v3/kv/range", "--cert", member, "--key", member) == "403",
          "the removed node is refused", seconds=10)
    until(lambda: live_members(second) == {first.name, second.name}, "and is gone everywhere")


def test_labels_draining_and_spread(network):
    hosts = network.cluster(4, [*FLAGS, "--cluster-spread", "dc"])
    for host, place in zip(hosts, ("west", "west", "west", "east")):
        hosts[0].shoal("node", "label", host.name, f"dc={place}")
    shown = hosts[1].shoal("node", "show", hosts[3].name).stdout
    assert "east" in shown
    until(lambda: {member["labels"].get("dc") for member in hosts[0].status()["members"]} ==
          {"west", "east"}, "the labels are known")

    for number in range(3):
        assert push_small(hosts[0], f"spread{number}", b"layer %d" % number)[0].status == 201
    assert hosts[3].status()["replicas"]["short"] == 0
    for host in hosts[:3]:
        host.kill()
    for number in range(3):
        assert pull_small(hosts[3], f"spread{number}") == b"layer %d" % number


def test_a_drained_node_is_emptied_of_last_copies(network):
    first, second, third = network.cluster(3, FLAGS)
    for number in range(5):
        assert push_small(third, f"app{number}", b"layer %d" % number)[0].status == 201
    first.shoal("node", "drain", third.name)
    until(lambda: first.status()["replicas"]["short"] == 0 and
          second.status()["replicas"]["short"] == 0 and third.status()["replicas"]["short"] == 0 and
          third.status()["replicas"]["checked"], "the copies are elsewhere")
    third.stop()
    for number in range(5):
        for host in (first, second):
            assert pull_small(host, f"app{number}") == b"layer %d" % number


class Etcd:
    """One etcd on a host of its own."""

    def __init__(self, network):
        self.host = network.host()
        self.process = None
        self.url = f"etcd://{self.host.ip}:2379"

    def start(self):
        peer, client = (f"http://{self.host.ip}:{port}" for port in (2380, 2379))
        self.process = Process(self.host.enter(
            ["etcd", "--name", "one", "--data-dir", self.host.folder / "etcd",
             "--listen-client-urls", client, "--advertise-client-urls", client,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"one={peer}"]), self.host.folder / "etcd.log")
        until(self._ready, "etcd answers")

    def _ready(self):
        return subprocess.run(self.host.enter(
            ["curl", "--silent", "--fail", "--max-time", "2",
             f"http://{self.host.ip}:2379/health"]),
            capture_output=True, check=False).returncode == 0

    def kill(self):
        self.process.end(signal.SIGKILL)


@pytest.fixture
def etcd(network):
    made = Etcd(network)
    made.start()
    yield made
    made.kill()


def test_with_the_state_in_etcd_any_node_may_die(network, etcd):
    first, second, third = network.cluster(3, [*FLAGS, "--cluster-state", etcd.url])
    assert push_small(first, "app", b"in etcd")[0].status == 201
    first.kill()  # It has the authority, and nothing else that the others lack.
    assert push_small(second, "app", b"without the first", "2")[0].status == 201
    assert pull_small(third, "app") == b"in etcd"
    assert pull_small(third, "app", "2") == b"without the first"
    etcd.kill()
    assert pull_small(third, "app") == b"in etcd"
    assert push_small(second, "app", b"no", "3")[0].status == 503
    etcd.start()
    until(lambda: push_small(second, "app", b"again", "3")[0].status == 201, "pushes go on")
    assert pull_small(third, "app", "3") == b"again"


def test_the_state_moves_to_etcd_under_pushes(network, etcd):
    first, second, third = network.cluster(3, FLAGS)
    late = network.host()
    for number in range(20):
        assert push_small(second, "app", b"%d" % number, str(number))[0].status == 201
    third.kill()  # It hears of the move when it is back.
    acknowledged, stop = [], threading.Event()

    def push():
        number = 100
        while not stop.is_set():
            with contextlib.suppress(OSError, AssertionError):  # As the state may be on its way.
                if push_small(second, "app", b"%d" % number, str(number))[0].status == 201:
                    acknowledged.append(number)
            number += 1

    pusher = threading.Thread(target=push)
    pusher.start()
    until(lambda: len(acknowledged) > 5, "pushes go on")
    wrong = second.shoal("state", "migrate", "--to", etcd.url, check=False)
    assert wrong.returncode != 0 and "run this there" in wrong.stderr
    assert second.status()["state"]["driver"].startswith("embedded, on https://")
    first.shoal("state", "migrate", "--to", etcd.url)
    until(lambda: "etcd" in second.status()["state"]["driver"], "the member follows")
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before + 5, "pushes go on")
    stop.set()
    pusher.join()
    third.start()
    until(lambda: "etcd" in third.status()["state"]["driver"], "the late member follows")
    for number in [*range(20), *acknowledged]:
        assert pull_small(third, "app", str(number)) == b"%d" % number
    for host in (first, second, third):
        host.restart()
        until(lambda host=host: host.status()["state"]["available"], "the state is found again")
        assert "etcd" in host.status()["state"]["driver"]
    late.flags += FLAGS  # Who joins now is sent to the new place.
    late.join(first)
    assert pull_small(late, "app", "0") == b"0"


def test_members_reach_each_other_by_ipv6_and_by_what_they_advertise(network):
    hosts = [network.host() for _ in range(3)]
    for number, host in enumerate(hosts, 1):
        run(["ip", "-n", host.name, "address", "add", f"fd77::{number}/64", "dev", "eth0",
             "nodad"])
        host.flags += [*FLAGS, "--cluster-listen", "[::]:5001"]
        host.cluster_address = f"[fd77::{number}]:5001"
        host.flags += ["--advertise", host.cluster_address]
    hosts[0].start()
    for host in hosts[1:]:
        host.join(hosts[0])
    network.until_live(*hosts)
    assert push_small(hosts[1], "app", b"six")[0].status == 201
    assert pull_small(hosts[2], "app") == b"six"
    assert {url for member in hosts[0].status()["members"] for url in member["urls"]} == {
        f"https://[fd77::{number}]:5001" for number in (1, 2, 3)}


def test_local_durability_copies_after_the_answer(network):
    first, second = network.cluster(2, [*FLAGS, "--cluster-durability", "local"])
    assert push_small(first, "app", b"mine")[0].status == 201
    until(lambda: first.status()["replicas"]["copies"] == 1, "the copy is made")
    first.kill()
    assert pull_small(second, "app") == b"mine"


def test_what_a_node_had_before_it_joined_is_everybodys(network):
    first, second = network.host(), network.host()
    alone = Host.__mro__[1].command
    second.process = Process(second.enter(alone(second)), second.log)
    until(second._ready, "the node serves alone")
    assert push_small(second, "old", b"from before")[0].status == 201
    assert second.status() == {"alone": True}
    second.stop()
    for host in (first, second):
        host.flags += FLAGS
    first.start()
    second.join(first)
    assert pull_small(first, "old") == b"from before"


def test_certificates_are_renewed_while_the_cluster_works(network):
    first, second = network.cluster(2, [*FLAGS, "--cluster-certificate-lifetime", "20s"])

    def certificate():
        return (second.data / "cluster/node.pem").read_bytes()

    for number in range(2):
        before = certificate()
        until(lambda before=before: certificate() != before, "the next certificate")
        assert push_small(second, "app", b"%d" % number)[0].status == 201
        assert pull_small(first, "app") == b"%d" % number
