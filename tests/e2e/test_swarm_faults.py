"""Hosts, links and disks fail in the middle of a transfer: a client gets the right bytes or an
error, what has come is not fetched again, and everything goes on once the fault is gone."""

import itertools

import pytest

from harness.clock import Clock
from harness.disks import fill_disk, small_disk
from harness.hosts import ONE_COPY, live_members
from harness.http import digest_of
from harness.process import until
from harness.pulls import Pull, push_small, random_bytes
from harness.rendezvous import ranked

MIB = 1 << 20
ERROR_SECONDS = 75  # Of a client: 30 s without a byte, after what was still under way.
DISK_MIB = 256
DAY = 24 * 3600
BACK = -240  # Certificates that were made a moment ago are good for five minutes before it.


def push(host, content):
    assert push_small(host, "app", content)[0].status == 201


def test_a_receiver_that_dies_takes_nothing_from_the_others(network):
    pusher, victim, *others = network.cluster(4, ONE_COPY)
    content = random_bytes(11, 48 * MIB)
    push(pusher, content)
    for host in (pusher, victim, *others):
        host.shape(up=60)
    before = victim.received_bytes()
    lost = Pull(victim, "app", content)
    pulls = [Pull(host, "app", content) for host in others]
    victim.until_received(len(content) // 3, before)
    victim.kill()
    assert not lost.wait()
    assert all(pull.right() for pull in pulls)
    victim.start()
    assert Pull(victim, "app", content).right()


def test_a_pusher_that_dies_at_half_is_replaced_by_another_holder(network):
    _, pusher, holder, other = network.cluster(4, ONE_COPY)
    content = random_bytes(12, 48 * MIB)
    push(pusher, content)
    assert Pull(holder, "app", content).right()
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(len(content) // 2, before)
    pusher.kill()
    assert pull.right()
    assert other.received_bytes() - before < 1.25 * len(content)
    assert holder.id() in other.sources(digest_of(content))


def test_one_holder_that_is_left_of_many_is_enough(network):
    pusher, *holders, other = network.cluster(6, ONE_COPY)
    content = random_bytes(19, 48 * MIB)
    push(pusher, content)
    assert all(pull.right() for pull in [Pull(host, "app", content) for host in holders])
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(len(content) // 3, before)
    for host in holders[:-1]:
        host.kill()
    pusher.leave_network()  # The others' processes are missed at once, this one's silence is not.
    assert pull.right()
    assert other.received_bytes() - before < 1.25 * len(content)


def test_directory_nodes_that_die_are_not_missed(network):
    pusher, other, *victims = network.cluster(5, ONE_COPY)
    ids = {host.id(): host for host in network.hosts}
    contents = (random_bytes(number, 24 * MIB) for number in itertools.count(20))
    content = next(content for content in contents
                   if {ids[one] for one in ranked(digest_of(content), ids)[:3]} == set(victims))
    push(pusher, content)
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(len(content) // 3, before)
    for host in victims:
        host.kill()
    assert pull.right()
    # And a pull that begins without them.
    network.until_live(pusher, other)
    with other.api() as api:
        assert api.send("DELETE", f"/v2/app/blobs/{digest_of(content)}").status == 202
    push(pusher, content)
    assert Pull(other, "app", content).right()


def test_without_a_holder_pulls_end_with_an_error_and_go_on_later(network):
    first, pusher, second = network.cluster(3, ONE_COPY)
    content = random_bytes(13, 64 * MIB)
    push(pusher, content)
    pusher.shape(up=60)
    before = first.received_bytes()
    pulls = [Pull(host, "app", content) for host in (first, second)]
    first.until_received(len(content) // 2, before)
    pusher.kill()
    for pull in pulls:
        assert not pull.wait(ERROR_SECONDS)
        refused = pull.host.logged("blob not fetched", digest_of(content))
        assert refused and refused[-1]["error"]
        assert not pull.host.holds(digest_of(content))

    pusher.start()
    network.until_live(first, pusher, second)
    before = {host: host.received_bytes() for host in (first, second)}
    pulls = [Pull(host, "app", content) for host in (first, second)]
    assert all(pull.right() for pull in pulls)
    for host, bytes_before in before.items():
        assert host.received_bytes() - bytes_before < 0.8 * len(content)


def test_a_receiver_that_is_killed_again_and_again_goes_on_where_it_was(network):
    pusher, other = network.cluster(2, ONE_COPY)
    content = random_bytes(14, 224 * MIB)
    push(pusher, content)
    other.shape(down=300)
    before = other.received_bytes()
    for percent in (30, 60, 90):
        pull = Pull(other, "app", content)
        other.until_received(len(content) * percent // 100, before)
        other.kill()
        assert not pull.wait()
        other.start()
    assert Pull(other, "app", content).right()
    assert other.received_bytes() - before < 1.25 * len(content)


@pytest.mark.parametrize("who", ("the receiver", "the pusher"))
def test_a_partition_that_heals_costs_nothing(network, who):
    first, pusher, other = network.cluster(3, ONE_COPY)
    content = random_bytes(15, 48 * MIB)
    push(pusher, content)
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(len(content) // 2, before)
    lost = other if who == "the receiver" else pusher
    lost.leave_network()
    until(lambda: lost.name not in live_members(first), "the lost host is missed")
    assert pull.running()
    lost.return_to_network()
    assert pull.right()
    assert other.received_bytes() - before < 1.25 * len(content)


@pytest.mark.parametrize("who", ("the receiver", "the pusher"))
@pytest.mark.parametrize("seconds", (DAY, BACK), ids=("on", "back"))
def test_a_clock_that_jumps_costs_nothing(network, folder, who, seconds):
    first, pusher, other = [network.host() for _ in range(3)]
    jumper = other if who == "the receiver" else pusher
    clock = Clock(folder)
    jumper.env = clock.env
    network.start([first, pusher, other], ONE_COPY)
    content = random_bytes(18, 48 * MIB)
    push(pusher, content)
    other.shape(down=60)
    before = other.received_bytes()
    pull = Pull(other, "app", content)
    other.until_received(len(content) // 2, before)
    clock.jump(seconds)
    assert pull.right()
    assert other.received_bytes() - before < 1.25 * len(content)
    # And what begins after it goes as well, both ways.
    network.until_live(first, pusher, other)
    for giver, taker in ((jumper, first), (first, jumper)):
        late = random_bytes(giver.name, 4 * MIB)
        assert push_small(giver, giver.name, late)[0].status == 201
        assert Pull(taker, giver.name, late).right()
    assert abs(jumper.log_time() - first.log_time() - seconds) < 100


@pytest.fixture
def small(network, folder):
    """Three members; the last one's store is on a small disk, the path of which is given, too."""
    with small_disk(folder, DISK_MIB) as disk:
        hosts = [network.host() for _ in range(3)]
        hosts[2].data = disk / "data"
        network.start(hosts, ONE_COPY)
        yield *hosts, disk
        hosts[2].kill()


def test_a_disk_that_runs_full_in_the_middle_is_its_hosts_alone(small):
    pusher, other, victim, disk = small
    content = random_bytes(16, 96 * MIB)
    digest = digest_of(content)
    push(pusher, content)
    for host in (other, victim):
        host.shape(down=100)
    before = victim.received_bytes()
    full = Pull(victim, "app", content)
    pull = Pull(other, "app", content)
    victim.until_received(len(content) // 3, before)
    ballast = fill_disk(disk)
    assert pull.right()
    came = full.wait(ERROR_SECONDS)
    assert came or victim.logged("blob not fetched", digest)
    assert not victim.holds(digest)
    assert other.holds(digest)

    ballast.unlink()
    until(lambda: Pull(victim, "app", content).wait() and victim.holds(digest),
          "the host gets it now, and keeps it")


def test_what_does_not_fit_is_given_to_the_client_and_not_kept(small):
    pusher, other, victim, _ = small
    content = random_bytes(17, 224 * MIB)
    push(pusher, content)
    assert Pull(victim, "app", content).right()
    assert not victim.holds(digest_of(content))
    assert Pull(other, "app", content).right()
