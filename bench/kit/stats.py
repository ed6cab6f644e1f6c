"""What is left of several rounds."""

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def ratio(base: float | None, other: float | None) -> float | None:
    return base / other if base is not None and other else None


def summary(values: Sequence[float]) -> dict | None:
    """Median and range, for the JSON."""
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
