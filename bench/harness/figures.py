"""From rows to figures: medians with their range, and the targets they are held against."""

from dataclasses import asdict, dataclass
from statistics import median

from .contestants import ALL


@dataclass(frozen=True)
class Figure:
    """Median of the rounds and how far they scattered; never a best."""

    median: float
    low: float
    high: float



def figure(values) -> Figure | None:
    values = [value for value in values if value is not None]
    return Figure(median(values), min(values), max(values)) if values else None


def of(rows: list[dict], contestant: str, **where) -> list[dict]:
    return [row for row in rows if row["contestant"] == contestant
            and all(row.get(key) == value for key, value in where.items())]


def names_in(rows: list[dict]) -> list[str]:
    present = {row["contestant"] for row in rows}
    return [name for name in ALL if name in present]


def label(name: str) -> str:
    return ALL[name].label


def against_anchor(rows: list[dict], contestant: str, body: int, key="per_cpu_second") -> Figure | None:
    if key == "per_cpu_second" and ALL[contestant].mirror == 100 and not ALL[contestant].hung:
        pairs = [(row["full_mirror_per_cpu_second"], row.get("anchor_per_cpu_second"))
                 for row in of(rows, contestant, body=body)]
    else:
        return to_anchor(rows, contestant, key, body=body)
    return figure(mine / anchor for mine, anchor in pairs if mine and anchor)


def to_anchor(rows: list[dict], contestant: str, key="per_cpu_second", **where) -> Figure | None:
    pairs = [(row.get(key), row.get("anchor_" + key)) for row in of(rows, contestant, **where)]
    return figure(mine / anchor for mine, anchor in pairs if mine and anchor)


def same_round(rows: list[dict], contestant: str, other: str, key: str, **where) -> Figure | None:
    """Ratio to another contestant's median in the same round."""
    ratios = []
    for row in of(rows, contestant, **where):
        others = of(rows, other, round=row["round"], **where)
        if others:
            ratios.append(row[key] / median(one[key] for one in others))
    return figure(ratios)


def added(rows: list[dict], contestant: str, key: str) -> Figure | None:
    """What the proxy adds to the direct way, round by round."""
    return figure(added_by_round(rows, contestant, key).values())


def added_by_round(rows: list[dict], contestant: str, key: str) -> dict[int, float]:
    direct = {row["round"]: row[key] for row in of(rows, "direct")}
    return {row["round"]: row[key] - direct[row["round"]]
            for row in of(rows, contestant) if row["round"] in direct}


def added_ratio(rows: list[dict], contestant: str, other: str, key: str) -> Figure | None:
    mine, theirs = added_by_round(rows, contestant, key), added_by_round(rows, other, key)
    return figure(mine[one] / theirs[one] for one in mine if theirs.get(one, 0) > 0)


@dataclass(frozen=True)
class Target:
    what: str
    value: Figure | None
    must: float
    aim: float
    more_is_better: bool
    unit: str = ""

    @property
    def state(self) -> str:
        if self.value is None:
            return "not measured"
        if self._reaches(self.aim):
            return "aim"
        return "must" if self._reaches(self.must) else "MISSED"

    def _reaches(self, goal: float) -> bool:
        return self.value.median >= goal if self.more_is_better else self.value.median <= goal

    def as_dict(self) -> dict:
        return asdict(self) | {"state": self.state}


def targets(results: dict) -> list[Target]:
    runs, latency = results.get("throughput", []), results.get("latency", [])
    streams, memory, calls = (results.get(key, []) for key in ("streams", "memory", "syscalls"))
    made = [
        Target(what, against_anchor(runs, name, body), must, aim, True)
        for what, name, body, must, aim in (
            ("per CPU-second, 2 KiB, signed / nginx", "understudy-off-signed", 2048, 1.0, 1.2),
            ("per CPU-second, 2 KiB, bearer / nginx", "understudy-off-bearer", 2048, 1.2, 1.35),
            ("per CPU-second, 64 KiB, signed / nginx", "understudy-off-signed", 65536, 0.55, 0.65),
            ("per CPU-second, 64 KiB, bearer / nginx", "understudy-off-bearer", 65536, 1.1, 1.3),
            ("mirror 100 %, 2 KiB, bearer / nginx mirror", "understudy-100-bearer", 2048, 1.5, 2.5),
            ("mirror 100 %, 64 KiB, bearer / nginx mirror", "understudy-100-bearer", 65536, 1.2, 1.6),
        )
    ]
    made += [
        Target(f"user time per request, 2 KiB, {word} / nginx",
               against_anchor(runs, f"understudy-off-{word}", 2048, "user_us"), 0.9, 0.75, False)
        for word in ("signed", "bearer")
    ]
    for word, must, aim in (("bearer", 1.0, 0.85), ("signed", 1.15, 1.0)):
        made.append(Target(f"added p50 at 1,000 rps, {word} / nginx",
                           added_ratio(latency, f"understudy-off-{word}", "nginx", "p50_us"), must, aim, False))
    for what, key in (("added first byte p50", "first_byte_p50_us"), ("added age of a chunk p50", "age_p50_us")):
        for word in ("bearer", "signed"):
            made.append(Target(f"{what}, {word} / nginx",
                               added_ratio(streams, f"understudy-off-{word}", "nginx-unbuffered", key),
                               1.0, 0.75, False))
    made.append(Target("HTTP/2 per CPU-second, bearer / nghttpx", to_anchor(results.get("h2", []), "understudy-off-bearer"),
                       0.9, 1.0, True))
    made += [Target(f"TLS handshakes per CPU-second, {kind} / nginx",
                    to_anchor(results.get("tls", []), "understudy-tls", kind=kind), 0.9, 1.0, True)
             for kind in ("full", "resumed")]
    healthy, hung = "understudy-100-bearer", "understudy-hung-bearer"
    made += [
        Target("throughput, candidate hung / healthy", same_round(runs, hung, healthy, "rps", body=2048), 0.9, 0.97, True),
        Target("p50 at 1,000 rps, candidate hung / healthy", same_round(latency, hung, healthy, "p50_us"), 1.1, 1.03, False),
    ]
    for word, body in (("2 KiB", 2048), ("64 KiB", 65536)):
        idle = of(memory, "understudy-off-signed", kind="idle", body=body)
        made.append(Target(f"memory per idle connection after a body of {word}",
                           figure(row["kib_per_connection"] for row in idle), 8, 3, False, "KiB"))
    return made + syscall_targets(calls)


def syscall_targets(calls: list[dict]) -> list[Target]:
    limits = (
        ("understudy-off-bearer", "reads", 2.1), ("understudy-off-bearer", "writes", 2.1),
        ("understudy-off-bearer", "futex", 0.005), ("understudy-off-bearer", "timerfd", 0.1),
        ("understudy-off-signed", "reads", 2.1), ("understudy-off-signed", "writes", 2.1),
        ("understudy-100-bearer", "writes", 2.3), ("understudy-100-bearer", "futex", 0.05),
    )
    return [
        Target(f"{kind} per request on the io thread, {label(name).removeprefix('Understudy, ')}",
               figure(row["io"][kind] for row in of(calls, name) if "io" in row), limit, limit, False)
        for name, kind, limit in limits
    ]
