"""A shoal node on a free loopback port."""

import http.client
import os
import pathlib
import signal

from .http import Api
from .process import Process, free_port, until

BINARY = pathlib.Path(os.environ.get("SHOAL_BINARY", "build/dev/cli/shoal")).resolve()


class Node:
    def __init__(self, folder, data=None, env=None, flags=()):
        self.folder = pathlib.Path(folder)
        self.data = pathlib.Path(data or self.folder / "data")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = self.folder / "node.log"
        self.env = env or {}
        self.flags = list(flags)
        self.process = None

    def command(self):
        return [BINARY, "node", "--data", self.data, "--listen", self.address, *self.flags]

    def begin(self):
        """Starts it and does not wait. Not in a thread that ends: the node would end with it."""
        self.process = Process(self.command(), self.log, self.env)
        return self

    def until_ready(self):
        until(self._ready, f"the node serves on {self.address}")
        return self

    def start(self):
        return self.begin().until_ready()

    def _ready(self):
        assert self.process.alive(), f"the node ended at its start:\n{self.process.tail()}"
        try:
            with self.api() as api:
                return api.send("GET", "/v2/").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        """SIGTERM. A node that does not leave cleanly fails the test."""
        code = self.process.end(signal.SIGTERM)
        assert code == 0, f"the node exited with {code}:\n{self.process.tail()}"

    def kill(self):
        if self.process:
            self.process.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def api(self, seconds=60):
        return Api(self.address, seconds)
