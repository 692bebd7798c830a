"""Detection curves as hand-written SVG: of how many runs a regression was found, by pairs of its family."""

import math
from html import escape

from .draw import INK

SHOWN = ["refusals, 2 %", "key missing, 5 %", "key renamed, 30 %", "JSON in a fence, every answer"]
STROKES = {
    "fresh": ("#2f6fdb", ""),
    "late": ("#2f6fdb", "6 3"),
    "late, one process": ("#6b7280", "6 3"),
    "z, Bonferroni": ("#c2410c", ""),
    "Diffy's rule": ("#a3a8b3", ""),
}
NAMES = {
    "fresh": "Understudy, from the start",
    "late": "Understudy, after 100,000 good pairs",
    "late, one process": "one process over all pairs, after 100,000 good pairs",
    "z, Bonferroni": "z test, peeking (alarms without cause)",
    "Diffy's rule": "Diffy's rule (alarms without cause)",
}
WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 210, 46, 40, 70


def read(text: str) -> dict[str, dict[str, list[float]]]:
    """regression -> line -> delays by run; infinite where it was not found in time."""
    lines: dict[str, dict[str, list[float]]] = {}
    for row in text.splitlines():
        regression, line, *delays = row.split("\t")
        lines.setdefault(regression, {})[line] = [math.inf if d == "-1" else float(d) for d in delays]
    return lines


def picture(lines: dict[str, dict[str, list[float]]]) -> str:
    width = 2 * (LEFT + WIDTH + 20)
    height = TOP + 2 * (HEIGHT + GAP) + 20 * len(NAMES)
    title = "How soon a regression in one family is found"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}" role="img" aria-label="{escape(title)}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for index, name in enumerate(name for name in SHOWN if name in lines):
        x = LEFT + (index % 2) * (LEFT + WIDTH + 20)
        y = TOP + 20 + (index // 2) * (HEIGHT + GAP)
        parts += panel(name, lines[name], x, y)
    for index, (line, name) in enumerate(NAMES.items()):
        colour, dash = STROKES[line]
        y = TOP + 2 * (HEIGHT + GAP) + 20 * index
        parts += [f'<line x1="{LEFT}" y1="{y - 4}" x2="{LEFT + 40}" y2="{y - 4}" stroke="{colour}" stroke-width="2" '
                  f'stroke-dasharray="{dash}"/>', f'<text x="{LEFT + 50}" y="{y}">{escape(name)}</text>']
    return "\n".join([*parts, "</svg>", ""])


def panel(name: str, of: dict[str, list[float]], left: int, top: int) -> list[str]:
    found = [delay for delays in of.values() for delay in delays if math.isfinite(delay)]
    most = max(found, default=1.0)
    parts = [
        f'<text x="{left}" y="{top - 8}" font-weight="600">{escape(name)}</text>',
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="{INK}" opacity="0.3"/>',
        f'<text x="{left + WIDTH}" y="{top + HEIGHT + 16}" text-anchor="end">{most:.0f} pairs of the family</text>',
        f'<text x="{left}" y="{top + HEIGHT + 16}">0</text>',
        f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">all</text>',
        f'<text x="{left - 6}" y="{top + HEIGHT / 2 + 4}" text-anchor="end">half</text>',
    ]
    for line, (colour, dash) in STROKES.items():
        points = [(0.0, 0.0)]
        delays = sorted(of.get(line, []))
        for rank, delay in enumerate(delays, 1):
            if math.isinf(delay):
                break
            points += [(delay, points[-1][1]), (delay, rank / len(delays))]
        points.append((most, points[-1][1]))
        path = " ".join(f"{left + x / most * WIDTH:.1f},{top + HEIGHT * (1 - y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    return parts
