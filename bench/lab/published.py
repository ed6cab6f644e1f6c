"""What others have published of themselves, as ratios to the same bound. None of it was measured
here, and the machines, links and sizes are theirs; the bound is computed from what they say of
these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    name: str
    points: tuple[tuple[int, float], ...]  # Hosts, and time over the bound.
    conditions: str
    source: str


CURVES = (
    Curve("Dragonfly 2.0, 1 GB", ((1, 1.14), (5, 1.74), (10, 2.38), (100, 4.2), (990, 2.8)),
          "a user's test on 990 machines; the bound is that of the 100 MiB/s which they seem to be "
          "limited to", "https://github.com/dragonflyoss/dragonfly/issues/1535"),
    Curve("Dragonfly 2.0, 200 MB", ((1, 2.1), (100, 3.2), (990, 4.6)),
          "the same test", "https://github.com/dragonflyoss/dragonfly/issues/1535"),
    Curve("Kraken, 3 GB, p50", ((2600, 1.0),),
          "2600 hosts at once, limited to 300 MB/s with a burst of a second; the bound is F/d",
          "https://github.com/uber/kraken (README)"),
    Curve("Kraken, 3 GB, p99", ((2600, 1.8),), "the same run",
          "https://github.com/uber/kraken (README)"),
    Curve("Spegel 0.3, 1 GB", ((10, 5.1),),
          "10 nodes, all at once: 24.1 s, beside 4.7 s from one warm peer, which stands for the "
          "bound here; without Spegel 25.8 s",
          "https://github.com/spegel-org/benchmark (raw data of 2025-06)"),
)
