"""The least time in which a blob can be on all hosts, whatever the protocol: Kumar and Ross,
"Optimal peer-assisted file distribution" (2006), for a fluid without headers or latency."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Bound:
    """Seconds, each term by itself: to go faster, widen what the largest one names."""

    seeds_s: float     # F / u_s: each byte leaves the seeds at least once.
    slowest_s: float   # F / d_min: the slowest host takes all of it in.
    uploads_s: float   # N F / (u_s + sum u_i): all that is received has been sent.

    @property
    def seconds(self) -> float:
        return max(self.seeds_s, self.slowest_s, self.uploads_s)

    def json(self) -> dict:
        return {**asdict(self), "seconds": self.seconds}


def bound(size: float, seeds_up: Sequence[float], up: Sequence[float],
          down: Sequence[float]) -> Bound:
    """For `size` bytes that the seeds hold and the others, with their `up` and `down` in bytes a
    second, lack."""
    return Bound(size / sum(seeds_up), size / min(down),
                 len(down) * size / (sum(seeds_up) + sum(up)))


def one_server(size: float, server_up: float, down: Sequence[float]) -> float:
    """Seconds in which one server alone can give it to all."""
    return max(len(down) * size / server_up, size / min(down))


def binary_tree(size: float, pieces: int, hosts: int, rate: float) -> float:
    """Seconds until the last host of a binary tree below the seed has all pieces: each node sends
    each piece to two children, one after the other, and sends a piece on when it has all of it
    (DADI's peers do it so). All links have the same rate, bytes a second, either way."""
    depths, level, left = 0, 2, hosts
    while left > 0:
        left -= level
        level *= 2
        depths += 1
    fan_out = min(2, hosts)
    return fan_out * size / rate + (depths - 1) * fan_out * (size / pieces) / rate
