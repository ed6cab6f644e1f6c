"""podman's service, an engine with Docker's API: data, sockets and settings below one folder."""

import os
import pathlib
import shutil
import socket

from .process import Process, end_processes_naming, run, until

# Podman asks for a million open files and this many processes otherwise, which a container of its
# own kind may not give it; 4.3 mixes up the soft and the hard limit, so they are the same.
_LIMITS = 4096


class PodmanService:
    name = "podman"

    def __init__(self, folder, registry):
        """`registry` is HOST:PORT of one that speaks HTTP: podman has to be told, also of
        loopback."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.socket = self.folder / "podman.sock"
        registries = self.folder / "registries.conf"
        registries.write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
        settings = self.folder / "containers.conf"
        settings.write_text(
            f'[containers]\ndefault_ulimits = ["nofile={_LIMITS}:{_LIMITS}", '
            f'"nproc={_LIMITS}:{_LIMITS}"]\n[engine]\nruntime = "runc"\n')
        self.env = {"CONTAINERS_CONF": str(settings), "CONTAINERS_REGISTRIES_CONF": str(registries),
                    "TMPDIR": str(self.folder)}
        self.options = ["--root", self.folder / "root", "--runroot", self.folder / "run",
                        "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
                        "--events-backend", "file"]
        self.start()

    def start(self):
        self.engine = Process(
            ["podman", *self.options, "system", "service", "--time=0", f"unix://{self.socket}"],
            self.folder / "podman.log", self.env)
        try:
            until(self._ready, "podman's service answers")
        except BaseException:
            self.close()
            raise

    def _ready(self):
        assert self.engine.alive(), f"podman ended at its start:\n{self.engine.tail()}"
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(os.fspath(self.socket)) == 0

    def close(self):
        try:
            self.engine.end()
            run(["podman", *self.options, "rm", "--all", "--force", "--time=0"], env=self.env)
        finally:
            end_processes_naming(self.folder)
            overlay = self.folder / "root/overlay"
            if overlay.is_mount():
                run(["umount", "--lazy", overlay])
            shutil.rmtree(self.folder, ignore_errors=True)
