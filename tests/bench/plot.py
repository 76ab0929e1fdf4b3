"""A line chart as SVG: what a bench measured over the number of viewers, one line a sender."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

WIDTH, HEIGHT, MARGIN = 640, 360, 56
COLOURS = ("#0b6e4f", "#c0392b", "#34495e", "#b7791f")
GRID_LINES = 4


def plot(points: Sequence[tuple[str, int, float]], *, above: str = "cores of the sending process") -> str:
    """`points` are (line, viewers, value); viewers on a logarithmic axis, values on a linear one from 0."""
    viewers = sorted({x for _, x, _ in points})
    top = max(value for *_, value in points)
    low, high = log10(viewers[0]), log10(max(viewers[-1], viewers[0] + 1))

    def place(x: int, value: float) -> tuple[float, float]:
        across = (log10(x) - low) / (high - low) * (WIDTH - 2 * MARGIN)
        return round(MARGIN + across, 1), round(HEIGHT - MARGIN - value / top * (HEIGHT - 2 * MARGIN), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="24" font-size="14">{escape(above)}</text>',
    ]
    for number in range(GRID_LINES + 1):
        value = top * number / GRID_LINES
        _, y = place(viewers[0], value)
        parts.append(f'<path d="M{MARGIN} {y}H{WIDTH - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
    for x in viewers:
        across, base = place(x, 0)
        parts.append(f'<text x="{across}" y="{base + 18}" text-anchor="middle">{x}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">viewers</text>')
    for name, colour in zip(dict.fromkeys(name for name, *_ in points), COLOURS, strict=False):
        places = [place(x, value) for line, x, value in points if line == name]
        path = "L".join(f"{x} {y}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(f'<text x="{places[-1][0] + 6}" y="{places[-1][1] - 6}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
