"""The week of a rollout as hand-written SVG: share, traffic, states, gates and events over the hours."""

from html import escape

from .draw import INK

WIDTH, LEFT, RIGHT = 1000, 96, 24
PLOT = WIDTH - LEFT - RIGHT
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BLUE, GREY, RED, AMBER, GREEN, LIGHT = "#2f6fdb", "#a3a8b3", "#c2410c", "#d9a21b", "#3b8f5a", "#e5e7eb"
STATES = {"pending": LIGHT, "baking": "#9dbcf0", "advancing": BLUE, "holding": AMBER, "complete": GREEN, "rolled_back": RED}
VERDICTS = {"keep_shadowing": LIGHT, "safe_to_promote": GREEN, "fix_first": AMBER, "roll_back": RED}
GATES = {"off": "white", "waiting": LIGHT, "passes": GREEN, "fails": AMBER, "broken": RED}
NIGHT = (22, 31)  # hours of a day and the next morning


def moment(hour: float) -> str:
    whole = max(0, int(hour))
    return f"{DAYS[whole // 24 % 7]} {whole % 24:02d}:{int((hour - whole) * 60) if hour >= 0 else 0:02d}"


class Picture:
    def __init__(self, week: dict):
        self.week, self.samples = week, week["samples"]
        self.parts: list[str] = []

    def x(self, hour: float) -> float:
        return LEFT + PLOT * min(max(hour, 0), self.week["hours"]) / self.week["hours"]

    def text(self, x: float, y: float, what: str, **how) -> None:
        style = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in how.items())
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(what)}</text>')

    def rect(self, x: float, y: float, width: float, height: float, fill: str, more: str = "") -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"{more}/>')

    def nights(self, top: float, bottom: float) -> None:
        for day in range(-1, self.week["hours"] // 24):
            begin, end = (day * 24 + hour for hour in NIGHT)
            left, right = self.x(begin), self.x(end)
            self.rect(left, top, right - left, bottom - top, "#f3f4f6")

    def day_names(self, y: float) -> None:
        for day in range(self.week["hours"] // 24):
            self.text(self.x(day * 24 + 12), y, DAYS[day % 7], text_anchor="middle", opacity="0.7")

    # The share in force as a line; what was served in each hour by the candidate as dots.
    def shares(self, top: float, height: float) -> None:
        def y(percent: float) -> float:
            return top + height * (1 - percent / 100)
        for percent in (0, 25, 50, 75, 100):
            self.parts.append(f'<line x1="{LEFT}" y1="{y(percent):.1f}" x2="{LEFT + PLOT}" y2="{y(percent):.1f}" stroke="{LIGHT}"/>')
            self.text(LEFT - 8, y(percent) + 4, f"{percent} %", text_anchor="end")
        points, before = [], 0.0
        for sample in self.samples:
            points += [(self.x(sample["hour"]), y(before)), (self.x(sample["hour"]), y(sample["percent"]))]
            before = sample["percent"]
        points.append((self.x(self.week["hours"]), y(before)))
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        self.parts.append(f'<polygon points="{LEFT},{y(0):.1f} {line} {LEFT + PLOT},{y(0):.1f}" fill="{BLUE}" opacity="0.10"/>')
        self.parts.append(f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
        for hour, primary, candidate in self.by_hour():
            if primary + candidate > 20:
                share = 100 * candidate / (primary + candidate)
                self.parts.append(f'<circle cx="{self.x(hour + 0.5):.1f}" cy="{y(share):.1f}" r="1.8" fill="{INK}"/>')

    def by_hour(self) -> list[tuple[int, int, int]]:
        hours, before = [], {"primary": 0, "candidate": 0}
        for index, sample in enumerate(self.samples):
            following = self.samples[index + 1] if index + 1 < len(self.samples) else None
            if following is None or int(following["hour"]) > int(sample["hour"]):
                hours.append((int(sample["hour"]), sample["primary"] - before["primary"], sample["candidate"] - before["candidate"]))
                before = sample
        return hours

    def traffic(self, top: float, height: float) -> None:
        hours = self.by_hour()
        most = max(primary + candidate for _, primary, candidate in hours) or 1
        for hour, primary, candidate in hours:
            left, width = self.x(hour), max(1.0, self.x(hour + 1) - self.x(hour) - 0.6)
            low = height * primary / most
            high = height * candidate / most
            self.rect(left, top + height - low, width, low, GREY)
            self.rect(left, top + height - low - high, width, high, BLUE)
        self.text(LEFT - 8, top + 10, f"{most} an hour", text_anchor="end")

    def strip(self, top: float, name: str, value_of, colours: dict) -> None:
        self.text(LEFT - 8, top + 11, name, text_anchor="end")
        begin, current = 0.0, None
        for sample in [*self.samples, None]:
            value = value_of(sample) if sample else None
            if value == current:
                continue
            end = sample["hour"] if sample else self.week["hours"]
            if current is not None:
                self.rect(self.x(begin), top, max(1.2, self.x(end) - self.x(begin)), 14, colours.get(current, LIGHT))
            begin, current = end, value

    def legend(self, y: float, colours: dict) -> None:
        at = float(LEFT)
        for name, colour in colours.items():
            self.rect(at, y - 9, 10, 10, colour, f' stroke="{GREY}" stroke-width="0.5"')
            self.text(at + 14, y, name, opacity="0.8")
            at += 14 + 7.0 * len(name) + 14

    def marks(self, marked: list[dict], top: float, bottom: float) -> None:
        row_ends = [0.0, 0.0, 0.0]
        for number, event in enumerate(marked, 1):
            at = self.x(event["hour"])
            row = next((i for i, end in enumerate(row_ends) if at - end > 17), 0)
            row_ends[row] = at
            y = top - 12 - 17 * row
            colour = RED if event["facts"].get("to") in ("rolled_back", "roll_back") else INK
            self.parts.append(f'<line x1="{at:.1f}" y1="{y:.1f}" x2="{at:.1f}" y2="{bottom}" stroke="{colour}" opacity="0.35" stroke-dasharray="2 3"/>')
            self.parts.append(f'<circle cx="{at:.1f}" cy="{y:.1f}" r="8" fill="{colour}"/>')
            self.text(at, y + 3.6, str(number), text_anchor="middle", fill="white", font_size="10", font_weight="600")


def told(event: dict) -> str:
    """In the proxy's words, without what the picture shows anyway."""
    facts, text = event["facts"], event["text"]
    if event["kind"] == "rollout" and facts.get("to") == "baking" and facts.get("from") == "advancing":
        return f"stage {facts['stage']}: the candidate serves {facts['percent']} %"
    text = text.split("; the candidate serves")[0].removeprefix("rollout of sonnet: ").replace(" on sonnet", "")
    if "(1 alarm). " in text:
        text = text.split(": ")[0] + ": " + text.split("(1 alarm). ")[1]
    return text if len(text) <= 132 else text[:129] + "..."


def worth_a_mark(event: dict) -> bool:
    facts = event["facts"]
    if event["kind"] != "rollout":
        return event["kind"] == "drift" or (event["kind"] == "config" and "; " in event["text"])
    begins = facts.get("to") == "baking" and facts.get("from") == "advancing"
    return begins or facts.get("to") in ("rolled_back", "complete", "holding") or facts.get("from") == "rolled_back"


MOST_MARKS = 24


def picture(week: dict) -> str:
    drawn = Picture(week)
    marked = [event for event in week["events"] if worth_a_mark(event)][:MOST_MARKS]
    top, share_height, traffic_height = 112, 190, 70
    traffic_top = top + share_height + 18
    strips_top = traffic_top + traffic_height + 16
    strips = [("state", lambda s: s["state"], STATES), ("verdict", lambda s: s["verdict"], VERDICTS)]
    for gate in ("error_rate", "fallback_rate"):
        strips.append((gate, lambda s, gate=gate: s["gates"].get(gate, "off"), GATES))
    bottom = strips_top + 20 * len(strips)
    legends = bottom + 34
    listed = legends + 18 * 3 + 20
    height = listed + 17 * len(marked) + 8
    drawn.rect(0, 0, WIDTH, height, "white")
    drawn.text(12, 20, "A week of a rollout", font_size="15", font_weight="600")
    drawn.text(12, 38, "Line: share in force; dots: share that the candidate served in each hour. The proxy itself, with hours "
               "made short; nights are grey.", opacity="0.7")
    drawn.nights(top, bottom)
    drawn.shares(top, share_height)
    drawn.traffic(traffic_top, traffic_height)
    for index, (name, value_of, colours) in enumerate(strips):
        drawn.strip(strips_top + 20 * index, name, value_of, colours)
    drawn.day_names(bottom + 14)
    drawn.marks(marked, top, bottom)
    for index, (name, colours) in enumerate((("state", STATES), ("verdict", VERDICTS), ("gates", GATES))):
        drawn.text(LEFT - 8, legends + 18 * index, name, text_anchor="end", opacity="0.8")
        drawn.legend(legends + 18 * index, colours)
    for number, event in enumerate(marked, 1):
        y = listed + 17 * (number - 1)
        drawn.text(36, y, str(number), text_anchor="end", font_weight="600")
        drawn.text(46, y, moment(event["hour"]), opacity="0.7")
        drawn.text(LEFT + 20, y, told(event))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}" role="img" aria-label="A week of a rollout">',
        *drawn.parts, "</svg>", ""])
