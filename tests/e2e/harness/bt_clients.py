"""Stock clients of BitTorrent on this host, which know version 1 alone, found by their tracker."""

import hashlib
import json
import pathlib

from .process import Process, free_port, until


class _Client:
    """Fetches what a .torrent file names, and gives it to others until it is closed."""

    address = "127.0.0.1"

    def __init__(self, folder, torrent):
        self.folder = pathlib.Path(folder)
        self.files = self.folder / "files"
        self.files.mkdir(parents=True)
        self.port = free_port()
        self.process = Process(self.command(torrent), self.folder / f"{self.name}.log")

    def close(self):
        self.process.end()

    def until_complete(self, content, seconds=60):
        """Until it has these bytes, as far as it says by its file."""
        wanted = hashlib.sha256(content).digest()

        def complete():
            assert self.process.alive(), f"{self.name} ended:\n{self.process.tail()}"
            found = [path for path in self.files.iterdir()
                     if path.suffix not in (".aria2", ".part")]
            return (found and found[0].stat().st_size == len(content) and
                    hashlib.sha256(found[0].read_bytes()).digest() == wanted)

        until(complete, f"{self.name} has the content", seconds)


class Aria2(_Client):
    name = "aria2"

    def command(self, torrent):
        return ["aria2c", f"--dir={self.files}", f"--listen-port={self.port}", "--seed-ratio=0",
                f"--interface={self.address}", "--disable-ipv6=true", "--enable-dht=false",
                "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false",
                "--file-allocation=none", torrent]


class Transmission(_Client):
    name = "transmission"

    def command(self, torrent):
        settings = {"bind-address-ipv4": self.address, "bind-address-ipv6": "::1",
                    "dht-enabled": False, "lpd-enabled": False, "pex-enabled": False,
                    "utp-enabled": False, "port-forwarding-enabled": False, "rpc-enabled": False}
        config = self.folder / "config"
        config.mkdir()
        (config / "settings.json").write_text(json.dumps(settings))
        return ["transmission-cli", "--config-dir", config, "--download-dir", self.files, "--port",
                str(self.port), "--no-portmap", torrent]
