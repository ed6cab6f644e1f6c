"""Registry servers, each with a data folder of its own and on a free loopback port."""

import http.client
import shutil
import socket
import subprocess
import time
from pathlib import Path

from kit.process import Account, die_with_parent

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30

DISTRIBUTION_CONFIG = """\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: true
  cache:
    blobdescriptor: inmemory
http:
  addr: {address}
  secret: only-for-this-run
validation:
  manifests:
    urls:
      allow: [".*"]
"""


class ServerError(Exception):
    """A server did not start, or ended before it was told to."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process. As a context manager it runs inside the block, and has ended, by its own
    process id, on every way out of it."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.folder = folder
        self.address = ""
        self.account: Account | None = None
        self._process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        """What to start; self.address and self.folder are set."""
        raise NotImplementedError

    def choose_address(self) -> str:
        """HOST:PORT, at each start."""
        return f"127.0.0.1:{free_port()}"

    def connect(self) -> http.client.HTTPConnection:
        """Not connected yet; for one thread."""
        return http.client.HTTPConnection(self.address, timeout=5)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = self.choose_address()
        with self._log().open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, preexec_fn=die_with_parent)
        self.account = Account(self._process.pid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{self.name} did not start:\n{self._last_words()}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self.name} has ended:\n{self._last_words()}")

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _log(self) -> Path:
        return self.folder / "server.log"

    def _last_words(self) -> str:
        return self._log().read_text(errors="replace")[-2000:]

    def _answers(self) -> bool:
        connection = self.connect()
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Distribution(Server):
    """Debian's docker-registry on the filesystem driver."""

    def command(self) -> list[str]:
        config = self.folder / "config.yml"
        config.write_text(
            DISTRIBUTION_CONFIG.format(root=self.folder / "data", address=self.address))
        return ["docker-registry", "serve", str(config)]


class Shoal(Server):
    """A node with nothing configured but where it is."""

    def __init__(self, name: str, folder: Path, binary: Path):
        super().__init__(name, folder)
        self._binary = binary

    def command(self) -> list[str]:
        return [str(self._binary), "node", "--data", str(self.folder / "data"),
                "--listen", self.address]
