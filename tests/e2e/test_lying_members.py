"""A member of the cluster that lies, with its own certificate, on real hosts: clients of the others
get the right bytes, and it is found out."""

import pathlib
import sys
import types

import pytest

from harness.hosts import ONE_COPY
from harness.http import digest_of
from harness.process import until
from harness.pulls import Pull, push_small, random_bytes

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from lab.liar import BEHIND, Liar, info_hash_of, named_as_holder  # noqa: E402
from lab.liar_process import WAYS  # noqa: E402

MIB = 1 << 20


@pytest.mark.parametrize("way", WAYS)
def test_a_member_that_lies_harms_nobody(network, way):
    honest, liar, other = [network.host() for _ in range(3)]
    liar.flags += ["--cluster-listen", f"{liar.ip}:{BEHIND}", "--advertise", f"{liar.ip}:5001"]
    network.start([honest, liar, other], ONE_COPY)
    content = random_bytes(f"lie {way}", 24 * MIB)
    digest = digest_of(content)
    assert push_small(honest, "app", content)[0].status == 201
    assert Pull(liar, "app", content).right()
    image = types.SimpleNamespace(repository="app", layers=[(digest, len(content))])
    torrent, pieces = info_hash_of(liar, image)
    honest.shape(up=40)  # So that the liar is asked, too.
    with Liar(liar, digest, torrent, pieces, way) as process:
        cluster = types.SimpleNamespace(network=network, peers=[honest, other])
        until(lambda: named_as_holder(cluster, honest, digest, liar.id()),
              "the directory names the liar as a holder")
        # Whoever took a wrong torrent is told so, and gets the right one at the next attempt.
        tries = 2 if way == "torrent" else 1
        pulls = (Pull(other, "app", content).wait() for _ in range(tries))
        assert any(pulls), other.process.tail()
    assert other.holds(digest)
    if way != "torrent":
        asked = process.account[other.ip]
        assert asked["connections"] > 0
    if way == "noise":
        assert asked["bytes"] < len(content) / 4
        assert other.logged("wrong pieces received", digest)
