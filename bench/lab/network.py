"""The hosts of the lab: those of the end-to-end tests, with links that are shaped for measuring,
checked by a plain TCP copy, and watched."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness.hosts import Host, Network, inside
from harness.process import run

MBIT = 125_000          # Bytes a second.
BURST_S = 0.016         # Of the rate: what a link may send at once after it was idle.
BURST_BYTES_MIN = 4096  # tbf sends nothing that is longer.
QUEUE_S = 0.2           # Of the rate: what waits at a link; more is dropped.
SAMPLE_S = 0.1
BRIDGE_IP = "10.77.0.254"
COPY_WARM_S = 0.4       # The burst, and TCP's start.
COPY_S = 1.0
_NAME = "lab"


class LinkError(RuntimeError):
    """A link is not what it was shaped to."""


@dataclass(frozen=True)
class Rates:
    """What a plain TCP copy got, bytes of payload a second."""

    up: float
    down: float


class LabHost(Host):
    def __init__(self, network: "LabNetwork", number: int, folder: Path):
        super().__init__(network, number, folder)
        self.mac = f"02:00:00:00:00:{number:02x}"
        run(["ip", "-n", self.name, "link", "set", "eth0", "address", self.mac])

    def shape(self, down: float, up: float) -> None:
        """Mbit/s, each direction with a burst of BURST_S."""
        for namespace, device, rate in ((self._network.name, self._link, down),
                                        (self.name, "eth0", up)):
            burst = max(BURST_BYTES_MIN, int(rate * MBIT * BURST_S))
            run(["tc", "-n", namespace, "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                 f"{rate * 1e6:.0f}bit", "burst", str(burst), "latency", f"{QUEUE_S * 1e3:.0f}ms"])

    @property
    def link(self) -> str:
        """Its end at the bridge."""
        return self._link


class LabNetwork(Network):
    """Its names say which process it belongs to, so that the next one can clear away what a killed
    one has left. One at a time in a process."""

    def __init__(self):
        clear_away()
        self.name = f"{_NAME}{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"shoal-{self.name}-", dir="/var/tmp"))
        self.hosts = []
        run(["ip", "netns", "add", self.name])
        run(["ip", "-n", self.name, "link", "add", "bridge", "type", "bridge"])
        run(["ip", "-n", self.name, "address", "add", f"{BRIDGE_IP}/24", "dev", "bridge"])
        run(["ip", "-n", self.name, "link", "set", "bridge", "up"])

    @property
    def namespace(self) -> str:
        return f"/run/netns/{self.name}"

    def host(self) -> LabHost:
        number = len(self.hosts) + 1
        made = LabHost(self, number, self.folder / f"host{number}")
        self.hosts.append(made)
        return made

    def introduce(self) -> None:
        """Tells each host where all others are. What they would learn themselves counts against a
        limit of the kernel for all namespaces together (1024, net.ipv4.neigh.default.gc_thresh3):
        33 hosts that all know each other are beyond it."""
        entries = "".join(f"neighbor replace {host.ip} lladdr {host.mac} dev eth0 nud permanent\n"
                          for host in self.hosts)
        for host in self.hosts:
            run(["ip", "-n", host.name, "-batch", "-"], input=entries.encode())

    def close(self) -> None:
        try:
            super().close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def clear_away() -> None:
    """What labs have left whose process is gone. Their nodes ended with them."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    for line in names.stdout.splitlines():
        name = line.split()[0] if line else ""
        owner = re.fullmatch(_NAME + r"(\d+)(-\d+)?", name)
        if owner and not _is_lab(owner[1]):
            run(["ip", "netns", "delete", name])
    for folder in Path("/var/tmp").glob(f"shoal-{_NAME}*"):
        owner = re.match(rf"shoal-{_NAME}(\d+)-", folder.name)
        if owner and not _is_lab(owner[1]):
            shutil.rmtree(folder, ignore_errors=True)


def _is_lab(pid: str) -> bool:
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def measure_links(network: LabNetwork, hosts: list[LabHost]) -> dict[str, Rates]:
    """A plain TCP copy from each host to the bridge, all at once, then from the bridge to each."""
    up = _copies(network, hosts, upwards=True)
    down = _copies(network, hosts, upwards=False)
    return {host.name: Rates(up[host.name], down[host.name]) for host in hosts}


def _copies(network: LabNetwork, hosts: list[LabHost], upwards: bool) -> dict[str, float]:
    rates: dict[str, float] = {}
    with inside(network.namespace):
        listener = socket.create_server((BRIDGE_IP, 0), backlog=len(hosts))
    pairs = []
    with listener:
        for host in hosts:
            with inside(host.namespace):
                at_host = socket.create_connection(listener.getsockname()[:2], timeout=30)
            at_bridge, _ = listener.accept()
            pairs.append((host, at_host, at_bridge) if upwards else (host, at_bridge, at_host))

    def give(sender: socket.socket) -> None:
        block = bytes(64 << 10)
        try:
            while True:
                sender.sendall(block)
        except OSError:
            pass  # The receiver has what it wanted.

    def take(host: LabHost, receiver: socket.socket) -> None:
        receiver.settimeout(30)
        block = bytearray(256 << 10)
        start = time.monotonic()
        while time.monotonic() - start < COPY_WARM_S:
            receiver.recv_into(block)
        since = now = time.monotonic()
        size = 0
        while now - since < COPY_S:
            got = receiver.recv_into(block)
            if not got:
                return
            size += got
            now = time.monotonic()
        rates[host.name] = size / (now - since)

    threads = [threading.Thread(target=give, args=(sender,), daemon=True)
               for _, sender, _ in pairs]
    takers = [threading.Thread(target=take, args=(host, receiver), daemon=True)
              for host, _, receiver in pairs]
    for thread in (*threads, *takers):
        thread.start()
    for thread in takers:
        thread.join()
    for _, sender, receiver in pairs:
        receiver.close()
    for thread in threads:
        thread.join()
    for _, sender, _ in pairs:
        sender.close()
    missing = [host.name for host, *_ in pairs if host.name not in rates]
    if missing:
        raise LinkError(f"no rate was measured for {', '.join(missing)}")
    return rates


class LinkWatch:
    """Bytes on every link, several times a second, read at the bridge; until the block ends."""

    def __init__(self, network: LabNetwork):
        self._network = network
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[tuple[float, dict[str, tuple[int, int]]]] = []

    def __enter__(self) -> "LinkWatch":
        self.samples.append(self._sample())
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        self.samples.append(self._sample())

    def sent_and_received(self, host: LabHost) -> tuple[int, int]:
        """On the wire, all headers included, from the first sample to the last."""
        first, last = self.samples[0][1][host.link], self.samples[-1][1][host.link]
        return last[0] - first[0], last[1] - first[1]

    def _sample(self) -> tuple[float, dict[str, tuple[int, int]]]:
        with inside(self._network.namespace):
            text = Path(f"/proc/self/task/{threading.get_native_id()}/net/dev").read_text()
        links = {}
        for line in text.splitlines()[2:]:
            name, figures = line.split(":")
            figures = figures.split()
            # What the bridge's end receives, the host has sent.
            links[name.strip()] = (int(figures[0]), int(figures[8]))
        return time.monotonic(), links

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.samples.append(self._sample())
