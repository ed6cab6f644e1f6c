"""A Docker engine of its own: data, sockets and containerd below one folder, no network."""

import pathlib
import shutil
import subprocess

from . import images
from .process import Process, end_processes_naming, run, until


class Docker:
    name = "docker"
    keeps_bytes = False   # A push compresses the layers anew.
    layers_max = 120      # The engine itself ends at 125.

    def __init__(self, folder, enter=lambda command: command):
        """`enter` makes of a command one that runs on another host."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.socket = f"unix://{self.folder}/docker.sock"
        self.env = {"DOCKER_CONFIG": str(self.folder / "config"), "DOCKER_HOST": self.socket,
                    "DOCKER_BUILDKIT": "0"}
        self.engine = Process(
            enter(["dockerd", "--data-root", self.folder / "data",
                   "--exec-root", self.folder / "exec", "-H", self.socket,
                   "-p", self.folder / "docker.pid", "--bridge=none", "--iptables=false",
                   "--ip6tables=false", "--shutdown-timeout=1"]),
            self.folder / "dockerd.log")
        try:
            until(self._ready, "the Docker engine answers")
        except BaseException:
            self.close()
            raise

    def _ready(self):
        assert self.engine.alive(), f"dockerd ended at its start:\n{self.engine.tail()}"
        return subprocess.run(["docker", "version"], env={"PATH": "/usr/bin:/bin", **self.env},
                              capture_output=True, check=False).returncode == 0

    def close(self):
        try:
            self.engine.end()
        finally:
            end_processes_naming(self.folder)
            for mount in _mounts_below(self.folder):
                run(["umount", "--lazy", mount])
            shutil.rmtree(self.folder, ignore_errors=True)

    def docker(self, *arguments, **options):
        return run(["docker", *arguments], env=self.env, **options)

    def load(self, image, reference):
        archive = self.folder / "load.tar"
        images.docker_archive(image, archive, reference)
        self.docker("load", "--input", archive)
        archive.unlink()

    def push(self, image, reference):
        self.load(image, reference)
        self.docker("push", reference)

    def push_index(self, index, reference):
        """As a user does it: each platform under a tag, then a list of them."""
        parts = []
        for image in index.platforms:
            parts.append(f"{reference}-{image.architecture}")
            self.push(image, parts[-1])
        self.docker("manifest", "create", "--insecure", reference, *parts)
        self.docker("manifest", "push", "--insecure", reference)

    def wipe(self):
        self.docker("system", "prune", "--all", "--force", "--volumes")
        assert self.docker("images", "--all", "--quiet") == ""

    def pull(self, reference, architecture="amd64"):
        self.docker("pull", "--platform", f"linux/{architecture}", reference)
        return self.files(reference)

    def files(self, reference):
        container = self.docker("create", reference, "/none").strip()
        try:
            with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE,
                                  env={"PATH": "/usr/bin:/bin", **self.env}) as export:
                files = images.files_in_tar(export.stdout)
            assert export.returncode == 0
            return files
        finally:
            self.docker("rm", container)


def _mounts_below(folder):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in reversed(lines) if line.split()[1].startswith(f"{folder}/")]
