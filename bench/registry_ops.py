"""The operations of the registry benchmark: what is done, per what it is counted, and the bar."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kit.generator import Generator
from kit.servers import Server

MIB = 1 << 20
BAR_BYTES = 512 * MIB  # Bulk figures are given per so many bytes, whatever was moved.
CONNECTIONS = 16
SMALL_BYTES = 4096
PAGE_ENTRIES = 1000


@dataclass(frozen=True)
class Settings:
    """How much of everything. The defaults are the full run."""

    rounds: int = 5
    seed: int = 0
    bulk_bytes: int = 512 * MIB
    get_seconds: float = 3.0
    small_pushes: int = 2000
    tags: int = 10_000
    repositories: int = 1_000
    idle_blobs: int = 10_000
    walks: int = 20


QUICK = {"rounds": 2, "bulk_bytes": 64 * MIB, "get_seconds": 1.0, "small_pushes": 500,
         "tags": 1_000, "repositories": 100, "idle_blobs": 1_000, "walks": 10}


@dataclass
class Session:
    """One server in one round, and what earlier operations left there."""

    generator: Generator
    server: Server
    settings: Settings
    round: int = 0
    left: dict = field(default_factory=dict)

    def run(self, operation: str, *arguments: object) -> dict:
        return self.generator(operation, "--server", self.server.address, *arguments)

    def seed(self, purpose: str) -> int:
        """Another one in each round and for each purpose, the same for all servers."""
        code = sum((i + 1) * ord(letter) for i, letter in enumerate(purpose))
        return self.settings.seed * 1_000_003 + self.round * 100_003 + code


@dataclass(frozen=True)
class Unit:
    """What a figure is counted per."""

    count: str         # Name of the count in the generator's report.
    per: float         # CPU is given per so many of it,
    cpu_factor: float  # in so many parts of a second,
    cpu_label: str     # which is written so.
    rate_factor: float
    rate_label: str

    def cpu(self, cpu_seconds: float, report: dict) -> float:
        return cpu_seconds * self.cpu_factor * self.per / report[self.count]

    def rate(self, report: dict) -> float:
        return report[self.count] * self.rate_factor / report["seconds"]


BULK = Unit("bytes", BAR_BYTES, 1, "s/512MiB", 1e-6, "MB/s")
REQUEST = Unit("requests", 1, 1e3, "ms/req", 1, "/s")
BLOB = Unit("blobs", 1, 1e3, "ms/blob", 1, "/s")
WALK = Unit("walks", 1, 1e3, "ms/walk", 1, "/s")


@dataclass(frozen=True)
class Bar:
    """What shoal must reach: `cpu` at most or `rate` at least."""

    metric: str
    limit: float

    def met(self, value: float) -> bool:
        return value <= self.limit if self.metric == "cpu" else value >= self.limit

    def __str__(self) -> str:
        return f"<= {self.limit:g}" if self.metric == "cpu" else f">= {self.limit:,g}/s"


@dataclass(frozen=True)
class Operation:
    name: str   # For --only.
    title: str
    unit: Unit
    run: Callable[[Session], dict]
    bar: Bar | None = None
    floor: str | None = None                            # Name of the floor beside it.
    prepare: Callable[[Session], None] | None = None    # Before the clocks start.
    shoal_only: bool = False


def _push(mode: str, parallel: int = 1) -> Callable[[Session], dict]:
    def run(session: Session) -> dict:
        report = session.run(
            "push", "--repository", "bench/bulk", "--mode", mode, "--parallel", parallel,
            "--size", session.settings.bulk_bytes // parallel,
            "--seed", session.seed(f"push {mode} {parallel}"))
        if parallel == 1:
            session.left["bulk"] = report["digest0"]
        return report
    return run


def _have_bulk(session: Session) -> None:
    if "bulk" not in session.left:
        _push("put")(session)


def _pull(parallel: int) -> Callable[[Session], dict]:
    return lambda session: session.run(
        "pull", "--repository", "bench/bulk", "--digest", session.left["bulk"],
        "--size", session.settings.bulk_bytes, "--parallel", parallel)


def _get(session: Session, target: str, *arguments: object) -> dict:
    return session.run("get", "--target", target, "--connections", CONNECTIONS,
                       "--seconds", session.settings.get_seconds, *arguments)


def _have_image(session: Session) -> None:
    """A small image under as many tags as asked for; once for each server."""
    if "image" not in session.left:
        session.left["image"] = session.run(
            "image", "--repository", "bench/image", "--tags", session.settings.tags,
            "--repositories", session.settings.repositories, "--seed", session.settings.seed)


def _manifest(by: str) -> Callable[[Session], dict]:
    def run(session: Session) -> dict:
        image = session.left["image"]
        reference = image["digest"] if by == "digest" else "tag-00000"
        return _get(session, f"/v2/bench/image/manifests/{reference}",
                    "--digest", image["digest"], "--length", int(image["size"]))
    return run


def _head_blob(session: Session) -> dict:
    image = session.left["image"]
    return _get(session, f"/v2/bench/image/blobs/{image['blob']}", "--head",
                "--digest", image["blob"], "--length", int(image["blob_size"]))


def _version(session: Session) -> dict:
    return _get(session, "/v2/")


def push_small(session: Session, count: int, purpose: str, *arguments: object) -> dict:
    report = session.run(
        "small-push", "--repository", "bench/small", "--count", count, "--size", SMALL_BYTES,
        "--connections", CONNECTIONS, "--seed", session.seed(purpose), *arguments)
    session.left["blobs"] = session.left.get("blobs", 0) + count
    return report


def _small_push(session: Session) -> dict:
    report = push_small(session, session.settings.small_pushes, "small")
    session.left["small round"] = session.round
    return report


def _small_push_single(session: Session) -> dict:
    return push_small(session, session.settings.small_pushes, "single", "--single-post")


def _have_small(session: Session) -> None:
    if session.left.get("small round") != session.round:
        _small_push(session)


def _mount(session: Session) -> dict:
    return session.run(
        "mount", "--from", "bench/small", "--repository", f"bench/mount-{session.round}",
        "--count", session.settings.small_pushes, "--size", SMALL_BYTES,
        "--connections", CONNECTIONS, "--seed", session.seed("small"))


def _walk(target: str, prefix: str, entries: Callable[[Settings], int]) -> Callable:
    return lambda session: session.run(
        "walk", "--target", f"{target}?n={PAGE_ENTRIES}", "--prefix", prefix,
        "--entries", entries(session.settings), "--walks", session.settings.walks)


PUSH_BAR = Bar("cpu", 0.5)
PULL_BAR = Bar("cpu", 0.2)
SMALL_BAR = Bar("cpu", 0.03)
DURABLE_BAR = Bar("rate", 1000)

# In the order in which they run. Each server has an empty store in each round of these.
BULK_OPERATIONS = [
    Operation("push-put", "push, one PUT", BULK, _push("put"), PUSH_BAR, "push-direct"),
    Operation("pull", "pull, one GET", BULK, _pull(1), PULL_BAR, "send", _have_bulk),
    Operation("pull-ranges", "pull, 4 parallel ranges", BULK, _pull(4), PULL_BAR, "send",
              _have_bulk),
    Operation("push-chunks", "push, PATCHes of 16 MiB", BULK, _push("chunks"), PUSH_BAR,
              "push-direct"),
    Operation("push-stream", "push, one streamed PATCH", BULK, _push("stream"), PUSH_BAR,
              "push-direct"),
    Operation("push-parallel", "4 parallel pushes", BULK, _push("put", 4), PUSH_BAR, "push-direct"),
]

# Each server keeps its store over all rounds of these.
SMALL_OPERATIONS = [
    Operation("manifest-tag", "GET manifest by tag", REQUEST, _manifest("tag"), SMALL_BAR,
              "answer", _have_image),
    Operation("manifest-digest", "GET manifest by digest", REQUEST, _manifest("digest"), SMALL_BAR,
              "answer", _have_image),
    Operation("head-blob", "HEAD blob", REQUEST, _head_blob, SMALL_BAR, "answer", _have_image),
    Operation("version", "GET /v2/", REQUEST, _version, SMALL_BAR, "answer"),
    Operation("small-push", "push 4 KiB, POST + PUT", BLOB, _small_push, DURABLE_BAR, "sync"),
    Operation("small-push-single", "push 4 KiB, single POST", BLOB, _small_push_single,
              DURABLE_BAR, "sync", shoal_only=True),
    Operation("mount", "push of a blob that exists", BLOB, _mount, prepare=_have_small),
    Operation("tags", "all tags, pages of 1,000", WALK,
              _walk("/v2/bench/image/tags/list", "tag-", lambda s: s.tags), prepare=_have_image),
    Operation("catalog", "whole catalog, pages of 1,000", WALK,
              _walk("/v2/_catalog", "bench/image-", lambda s: s.repositories),
              prepare=_have_image),
]
NEEDS_LISTS = {"tags", "catalog"}  # Without these an image under one name is enough.

# What the machine charges for the parts of the work: the generator's `floor NAME`, and its unit.
BULK_FLOORS = {"hash": BULK, "write": BULK, "direct": BULK, "send": BULK, "receive": BULK,
               "push": BULK, "push-direct": BULK}
SMALL_FLOORS = {"answer": REQUEST, "sync": REQUEST}
FLOOR_TITLES = {
    "hash": "SHA-256 of the bytes (OpenSSL)",
    "write": "a file written, fsync",
    "direct": "the same by O_DIRECT",
    "send": "pread + send of a cached file",
    "receive": "recv to nowhere",
    "push": "recv + SHA-256 + write, fsync",
    "push-direct": "the same by O_DIRECT",
    "answer": "epoll answering 1 KiB, no parsing",
    "sync": "append 4 KiB + fdatasync, one by one",
}
