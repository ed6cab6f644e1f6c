"""Hosts of their own on this machine: network namespaces on one bridge, each with a node on its
127.0.0.1:5000 and, when asked, a Docker engine."""

import contextlib
import ctypes
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
def _inside(path):
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
        with _inside(self._network):
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

    def join(self, other, token=None):
        """Starts the node as a member of the other's cluster."""
        self.flags += ["--join", other.cluster_address, "--token", token or other.token()]
        return self.start()

    def leave_network(self):
        """Nothing comes in or goes out any more, and nobody is told."""
        run(["ip", "-n", self._network.name, "link", "set", self._link, "down"])

    def return_to_network(self):
        run(["ip", "-n", self._network.name, "link", "set", self._link, "up"])

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
        hosts = [self.host() for _ in range(size)]
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

