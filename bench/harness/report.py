"""The figures as text, for the terminal and for bench/README.md."""

from . import figures
from .figures import Figure, added, against_anchor, figure, label, names_in, of


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table that also reads well as it is."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells, fill=" "):
        return "| " + " | ".join(cell.ljust(width, fill) for cell, width in zip(cells, widths)) + " |"

    return "\n".join([line(head), line(["-" * 3] * len(head), "-"), *map(line, rows)])


def short(value: Figure | None, digits: int = 1, scale: float = 1) -> str:
    return "-" if value is None else f"{value.median * scale:.{digits}f}"


def ranged(value: Figure | None, digits: int = 2) -> str:
    if value is None:
        return "-"
    return f"{value.median:.{digits}f} [{value.low:.{digits}f}..{value.high:.{digits}f}]"


def throughput_text(rows: list[dict], body: int) -> str:
    lines = []
    for name in names_in(rows):
        mine = of(rows, name, body=body)
        if not mine:
            continue

        def cell(key, digits=1, scale=1.0):
            return short(figure(row.get(key) for row in mine), digits, scale)

        behind = [row["cpu_us"] - row["thread_us"]["io"] for row in mine if "io" in row.get("thread_us", {})]
        lines.append([
            label(name), ranged(against_anchor(rows, name, body)), cell("per_cpu_second", 1, 1e-3), cell("cpu_us"),
            cell("user_us"), short(figure(behind)) if any(one > 0.05 for one in behind) else "-",
            cell("mirrored", 0, 100), cell("core_used", 0, 100), cell("rps", 1, 1e-3), cell("p50_us", 0),
        ])
    return table(["", "/ anchor", "k req per CPU-s", "CPU us", "user us", "of it behind the io thread, us",
                  "mirrored %", "core %", "k rps", "p50 us"], lines)


def latency_text(rows: list[dict]) -> str:
    return table(
        ["", "p50 us", "added p50 us", "/ nginx", "p90 us", "p99 us"],
        [[label(name), *(short(figure(row[key] for row in of(rows, name)), 0) for key in ("p50_us",)),
          ranged(added(rows, name, "p50_us"), 0), ranged(figures.added_ratio(rows, name, "nginx", "p50_us")),
          *(short(figure(row[key] for row in of(rows, name)), 0) for key in ("p90_us", "p99_us"))]
         for name in names_in(rows)])


def streams_text(rows: list[dict]) -> str:
    def cells(name, key):
        return [ranged(added(rows, name, key), 0), ranged(figures.added_ratio(rows, name, "nginx-unbuffered", key))]

    return table(["", "added first byte p50 us", "/ nginx", "added age of a chunk p50 us", "/ nginx"],
                 [[label(name), *cells(name, "first_byte_p50_us"), *cells(name, "age_p50_us")]
                  for name in names_in(rows) if name != "direct"])


def memory_text(rows: list[dict]) -> str:
    def cell(name, **where):
        return short(figure(row["kib_per_connection"] for row in of(rows, name, **where)))

    return table(["KiB per connection", "idle after 2 KiB", "idle after 64 KiB", "streaming"],
                 [[label(name), cell(name, kind="idle", body=2048), cell(name, kind="idle", body=65536),
                   cell(name, kind="stream")] for name in names_in(rows)])


def syscalls_text(rows: list[dict]) -> str:
    kinds = ["reads", "writes", "waits", "epoll_ctl", "futex", "timerfd", "other"]
    lines = []
    for row in rows:
        for role, counts in row.items():
            if isinstance(counts, dict) and role != "calls" and sum(counts.values()) > 0.001:
                lines.append([label(row["contestant"]), role, *(f"{counts[kind]:.3f}" for kind in kinds)])
    return table(["per request", "thread", *kinds], lines)


def sequences_text(rows: list[dict]) -> str:
    def time(value):
        return "> 3000" if value is None else f"{value:.1f}"

    return table(["ms on one keep-alive connection", "first", "second", "third"],
                 [[label(row["contestant"]), *(time(one) for one in row["times_ms"]),
                   *["not sent"] * (3 - len(row["times_ms"]))] for row in rows])


def shares_text(rows: list[dict], what: str) -> str:
    """Rows of a section that has one figure, per kind where it has kinds."""
    lines = []
    for kind in sorted({row.get("kind", "") for row in rows}):
        for name in names_in(rows):
            mine = [row for row in of(rows, name) if row.get("kind", "") == kind]
            ratio = figure(row["per_cpu_second"] / row["anchor_per_cpu_second"] for row in mine if "anchor_per_cpu_second" in row)
            lines.append([" ".join(filter(None, (label(name), kind))), ranged(ratio),
                          *(short(figure(row[key] for row in mine), digits, scale) for key, digits, scale in
                            (("per_cpu_second", 2, 1e-3), ("cpu_us", 1, 1), ("core_used", 0, 100), ("rps", 2, 1e-3)))])
    return table(["", "/ anchor", f"k {what} per CPU-s", "CPU us", "core %", f"k {what} per s"], lines)


def targets_text(results: dict) -> str:
    return table(["target", "measured", "must", "aim", "reached"],
                 [[one.what, ranged(one.value) + (" " + one.unit if one.value and one.unit else ""),
                   f"{one.must:g}", f"{one.aim:g}", one.state] for one in figures.targets(results)])


def text(results: dict) -> str:
    parts = []

    def add(title: str, body: str):
        parts.append(f"## {title}\n\n{body}\n")

    for key, title in (("throughput", "Throughput"), ("tls-upstream", "TLS to the upstream")):
        for name, body in (("2 KiB up, 1.5 KiB down", 2048), ("64 KiB up, 4 KiB down", 65536)):
            if results.get(key):
                add(f"{title}, {name}", throughput_text(results[key], body))
    for key, title, of_section in (
        ("latency", "Latency at 1,000 requests a second", latency_text),
        ("streams", "Event streams: 50 at once, a frame every 10 ms", streams_text),
        ("memory", "Memory", memory_text),
        ("syscalls", "Syscalls", syscalls_text),
        ("hung", "A mirror that hangs", sequences_text),
        ("h2", "HTTP/2, 2 KiB up, 1.5 KiB down", lambda rows: shares_text(rows, "requests")),
        ("tls", "TLS 1.3 handshakes", lambda rows: shares_text(rows, "handshakes")),
    ):
        if results.get(key):
            add(title, of_section(results[key]))
    add("Targets", targets_text(results))
    runs = [*results.get("throughput", []), *results.get("tls-upstream", [])]
    idle = sorted({row["contestant"] for row in runs if row.get("core_busy") is False})
    if idle:
        parts.append("Used less than 85 % of their core in a run (the load was the bottleneck): " + ", ".join(idle) + "\n")
    if results.get("failures"):
        parts.append("Not measured:\n" + "\n".join(f"- {one}" for one in results["failures"]) + "\n")
    return "\n".join(parts)
