"""A store on a small file system of its own that runs full, and recovers."""

import random

import pytest

from harness.disks import fill_disk, small_disk
from harness.http import digest_of, image_manifest, with_query
from harness.node import Node

DISK_MIB = 256
BLOB_BYTES = 8 << 20


@pytest.fixture
def disk(folder):
    with small_disk(folder, DISK_MIB) as mount:
        yield mount


@pytest.fixture
def node(folder, disk):
    started = Node(folder, data=disk / "data")
    try:
        yield started.start()
    finally:
        started.kill()


def check_refusal(answer):
    assert answer.status == 507, f"{answer.status} {answer.body[:300]}"
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["errors"][0]
    assert error["code"] and "disk" in error["message"]


def push_image(api, name, content):
    blob, answer = api.push_blob(name, content)
    assert answer.status == 201
    config, answer = api.push_blob(name, b"{}")
    assert answer.status == 201
    manifest = image_manifest((config, 2), [(blob, len(content))])
    digest, answer = api.push_manifest(name, "latest", manifest)
    assert answer.status == 201
    return digest, blob


def fill(api, chance):
    """Pushes until the node refuses. Returns what it took, and what it refused with the answer."""
    taken = []
    for _ in range(DISK_MIB):
        content = chance.randbytes(BLOB_BYTES)
        digest, answer = api.push_blob("filler", content)
        if answer.status != 201:
            return taken, (digest, answer)
        taken.append(digest)
    raise AssertionError("the disk never ran full")


def test_a_full_store_refuses_pushes_serves_pulls_and_recovers(node):
    chance = random.Random(3)
    content = chance.randbytes(5 << 20)
    with node.api() as api:
        digest, blob = push_image(api, "early", content)
        taken, (refused, answer) = fill(api, chance)
        check_refusal(answer)
        assert len(taken) > 3
        # By chunks it is refused as clearly.
        start = api.send("POST", "/v2/filler/blobs/uploads/", b"")
        if start.status == 202:
            answer = api.send("PATCH", start.headers["Location"], chance.randbytes(BLOB_BYTES))
        else:
            answer = start
        check_refusal(answer)

        for _ in range(2):
            assert digest_of(api.send("GET", "/v2/early/manifests/latest").body) == digest
            assert api.send("GET", f"/v2/early/blobs/{blob}").body == content
            assert api.send("HEAD", f"/v2/filler/blobs/{refused}").status == 404
            assert digest_of(api.send("GET", f"/v2/filler/blobs/{taken[-1]}").body) == taken[-1]
            node.restart()
            api.close()

        for one in taken[:3]:
            assert api.send("DELETE", f"/v2/filler/blobs/{one}").status == 202
        late = chance.randbytes(BLOB_BYTES)
        push_image(api, "late", late)
        assert api.send("GET", f"/v2/late/blobs/{digest_of(late)}").body == late


def test_a_disk_that_others_fill_to_the_last_byte_costs_nothing_acknowledged(node, disk):
    chance = random.Random(4)
    content = chance.randbytes(5 << 20)
    with node.api() as api:
        digest, blob = push_image(api, "early", content)
        start = api.send("POST", "/v2/early/blobs/uploads/", b"")
        session = api.send("PATCH", start.headers["Location"], content[:1 << 20])
        assert session.status == 202
        ballast = fill_disk(disk)

        for size in (BLOB_BYTES, 100):
            _, answer = api.push_blob("early", chance.randbytes(size))
            check_refusal(answer)
        manifest = image_manifest((digest_of(b"{}"), 2), [(blob, len(content))])
        manifest["annotations"] = {"changed": "yes"}
        check_refusal(api.push_manifest("early", "latest", manifest)[1])
        assert digest_of(api.send("GET", "/v2/early/manifests/latest").body) == digest
        assert api.send("GET", f"/v2/early/blobs/{blob}").body == content

        ballast.unlink()
        other = chance.randbytes(BLOB_BYTES)
        assert api.push_blob("early", other)[1].status == 201
        assert api.push_manifest("early", "latest", manifest)[1].status == 201
        # The upload that was open all the time goes on.
        location = session.headers["Location"]
        rest = api.send("PUT", with_query(location, digest=digest_of(content)), content[1 << 20:])
        assert rest.status == 201
    node.restart()
    with node.api() as api:
        assert api.send("GET", f"/v2/early/blobs/{digest_of(other)}").body == other
