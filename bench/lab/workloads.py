"""What the lab does: W1 to W10. Each workload gives rows: a key that stays the same over the
repetitions, what it says in the table, and the figures of this repetition."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL

from harness.process import until

from .baselines import baselines
from .client import Client
from .cluster import BACKGROUND, SECONDS
from .distribute import Plan, bound_of, distribute
from .lab import MIB, Lab
from .liar import w8_liar
from .measure import Meter, transfers_now
from .network import Rates
from .rows import Row, of_hosts, one_after_the_other
from .small import w4

ARRIVAL_S = 2.0
KILLED_SHARE = 0.3
SLOW = 10  # Times slower than the others.
WAVES = 5
CURVE = (1, 2, 5, 10, 20)
# More hosts than that have slower links and a smaller blob, or the machine would be the limit.
LARGE_HOSTS, LARGE_MBIT, LARGE_BYTES = 50, 16, 32 * MIB


def w1(lab: Lab) -> Iterator[Row]:
    """One warm seed, N cold hosts."""
    size = lab.options.size
    yield Row("W1", "nobody reads", lab.distribute([size], reads=False))
    yield Row("W1 read", "clients read", lab.distribute([size]))


def w2(lab: Lab) -> Iterator[Row]:
    """Nobody has it but an upstream registry."""
    yield Row("W2", "not available: needs pull-through", None)


def w3(lab: Lab) -> Iterator[Row]:
    """Images of many layers."""
    layers = lab.options.layers
    yield Row("W3", f"{layers} layers, 140 MB", lab.distribute([140_000_000 // layers] * layers))
    # Blobs this small are not shared by the swarm: many hosts would wait long for the one that has
    # them.
    few = lab.cluster().peers[:max(1, lab.options.hosts // 4)]
    yield Row("W3 small", "200 layers of 1 MiB", lab.distribute([MIB] * 200, peers=few))


def w5(lab: Lab) -> Iterator[Row]:
    """A rolling update: a fifth of the hosts at a time, the next when these have it."""
    cluster = lab.cluster()
    image = cluster.push([lab.options.size // 2])
    waves = []
    for number in range(min(WAVES, len(cluster.peers))):
        wave = cluster.peers[number::WAVES]
        before = [host for earlier in range(number) for host in cluster.peers[earlier::WAVES]]
        waves.append(distribute(cluster, Plan(image, wave, seeds=[cluster.seed, *before])))
    cluster.forget(image)
    yield Row("W5", f"rolling update, {len(waves)} waves",
              one_after_the_other(waves, cluster.seed.name))


def w6(lab: Lab) -> Iterator[Row]:
    """A host every two seconds, and one whose node joins the cluster in the middle of that. Each
    is held against the rate of its own link."""
    cluster = lab.cluster()
    late = cluster.late_host()
    late_down = cluster.links([late])[late.name].down
    image = cluster.push([lab.options.size // 2])
    delays = {host.name: ARRIVAL_S * number for number, host in enumerate(cluster.peers)}
    plan = Plan(image, cluster.peers, delays=delays,
                least=lambda links: image.size / min(links[host.name].down
                                                     for host in cluster.peers))
    # The node must be started by the main thread: it ends with the thread that starts it.
    with ThreadPoolExecutor(1) as others:
        running = others.submit(distribute, cluster, plan)
        time.sleep(max(delays.values()) / 2)
        start = time.monotonic()
        cluster.begin_late(late)
        late.until_ready()
        joined = time.monotonic() - start
        reading = Client(late, image).read()
        figures = running.result()
    yield Row("W6", f"a host every {ARRIVAL_S:g} s", figures)
    least = image.size / late_down
    yield Row("W6 late", "its node joins in the middle", {
        "hosts": 1, "bytes": image.size, "bound_s": least, "join_s": joined,
        "max_s": reading.end_s, "over_bound": reading.end_s and reading.end_s / least,
        "half_over_bound": reading.half_s and reading.half_s / least,
        "first_byte_s": reading.first_byte_s,
        "failed": [f"{late.name}: {reading.error}"] if reading.error else []})
    cluster.forget(image)
    late.stop()
    cluster.until_live()


def w7(lab: Lab) -> Iterator[Row]:
    """The seed and 30 % of the peers are killed at half time. A seed that dies before it has sent
    one copy takes what it has not sent with it, so one more host has it all: a replica. The bound:
    until half time all went as well as it can; from then on the survivors lack half of it each, and
    have each other and the replica."""
    cluster = lab.cluster()
    image = cluster.push([lab.options.size])
    home, replica, *rest = cluster.peers
    distribute(cluster, Plan(image, [replica]))
    peers = [home, *rest]
    victims = rest[:max(1, round(KILLED_SHARE * len(peers)))] if len(rest) > 1 else []
    left = [host for host in peers if host not in victims]
    half = 0.0

    def least(links: Mapping[str, Rates]) -> float:
        nonlocal half
        half = bound_of(image.size, [cluster.seed, replica], peers, links).seconds / 2
        return half + bound_of(image.size / 2, [replica], left, links).seconds

    def kill(meter: Meter) -> None:
        time.sleep(max(0.0, meter.start + half - time.monotonic()))
        for host in (cluster.seed, *victims):
            host.process.send(SIGKILL)  # Its end is seen by revive().

    figures = distribute(cluster, Plan(image, peers, seeds=[cluster.seed, replica], during=kill,
                                       least=least, lost=[cluster.seed.name,
                                                          *(host.name for host in victims)]))
    figures["killed_at_s"] = half
    yield Row("W7", f"{len(victims)} peers and the seed killed",
              of_hosts(figures, [host.name for host in left]))
    cluster.revive()
    cluster.forget(image)


def w8(lab: Lab) -> Iterator[Row]:
    """One slow peer; one that sends bad pieces."""
    cluster = lab.cluster()
    slow, fast = cluster.peers[-1], cluster.peers[:-1]
    slow.shape(cluster.mbit / SLOW, cluster.mbit / SLOW)
    kept: dict[str, Rates] = {}

    def least(links: Mapping[str, Rates]) -> float:
        kept.update(links)
        # What the slow one lacks may come later; what it gives until then is little.
        return bound_of(image.size, [cluster.seed], fast, links).seconds

    image = cluster.push([lab.options.size // 4])
    try:
        figures = distribute(cluster, Plan(image, cluster.peers, least=least))
    finally:
        slow.shape(cluster.mbit, cluster.mbit)
        cluster.forget(image)
    if fast:
        yield Row("W8 slow", f"one at 1/{SLOW}: the others",
                  of_hosts(figures, [host.name for host in fast]))
    yield Row("W8 slow one", f"one at 1/{SLOW}: itself", of_hosts(
        figures, [slow.name], image.size / kept[slow.name].down))
    yield from w8_liar(lab)


def w9(lab: Lab) -> Iterator[Row]:
    """A pull that clients wait for, alone and beside a prefetch in the background. A manifest that
    is asked for starts its layers as demand, so what is in the background are the copies that
    cluster.replicas calls for (the class replication), which go to one node after the other."""
    size = lab.options.size // 2
    cluster = lab.cluster()
    links = cluster.links()
    alone = lab.distribute([size], links=links)
    yield Row("W9 alone", "a pull alone", alone)
    background = cluster.push([2 * lab.options.size], f"{BACKGROUND}/app")
    digest = background.digests[0]

    def copied_to() -> int:
        return sum(digest in transfers_now(host) for host in cluster.peers)

    until(copied_to, "a node gets a copy", SECONDS)
    # With the rates of the links as they were: a check now would find what the copies leave.
    figures = lab.distribute([size], links=links)
    figures["copied_to_at_the_end"] = copied_to()
    if alone.get("max_s") and figures.get("max_s"):
        figures["slowed"] = figures["max_s"] / alone["max_s"] - 1
    yield Row("W9", "beside copies to others", figures)
    cluster.forget(background)
    until(lambda: not copied_to(), "no more copies are made", SECONDS)


def w10(lab: Lab) -> Iterator[Row]:
    """The curve over the number of hosts."""
    cluster = lab.cluster()
    for count in sorted({*(count for count in CURVE if count < lab.options.hosts),
                         lab.options.hosts}):
        yield Row(f"W10 {count}", f"{count} hosts", lab.distribute(
            [lab.options.size], peers=cluster.peers[:count], reads=False))
    if lab.options.hosts >= max(CURVE):
        lab.start(LARGE_HOSTS, LARGE_MBIT)
        figures = lab.distribute([LARGE_BYTES], reads=False)
        lab.close()
        yield Row(f"W10 {LARGE_HOSTS}", f"{LARGE_HOSTS} hosts of {LARGE_MBIT} Mbit/s", figures)


WORKLOADS: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W6": w6, "W7": w7, "W8": w8, "W9": w9,
    "W10": w10, "baselines": baselines}
