"""Hosts of their own on this machine: network namespaces on one bridge, each with a node on its
127.0.0.1:5000 and, when asked, a Docker engine."""

import contextlib
import ctypes
import datetime
import http.client
import itertools
import json
import os
import pathlib
import subprocess
import threading

from .docker import Docker
from .http import Api
from .node import BINARY, Node
from .process import run, until

# What a host has that it was not pushed to, it has pulled.
ONE_COPY = ("--cluster-liveness", "5s", "--cluster-repair-delay", "1s", "--cluster-replicas", "1",
            "--cluster-durability", "local")
_NET = "10.77.0"
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def _set_network(path):
    """Moves the calling thread."""
    with open(path, "rb") as file:
        if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


@contextlib.contextmanager
def inside(path):
    own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    with open(own, "rb") as home:
        _set_network(path)
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot leave a network namespace")


class _Connection(http.client.HTTPConnection):
    """Connects from within a namespace; a socket stays in the one it was made in."""

    def __init__(self, network, address, seconds):
        super().__init__(address, timeout=seconds)
        self._network = network

    def connect(self):
        with inside(self._network):
            super().connect()


class HostApi(Api):
    def __init__(self, network, address, seconds):
        super().__init__(address, seconds)
        self._connection = _Connection(network, address, seconds)


class Host(Node):
    """A node with the host that it runs on. The node's flags follow the host's address."""

    def __init__(self, network, number, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.name = f"{network.name}-{number}"
        self.ip = f"{_NET}.{number}"
        self.cluster_address = f"{self.ip}:5001"
        self.port = 5000
        self.address = "127.0.0.1:5000"
        self.namespace = f"/run/netns/{self.name}"
        self._network = network
        self._link = f"{network.name}v{number}"
        self._engine = None
        run(["ip", "netns", "add", self.name])
        run(["ip", "-n", network.name, "link", "add", self._link, "type", "veth", "peer", "name",
             "eth0", "netns", self.name])
        run(["ip", "-n", network.name, "link", "set", self._link, "master", "bridge", "up"])
        run(["ip", "-n", self.name, "address", "add", f"{self.ip}/24", "dev", "eth0"])
        run(["ip", "-n", self.name, "link", "set", "eth0", "up"])
        run(["ip", "-n", self.name, "link", "set", "lo", "up"])

    def enter(self, command):
        # Not `ip netns exec`: it hides the cgroup mounts that an engine needs.
        return ["nsenter", f"--net={self.namespace}", *command]

    def command(self):
        listen = [] if "--cluster-listen" in self.flags else ["--cluster-listen",
                                                              self.cluster_address]
        return self.enter([*super().command(), *listen, "--cluster-name", self.name])

    def api(self, seconds=60):
        return HostApi(self.namespace, self.address, seconds)

    def shoal(self, *arguments, check=True):
        """A command of the program, started on this host: exit code and what it printed."""
        done = subprocess.run([str(part) for part in self.enter([BINARY, *arguments])],
                              capture_output=True, text=True, check=False, timeout=120,
                              stdin=subprocess.DEVNULL)
        if check:
            assert done.returncode == 0, f"shoal {arguments}: {done.stdout}{done.stderr}"
        return done

    def status(self):
        return json.loads(self.shoal("status", "--json").stdout)

    def token(self, *arguments):
        return self.shoal("token", "create", *arguments).stdout.split()[-1]

    def begin_to_join(self, other, token=None):
        """Starts the node as a member of the other's cluster, and does not wait."""
        self.flags += ["--join", other.cluster_address, "--token", token or other.token()]
        return self.begin()

    def join(self, other, token=None):
        return self.begin_to_join(other, token).until_ready()

    def leave_network(self):
        """Nothing comes in or goes out any more, and nobody is told."""
        run(["ip", "-n", self._network.name, "link", "set", self._link, "down"])

    def return_to_network(self):
        run(["ip", "-n", self._network.name, "link", "set", self._link, "up"])

    def shape(self, down=None, up=None):
        """Limits what comes to the host or leaves it, in Mbit/s; None: as fast as it goes."""
        for namespace, device, rate in ((self._network.name, self._link, down),
                                        (self.name, "eth0", up)):
            if rate is None:
                subprocess.run(["tc", "-n", namespace, "qdisc", "del", "dev", device, "root"],
                               capture_output=True, check=False)
            else:
                run(["tc", "-n", namespace, "qdisc", "replace", "dev", device, "root", "tbf",
                     "rate", f"{rate}mbit", "burst", "128kb", "latency", "200ms"])

    def received_bytes(self):
        """All that came to the host so far, whatever became of its node."""
        links = json.loads(run(["ip", "-n", self.name, "-s", "-j", "link", "show", "eth0"]))
        return links[0]["stats64"]["rx"]["bytes"]

    def until_received(self, size, since, seconds=120):
        """Until so many bytes came after `since`."""
        until(lambda: self.received_bytes() - since >= size,
              f"{self.name} receives {size} bytes", seconds)

    def id(self):
        return self.status()["node"]

    def holds(self, digest):
        """Whether the node says to other nodes that it has the content."""
        member = self.data / "cluster/node.pem"
        code = run(self.enter(
            ["curl", "--silent", "--insecure", "--head", "--max-time", "20", "--output",
             "/dev/null", "--write-out", "%{http_code}", "--cert", member, "--key", member,
             f"https://{self.cluster_address}/cluster/v1/blobs/{digest}"]))
        assert code in ("200", "404"), code
        return code == "200"

    def logged(self, message, digest=None):
        """The lines of the log with this message: the last one may be half there."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines(keepends=True):
            if f'"{message}"' in line and line.endswith("}\n"):
                found.append(json.loads(line))
        return [line for line in found if line["message"] == message and
                digest in (None, line["digest"])]

    def log_time(self):
        """When the last line was logged, by the node's clock: seconds since 1970."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines(keepends=True)
                 if line.endswith("}\n")]
        return datetime.datetime.fromisoformat(json.loads(lines[-1])["time"][:-1]).timestamp()

    def sources(self, digest):
        """Whom the content came from when it was fetched last: bytes by node id, or "https"."""
        lines = until(lambda: self.logged("blob fetched", digest),
                      f"{self.name} has logged the transfer")
        pairs = (one.rsplit(":", 1) for one in lines[-1]["from"].split(",") if ":" in one)
        return {node: int(size) for node, size in pairs}

    @property
    def engine(self):
        if self._engine is None:
            self._engine = Docker(self.folder / "docker", self.enter)
        return self._engine

    def reference(self, name):
        return f"{self.address}/{name}"

    def close(self):
        try:
            self.kill()
            if self._engine is not None:
                self._engine.close()
        finally:
            run(["ip", "netns", "delete", self.name])


class Network:
    """A bridge in a namespace of its own, and the hosts on it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.name = f"shoal{os.getpid()}n{next(_numbers)}"[-9:]
        self.hosts = []
        run(["ip", "netns", "add", self.name])
        run(["ip", "-n", self.name, "link", "add", "bridge", "type", "bridge"])
        run(["ip", "-n", self.name, "link", "set", "bridge", "up"])

    def host(self):
        host = Host(self, len(self.hosts) + 1, self.folder / f"host{len(self.hosts) + 1}")
        self.hosts.append(host)
        return host

    def cluster(self, size, flags=()):
        """So many running members; the first holds the state."""
        return self.start([self.host() for _ in range(size)], flags)

    def start(self, hosts, flags=()):
        """Hosts that the test has made ready, as the members of one cluster."""
        for host in hosts:
            host.flags += flags
        hosts[0].start()
        for host in hosts[1:]:
            host.join(hosts[0])
        self.until_live(*hosts)
        return hosts

    def until_live(self, *hosts):
        """Until each of them sees all of them, and nobody else, alive."""
        for host in hosts:
            until(lambda host=host: live_members(host) == {one.name for one in hosts},
                  f"{host.name} sees {len(hosts)} live members")

    def close(self):
        for host in self.hosts:
            host.close()
        run(["ip", "netns", "delete", self.name])


def live_members(host):
    return {member["name"] for member in host.status()["members"] if member["live"]}

