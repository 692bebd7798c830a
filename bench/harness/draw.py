"""Bar charts as hand-written SVG: one bar per contestant, a whisker from the worst to the best round."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from .figures import Figure, added, against_anchor, figure, label, names_in, of

COLOURS = {"understudy": "#2f6fdb", "nginx": "#6b7280", "haproxy": "#a3a8b3", "direct": "#d1d5db"}
INK, GOAL = "#1f2937", "#c2410c"
LEFT, BAR, GAP, PLOT, RIGHT, TOP = 270, 20, 9, 420, 110, 54


@dataclass(frozen=True)
class Bar:
    contestant: str
    value: Figure


def chart(title: str, subtitle: str, bars: list[Bar], goal: float | None, digits: int) -> str:
    """`goal` is drawn as a line: what the proxy is held against."""
    most = max([bar.value.high for bar in bars] + [goal or 0]) or 1
    scale = PLOT / most
    height = TOP + len(bars) * (BAR + GAP) + 16
    width = LEFT + PLOT + RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}" role="img" aria-label="{escape(title)}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text x="12" y="38" fill="{INK}" opacity="0.7">{escape(subtitle)}</text>',
    ]
    for index, bar in enumerate(bars):
        parts += bar_lines(bar, TOP + index * (BAR + GAP), scale)
    if goal is not None:
        x = LEFT + goal * scale
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 10}" stroke="{GOAL}" '
                     'stroke-width="1.5" stroke-dasharray="4 3"/>')
    for index, bar in enumerate(bars):  # over everything, each in a white halo
        x = LEFT + max(bar.value.high, bar.value.median) * scale + 6
        parts.append(f'<text x="{x:.1f}" y="{TOP + index * (BAR + GAP) + 14}" paint-order="stroke" stroke="white" '
                     f'stroke-width="4">{bar.value.median:.{digits}f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def bar_lines(bar: Bar, y: int, scale: float) -> list[str]:
    kind = bar.contestant.split("-")[0]
    length = max(1.0, bar.value.median * scale)
    low, high = LEFT + bar.value.low * scale, LEFT + bar.value.high * scale
    middle = y + BAR / 2
    return [
        f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label(bar.contestant))}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{COLOURS[kind]}"/>',
        f'<line x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}" stroke="{INK}" stroke-width="1.2"/>',
    ]


def bars_of(rows: list[dict], figure_of, skip=()) -> list[Bar]:
    made = [(name, figure_of(name)) for name in names_in(rows) if name not in skip]
    return [Bar(name, value) for name, value in made if value is not None]


def throughput_charts(rows: list[dict]) -> dict:
    charts = {}
    for name, body in (("2k", 2048), ("64k", 65536)):
        bars = bars_of(rows, lambda one: figure(row["per_cpu_second"] / 1e3 for row in of(rows, one, body=body)),
                       skip=("direct",))
        charts[f"throughput-{name}"] = (f"Requests per CPU-second, {name[:-1]} KiB bodies", "thousands; more is better", bars, None, 1)
        ratios = bars_of(rows, lambda one: against_anchor(rows, one, body))
        charts[f"ratio-{name}"] = (f"Against nginx, {name[:-1]} KiB bodies", "requests per CPU-second; mirror 100 % "
                                   "against nginx mirror, the rest against proxy_pass (line: 1)", ratios, 1.0, 2)
    return charts


def charts_of(results: dict) -> dict:
    charts = throughput_charts(results["throughput"]) if results.get("throughput") else {}
    latency, streams, memory = (results.get(key, []) for key in ("latency", "streams", "memory"))
    charts["latency"] = ("Added latency, p50, at 1,000 requests a second", "us on top of the direct way; less is better",
                         bars_of(latency, lambda one: added(latency, one, "p50_us"), skip=("direct",)), None, 0)
    for key, title in (("first_byte_p50_us", "Added time to first byte, p50"), ("age_p50_us", "Added age of a chunk, p50")):
        charts[f"streams-{key.split('_p50')[0].replace('_', '-')}"] = (
            title, "us; 50 streams, a frame every 10 ms; less is better",
            bars_of(streams, lambda one, key=key: added(streams, one, key), skip=("direct",)), None, 0)
    for kind, title in (("idle", "Memory per idle connection"), ("stream", "Memory per streaming connection")):
        charts[f"memory-{kind}"] = (
            title, "KiB, of 1,000; less is better",
            bars_of(memory, lambda one, kind=kind: figure(
                row["kib_per_connection"] for row in of(memory, one, kind=kind, body=2048))), None, 1)
    return charts


def write_charts(results: dict, directory: Path) -> list[Path]:
    written = []
    for name, (title, subtitle, bars, goal, digits) in charts_of(results).items():
        if bars:
            written.append(directory / f"{name}.svg")
            written[-1].write_text(chart(title, subtitle, bars, goal, digits))
    return written
