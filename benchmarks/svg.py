"""Three charts as inline SVG: bars, curves on a logarithmic scale, and shares against shares."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, BAR, LABEL = 860, 26, 240
CURVE_HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 70, 170, 40, 40
COLOURS = ("#2563a8", "#c2570c", "#2b8a3e", "#8b3fa0", "#b42318", "#5b6675", "#0b7285", "#8a6d00")
FONT = 'font-family="system-ui, sans-serif" font-size="13"'


def bars(title: str, values: Sequence[tuple[str, float | None]]) -> str:
    """One bar a value, longest full width; values that are None are left out."""
    shown = [(label, value) for label, value in values if value is not None]
    top = max((value for _, value in shown), default=0) or 1
    parts = []
    for number, (label, value) in enumerate(shown):
        y, length = TOP + number * BAR, (WIDTH - LABEL - 90) * value / top
        text = f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
        parts.append(_text(LABEL - 8, y + 15, label, anchor="end"))
        parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 8}" fill="{COLOURS[0]}"/>')
        parts.append(_text(LABEL + length + 6, y + 15, text))
    return _svg(title, TOP + len(shown) * BAR + 10, parts)


def curves(title: str, unit: str, points: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """One curve a series over named points, upwards on a logarithmic scale."""
    values = [value for line in series.values() for value in line if value is not None and value > 0]
    if not values:
        return _svg(title, TOP + 10, [])
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    step = (WIDTH - LEFT - RIGHT) / max(len(points) - 1, 1)
    inner = CURVE_HEIGHT - TOP - BOTTOM

    def y(value: float) -> float:
        return TOP + inner * (1 - (math.log10(max(value, 10**low)) - low) / (high - low))

    parts = []
    for exponent in range(low, high + 1):
        at = y(10**exponent)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#d8dee6"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{10**exponent:g} {unit}", anchor="end"))
    for number, point in enumerate(points):
        parts.append(_text(LEFT + number * step, CURVE_HEIGHT - 14, point, anchor="middle"))
    for number, (label, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(LEFT + n * step, y(value)) for n, value in enumerate(line) if value is not None]
        path = " ".join(f"{x:.1f},{at:.1f}" for x, at in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{at:.1f}" r="3" fill="{colour}"/>' for x, at in places]
        parts.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{TOP + number * 20}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 34, TOP + number * 20 + 11, label))
    return _svg(title, CURVE_HEIGHT, parts)


def shares(title: str, x_axis: str, y_axis: str, points: Sequence[tuple[float, float, int]]) -> str:
    """(x, y, count) from 0 to 1 with the diagonal on which the two are equal; a dot's area grows with its count."""
    side, bottom = 420, TOP + 420
    most = max((count for _, _, count in points), default=1)
    parts = []
    for tenth in range(0, 11, 2):
        at = side * tenth / 10
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + side}" y1="{bottom - at}" y2="{bottom - at}" stroke="#d8dee6"/>')
        parts.append(_text(LEFT - 8, bottom - at + 4, f"{tenth / 10:g}", anchor="end"))
        parts.append(_text(LEFT + at, bottom + 18, f"{tenth / 10:g}", anchor="middle"))
    parts.append(
        f'<line x1="{LEFT}" y1="{bottom}" x2="{LEFT + side}" y2="{TOP}" stroke="#5b6675" stroke-dasharray="4"/>'
    )
    for x, y, count in points:
        at_x, at_y, radius = LEFT + side * x, bottom - side * y, 3 + 15 * math.sqrt(count / most)
        parts.append(
            f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="{radius:.1f}" fill="{COLOURS[0]}" fill-opacity="0.5"/>'
        )
        parts.append(_text(at_x + radius + 3, at_y + 4, f"{count:,}"))
    parts.append(_text(LEFT + side / 2, bottom + 38, x_axis, anchor="middle"))
    parts.append(_text(LEFT + side + 40, TOP + 12, y_axis))
    return _svg(title, bottom + 50, parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} fill="#1c2430">{escape(text)}</text>'


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    heading = f'<text x="0" y="18" {FONT} font-weight="600" fill="#1c2430">{escape(title)}</text>'
    inner = "\n".join((heading, *parts))
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{escape(title)}">{inner}</svg>'
