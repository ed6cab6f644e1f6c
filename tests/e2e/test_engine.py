"""The client of an engine against real ones: the same cases on Docker and on podman's service. The
cases are those of tests/orchestrator/engine/engine_check.cc, a program of its own."""

import io
import tarfile

import pytest

from harness import images
from harness.docker import Docker
from harness.node import BINARY, Node
from harness.podman_service import PodmanService
from harness.process import run

CHECK = BINARY.parents[1] / "tests/engine_check"
APPLETS = ("sh", "sleep", "echo", "cat", "id", "pwd", "hostname", "grep", "httpd", "mkdir", "test",
           "true")


def busybox(docker, reference):
    """A root with busybox and its names, imported as a user would, and pushed. Its digest."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for folder in ("bin", "tmp", "etc", "proc", "sys", "dev", "data", "scratch"):
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        tar.add(images.BUSYBOX, "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
    docker.docker("import", "--change", "ENV PATH=/bin", "-", reference, input=stream.getvalue())
    docker.docker("push", reference)
    digest = docker.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}",
                           reference).strip().split("@")[1]
    docker.docker("rmi", "--force", reference)
    return digest


@pytest.fixture(scope="module")
def registry(session_folder):
    folder = session_folder / "engine-node"
    folder.mkdir()
    node = Node(folder)
    try:
        yield node.start()
    finally:
        node.kill()


@pytest.fixture(scope="module")
def docker(session_folder):
    engine = Docker(session_folder / "engine-docker")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def podman(session_folder, registry):
    engine = PodmanService(session_folder / "engine-podman", registry.address)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def image(docker, registry):
    reference = f"{registry.address}/app/busybox:1"
    return f"{registry.address}/app/busybox@{busybox(docker, reference)}"


def cases():
    if not CHECK.exists():
        pytest.exit(f"the tests of engines need {CHECK}; start ./dev e2e", 3)
    # Catch's exit code of a list is the number of its entries.
    listed = run(["sh", "-c", f"'{CHECK}' --list-test-names-only || true"])
    return listed.strip().splitlines()


@pytest.mark.parametrize("kind", ["docker", "podman"])
@pytest.mark.parametrize("case", cases())
def test_the_client_does_on_a_real_engine(kind, case, image, request):
    engine = request.getfixturevalue(kind)
    name = case.replace("\\", "\\\\").replace(",", "\\,")
    run([CHECK, name],
        env={"SHOAL_ENGINE_SOCKET": str(engine.socket).removeprefix("unix://"),
             "SHOAL_ENGINE_IMAGE": image, "SHOAL_ENGINE_KIND": kind},
        seconds=120)
