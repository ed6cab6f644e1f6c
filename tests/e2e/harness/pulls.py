"""Small images pushed and pulled by hand, and pulls that go on beside a test."""

import http.client
import random
import threading

from .http import ACCEPT, digest_of, image_manifest

PULL_SECONDS = 60  # At most, whoever is dead: the progress timeouts of a few tries.


def random_bytes(seed, size):
    return random.Random(seed).randbytes(size)


def push_layers(host, name, contents, tag="1"):
    """An image of these layers, by hand: the answer to its manifest, and its digest."""
    with host.api() as api:
        config, pushed = api.push_blob(name, b"{}")
        assert pushed.status == 201, pushed.body
        layers = []
        for content in contents:
            layer, pushed = api.push_blob(name, content)
            assert pushed.status == 201, pushed.body
            layers.append((layer, len(content)))
        digest, answer = api.push_manifest(name, tag, image_manifest((config, 2), layers))
        return answer, digest


def push_small(host, name, content, tag="1"):
    return push_layers(host, name, [content], tag)


def pull_blob(host, name, digest, seconds=PULL_SECONDS):
    """The content as the host gets it, or the answer that is not 200."""
    with host.api(seconds) as api:
        blob = api.send("GET", f"/v2/{name}/blobs/{digest}")
        if blob.status != 200:
            return blob
        assert digest_of(blob.body) == digest
        return blob.body


def pull_small(host, name, tag="1", seconds=PULL_SECONDS):
    """The layer of such an image, as the host gets it; or the answer that is not 200."""
    with host.api(seconds) as api:
        manifest = api.send("GET", f"/v2/{name}/manifests/{tag}", headers=ACCEPT)
    if manifest.status != 200:
        return manifest
    return pull_blob(host, name, manifest.json()["layers"][0]["digest"], seconds)


class Pull:
    """A pull by a client of its own, from now on: it gets the right bytes or an error."""

    def __init__(self, host, name, content=None, pull=pull_small, **options):
        """`content`: what it must get, if it gets anything."""
        self.host = host
        self._content = content
        self._pull = lambda: pull(host, name, **options)
        self._right = False
        self._wrong = None
        self.error = None  # An answer, or what broke the connection.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            got = self._pull()
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        except BaseException as error:
            self._wrong = error
        else:
            self._right = isinstance(got, bytes) and self._content in (None, got)
            if not isinstance(got, bytes):
                self.error = got
            elif not self._right:
                self._wrong = AssertionError("other bytes than were pushed")

    def running(self):
        return self._thread.is_alive()

    def wait(self, seconds=120):
        """Whether the bytes came; else there is an error. Wrong bytes fail the test."""
        self._thread.join(seconds)
        assert not self.running(), f"{self.host.name}: the pull has not ended after {seconds} s"
        if self._wrong is not None:
            raise self._wrong
        return self._right

    def right(self, seconds=120):
        """The same, where nothing but the bytes will do."""
        came = self.wait(seconds)
        assert came, f"{self.host.name}: {self.error!r}\n{self.host.process.tail()}"
        return True
