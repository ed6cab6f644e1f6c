"""A client of a node that reads an image as Docker does: the manifest, the configuration, then the
layers, three at a time; and notes when what came."""

import contextlib
import hashlib
import http.client
import json
import threading
import time
from dataclasses import dataclass, field

from harness.hosts import inside
from harness.http import ACCEPT

from .cluster import SECONDS, Image
from .network import LabHost

READERS = 3
BLOCK = 256 << 10


class WrongAnswer(Exception):
    """Not what was asked for."""


@dataclass
class Reading:
    """Seconds since `start`; None for what did not happen."""

    host: str
    start: float
    manifest_s: float | None = None
    first_byte_s: float | None = None
    half_s: float | None = None  # Half of the bytes of the image are with the client, in order.
    end_s: float | None = None   # All of them, and they are right.
    error: str | None = None
    progress: list[tuple[float, int]] = field(default_factory=list)


class HostConnection(http.client.HTTPConnection):
    """A socket stays in the namespace that it was made in."""

    def __init__(self, namespace: str, address: str):
        super().__init__(address, timeout=SECONDS)
        self._namespace = namespace

    def connect(self) -> None:
        with inside(self._namespace):
            super().connect()


class Client:
    """Reads from whatever serves the registry's API at `address` of the host's namespace."""

    def __init__(self, host: LabHost, image: Image, address: str | None = None):
        self._host = host
        self._image = image
        self._address = address or host.address
        self._lock = threading.Lock()
        self._left = list(image.layers)
        self._bytes = 0
        self.reading = Reading(host.name, time.monotonic())

    def ask_manifest(self) -> None:
        """With this a node of a cluster begins to fetch all of the image."""
        with contextlib.closing(self._connect()) as connection:
            body = self._get(connection, f"manifests/{self._image.tag}", ACCEPT).read()
        digests = [layer["digest"] for layer in json.loads(body)["layers"]]
        if digests != self._image.digests:
            raise WrongAnswer(f"another manifest than that of {self._image.tag}")
        self.reading.manifest_s = self._now()

    def read(self) -> Reading:
        """All of it. Never raises for what the server does: `error` says it."""
        try:
            self.reading.start = time.monotonic()
            self.ask_manifest()
            self._read_config()
            threads = [threading.Thread(target=self._read_layers, daemon=True)
                       for _ in range(min(READERS, len(self._left)))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self.reading.error is None:
                self.reading.end_s = self._now()
        except (OSError, http.client.HTTPException, WrongAnswer, ValueError) as error:
            self._fail(error)
        return self.reading

    def prefetch(self) -> Reading:
        """The manifest alone. Never raises either."""
        try:
            self.reading.start = time.monotonic()
            self.ask_manifest()
        except (OSError, http.client.HTTPException, WrongAnswer, ValueError) as error:
            self._fail(error)
        return self.reading

    def _read_config(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            digest, size = self._image.config
            body = self._get(connection, f"blobs/{digest}").read()
            if len(body) != size or f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
                raise WrongAnswer(f"{digest}: other bytes")

    def _read_layers(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection:
                while True:
                    with self._lock:
                        if not self._left or self.reading.error:
                            return
                        digest, size = self._left.pop(0)
                    self._read_layer(connection, digest, size)
        except (OSError, http.client.HTTPException, WrongAnswer) as error:
            self._fail(error)

    def _read_layer(self, connection: http.client.HTTPConnection, digest: str, size: int) -> None:
        answer = self._get(connection, f"blobs/{digest}")
        block = bytearray(min(BLOCK, size))
        left, hashed = size, hashlib.sha256()
        while left:
            got = answer.readinto(memoryview(block)[:min(left, len(block))])
            if not got:
                raise WrongAnswer(f"{digest}: {left} of {size} bytes are missing")
            hashed.update(memoryview(block)[:got])
            left -= got
            self._note(got)
        if answer.read(1):
            raise WrongAnswer(f"{digest}: more than {size} bytes")
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise WrongAnswer(f"{digest}: other bytes")

    def _note(self, got: int) -> None:
        now = self._now()
        with self._lock:
            self._bytes += got
            reading = self.reading
            if reading.first_byte_s is None:
                reading.first_byte_s = now
            if reading.half_s is None and 2 * self._bytes >= self._image.size:
                reading.half_s = now
            last = reading.progress[-1] if reading.progress else (0.0, 0)
            if now - last[0] >= 0.1 or self._bytes == self._image.size:
                reading.progress.append((now, self._bytes))

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self.reading.error = self.reading.error or f"{type(error).__name__}: {error}"

    def _connect(self) -> HostConnection:
        return HostConnection(self._host.namespace, self._address)

    def _get(self, connection: HostConnection, what: str,
             headers: dict | None = None) -> http.client.HTTPResponse:
        connection.request("GET", f"/v2/{self._image.repository}/{what}", headers=headers or {})
        answer = connection.getresponse()
        if answer.status != 200:
            text = answer.read()[:200].decode(errors="replace")
            raise WrongAnswer(f"GET {what}: {answer.status} {text}")
        return answer

    def _now(self) -> float:
        return time.monotonic() - self.reading.start
