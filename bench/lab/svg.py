"""Plots as SVG, from nothing but the standard library."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d6a9f", "#c98a1b", "#4a4e69", "#2a9d8f", "#7f5539")
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 30, 46


@dataclass(frozen=True)
class Scale:
    """From values to pixels, straight or by logarithms (then all values are above zero)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 6) -> list[float]:
        """Round values between low and high, some `about` of them, or a few a decade."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [factor * 10.0 ** decade for decade in decades for factor in (1, 2, 5)]
            return [value for value in values if self.low <= value <= self.high]
        rough = (self.high - self.low) / about
        if rough <= 0:
            return [self.low]
        power = 10 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


class Chart:
    """Axes, and what is drawn between them."""

    def __init__(self, title: str, x_label: str, y_label: str, x: tuple[float, float],
                 y: tuple[float, float], log_x: bool = False, width: int = 720, height: int = 360):
        self.x = Scale(*x, LEFT, width - RIGHT, log_x)
        self.y = Scale(*y, height - BOTTOM, TOP)
        self._width, self._height = width, height
        self._labels = (title, x_label, y_label)
        self._parts: list[str] = []
        self._legend: list[tuple[str, str, str]] = []

    def line(self, points: Sequence[tuple[float, float]], colour: str, label: str = "",
             dash: str = "", width: float = 1.6, dots: bool = False, opacity: float = 1) -> None:
        if len(points) > 1:
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
            self._parts.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
                f'stroke-dasharray="{dash}" stroke-opacity="{opacity}"/>')
        if dots or len(points) == 1:
            self._parts += [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" '
                            f'fill="{colour}"/>' for x, y in points]
        if label:
            self._legend.append((colour, dash, label))

    def bar(self, x: float, x_to: float, y: float, y_to: float, colour: str) -> None:
        self._parts.append(
            f'<rect x="{self.x(x):.1f}" y="{self.y(y_to):.1f}" '
            f'width="{self.x(x_to) - self.x(x) + 0.3:.1f}" '
            f'height="{self.y(y) - self.y(y_to):.1f}" fill="{colour}"/>')

    def svg(self, y_names: Iterable[str] = ()) -> str:
        """`y_names`: instead of ticks, one for each whole number from 0 on, in its middle."""
        title, x_label, y_label = self._labels
        bottom, right = self._height - BOTTOM, self._width - RIGHT
        out = [f'<svg viewBox="0 0 {self._width} {self._height}" role="img" '
               f'aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">',
               f'<text x="{LEFT}" y="18" class="title">{escape(title)}</text>']
        names = list(y_names)
        for value in self.x.ticks():
            at = self.x(value)
            out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}" class="grid"/>'
                       f'<text x="{at:.1f}" y="{bottom + 15}" class="x">{value:g}</text>')
        for value in [] if names else self.y.ticks():
            at = self.y(value)
            out.append(f'<line x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
                       f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="y">{value:g}</text>')
        for number, name in enumerate(names):
            out.append(f'<text x="{LEFT - 6}" y="{self.y(number + 0.5) + 3:.1f}" '
                       f'class="y small">{escape(name)}</text>')
        out += self._parts
        out.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{self._height - 10}" class="x">'
                   f'{escape(x_label)}</text>'
                   f'<text transform="translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)" '
                   f'class="x">{escape(y_label)}</text></svg>')
        if self._legend:
            out.append('<p class="legend">' + " ".join(
                f'<span><svg width="26" height="8"><line x1="0" x2="26" y1="4" y2="4" '
                f'stroke="{colour}" stroke-width="3" stroke-dasharray="{dash}"/></svg> '
                f'{escape(label)}</span>' for colour, dash, label in self._legend) + "</p>")
        return "".join(out)


def shade(share: float) -> str:
    """White for nothing, dark for all of it; above that a warning."""
    if share > 1.5:
        return "#d1495b"
    share = max(0.0, min(1.0, share))
    red, green, blue = (round(255 + share * (dark - 255)) for dark in (17, 75, 122))
    return f"#{red:02x}{green:02x}{blue:02x}"
