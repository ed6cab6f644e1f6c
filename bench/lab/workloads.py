"""What the lab does: W1 to W10. Each workload gives rows: a key that stays the same over the
repetitions, what it says in the table, and the figures of this repetition."""

from collections.abc import Iterator
from dataclasses import dataclass

from .lab import Lab


@dataclass(frozen=True)
class Row:
    key: str
    label: str
    figures: dict


def w1(lab: Lab) -> Iterator[Row]:
    """One warm seed, N cold hosts."""
    size = lab.options.size
    yield Row("W1", "nobody reads", lab.distribute([size], reads=False))
    yield Row("W1 read", "a client on each host reads", lab.distribute([size]))


WORKLOADS = {"W1": w1}
