import os
import pathlib
import shutil
import tempfile

import pytest

from harness import images
from harness.containerd import Containerd
from harness.docker import Docker
from harness.hosts import Network
from harness.node import BINARY, Node
from harness.podman import Buildah, Podman
from harness.skopeo import Skopeo

CLIENTS = {client.name: client for client in (Docker, Podman, Buildah, Skopeo, Containerd)}
LAYER_MIB = int(os.environ.get("SHOAL_E2E_LAYER_MIB") or 1024)


def pytest_sessionstart():
    """A missing client is a failure, never a skip."""
    tools = ("docker", "dockerd", "containerd", "ctr", "podman", "buildah", "skopeo", "mkfs.ext4",
             "ip", "tc", "ss", "nsenter", "curl", "openssl", "etcd", "cc",
             "aria2c", "transmission-cli", "node", "npm")
    missing = [tool for tool in tools if not shutil.which(tool)]
    if not BINARY.exists():
        missing.append(str(BINARY))
    if not images.BUSYBOX.exists():
        missing.append(str(images.BUSYBOX))
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        pytest.exit(f"the end-to-end tests need: {', '.join(missing)}; start ./dev e2e", 3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the node's log."""
    outcome = yield
    report = outcome.get_result()
    node = getattr(item, "funcargs", {}).get("node")
    if call.when == "call" and report.failed and node is not None and node.process:
        report.sections.append(("the node's log", node.process.tail()))


@pytest.fixture(scope="session")
def session_folder():
    """Short: sockets lie in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shoal-e2e-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(session_folder):
    path = pathlib.Path(tempfile.mkdtemp(dir=session_folder))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def node(folder):
    """A running node; ended hard, so that a test which cares for its end looks itself."""
    started = Node(folder)
    try:
        yield started.start()
    finally:
        started.kill()


@pytest.fixture
def network(folder):
    made = Network(folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def clients(session_folder):
    """Clients by name, each started when first asked for."""
    started = {}

    def client(name):
        if name not in started:
            started[name] = CLIENTS[name](session_folder / name)
        return started[name]

    yield client
    for one in started.values():
        one.close()


@pytest.fixture(params=CLIENTS)
def client(request, clients):
    one = clients(request.param)
    one.wipe()
    yield one
    one.wipe()


class Samples:
    """Images that several tests push; each is made once."""

    def __init__(self, folder):
        self._folder = folder
        self._made = {}

    def _once(self, name, make):
        if name not in self._made:
            self._made[name] = make(self._folder / name)
        return self._made[name]

    def several(self, seed=1):
        return self._once(f"several-{seed}", lambda at: images.several_layers(at, seed))

    def big(self):
        return self._once("big", lambda at: images.big_layer(at, LAYER_MIB))

    def deep(self, count):
        return self._once(f"deep-{count}", lambda at: images.many_layers(at, count))

    def index(self):
        return self._once("index", images.index_of)


@pytest.fixture(scope="session")
def samples(session_folder):
    return Samples(session_folder / "images")
