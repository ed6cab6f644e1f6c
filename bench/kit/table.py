"""Plain text tables, and numbers as people read them."""

import math
from collections.abc import Sequence


def number(value: float | None) -> str:
    """Three significant digits: 0.0213, 1.75, 235, 12,345."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:,.{min(6, max(0, 2 - magnitude))}f}"


def render(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; the first to the left, the others to the right. A row with
    one cell is a heading between rows."""
    whole = [row for row in rows if len(row) == len(headings)]
    widths = [max(len(row[i]) for row in [headings, *whole]) for i in range(len(headings))]
    lines = [_line(headings, widths), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths) if len(row) == len(headings) else f"\n{row[0]}" for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths)))
    return "  ".join([first, *others]).rstrip()
