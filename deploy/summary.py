"""What the proxy learnt, for people: read from its metrics page, its API and its comparison records."""

import collections
import json
import pathlib
import re
import textwrap

SAMPLE = re.compile(r'^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


MOST_LACKING = 3  # of what a verdict wants that is told


class Metrics:
    """One reading of a Prometheus page."""

    def __init__(self, page):
        self.samples = collections.defaultdict(list)
        for line in page.splitlines():
            match = SAMPLE.match(line)
            if match:
                labels = dict(LABEL.findall(match["labels"] or ""))
                self.samples[match["name"].removeprefix("understudy_")].append((labels, float(match["value"])))

    def select(self, name, **wanted):
        return [(labels, value) for labels, value in self.samples[name]
                if all(labels.get(key) == text for key, text in wanted.items())]

    def total(self, name, **wanted):
        return sum(value for _, value in self.select(name, **wanted))

    def by(self, name, label, **wanted):
        """Totals per value of a label, largest first."""
        totals = collections.Counter()
        for labels, value in self.select(name, **wanted):
            totals[labels.get(label, "")] += value
        return [(key, value) for key, value in totals.most_common() if value]

    def quantile(self, name, share, **wanted):
        """A quantile of a histogram in seconds, as Prometheus estimates it; None where nothing was measured."""
        buckets = collections.Counter()
        for labels, value in self.select(name + "_bucket", **wanted):
            buckets[float(labels["le"])] += value
        bounds = sorted(buckets)
        if not bounds or not buckets[bounds[-1]]:
            return None
        rank, lower, below = share * buckets[bounds[-1]], 0.0, 0.0
        for bound in bounds:
            if buckets[bound] >= rank:
                if bound == float("inf"):
                    return lower
                return lower + (bound - lower) * (rank - below) / (buckets[bound] - below)
            lower, below = bound, buckets[bound]
        return lower


def seconds(value):
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def number(value):
    return f"{value:,.0f}"


def known(metrics, name, form, **wanted):
    """A total, or '-' where nothing was counted: an unknown is not a zero."""
    return form(metrics.total(name, **wanted)) if metrics.select(name, **wanted) else "-"


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  " + "  ".join(str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                              for i, (cell, width) in enumerate(zip(row, widths))) for row in [head, *rows]]
    return "\n".join(lines)


def traffic(metrics, sent, failures):
    shadowed = metrics.total("shadow_total", result="compared") + metrics.total("shadow_total", result="failed")
    lines = [f"Requests      {sent} sent, {sum(failures.values())} failed, "
             f"{number(metrics.total('requests_total', leg='served'))} answered through the proxy",
             f"Shadowed      {number(shadowed)} copies asked of the candidate, "
             f"{number(metrics.total('shadow_total', result='compared'))} compared"]
    for result in ("skipped", "dropped", "failed"):
        reasons = metrics.by("shadow_total", "reason", result=result)
        told = ", ".join(f"{reason} {number(count)}" for reason, count in reasons) or "none"
        lines.append(f"  {result:<12}{told}")
    eligible = metrics.total("shadow_eligible_total")
    ended = metrics.total("shadow_total")
    lines.append(f"  books       {number(eligible)} eligible = {number(ended)} accounted for"
                 + ("" if eligible == ended else "   <- these should be equal"))
    return "\n".join(lines)


def variants(metrics):
    rows = []
    for variant, leg in (("primary", "served"), ("candidate", "shadow")):
        legs = {"variant": variant, "leg": leg}
        timed = [metrics.quantile(name, share, **legs) for name in ("request_duration_seconds", "time_to_first_token_seconds")
                 for share in (0.5, 0.95)]
        rows.append([variant, number(metrics.total("requests_total", **legs)), *map(seconds, timed),
                     known(metrics, "tokens_total", number, type="input", **legs),
                     known(metrics, "tokens_total", number, type="output", **legs),
                     known(metrics, "cost_usd_total", "${:.4f}".format, **legs)])
    return table(["variant", "answers", "latency p50", "p95", "first token p50", "p95", "tokens in", "out", "cost"], rows)


def divergence(metrics):
    compared = metrics.total("shadow_total", result="compared")
    different = metrics.total("comparisons_total", outcome="different")
    if not compared:
        return "  nothing was compared yet"
    rows = [[signal, number(count), f"{100 * count / compared:.1f} %"]
            for signal, count in metrics.by("divergence_total", "signal")]
    told = (f"  {number(different)} of {number(compared)} pairs count as different; "
            "length, Markdown, time and cost alone do not make one")
    return told + ("\n" + table(["signal", "pairs", "of all compared"], rows) if rows else "")


def verdict(route):
    """What the evidence allows, and what it lacks for more."""
    lines = wrap("  ", route["verdict_text"])
    for lacking in route["missing"][:MOST_LACKING]:
        lines += wrap("  - still wanted: ", lacking)
    if len(route["missing"]) > MOST_LACKING:
        lines.append(f"  - and {len(route['missing']) - MOST_LACKING} more like these")
    return "\n".join(lines)


def reasons(route):
    """The proxy's own words on the signals that differ."""
    told = [line for reason in route["reasons"] if differs(reason) for line in wrap("  - ", reason["text"])]
    return "\n".join(told) or "  nothing differs"


def differs(reason):
    """An alarm always; what is for information by its count of pairs; a gate by its rates, of which one may be unknown."""
    if reason["state"] == "alarm":
        return True
    if "divergent" in reason:
        return reason["divergent"] > 0
    return bool(reason["candidate_rate"] if reason["difference"] is None else reason["difference"])


def wrap(begin, text):
    return textwrap.wrap(text, 110, initial_indent=begin, subsequent_indent="    ")


def example_pair(directory):
    """The recorded pair that tells most, the latest of its kind, as text; None without any."""
    chosen, most = None, -1
    for file in sorted(pathlib.Path(directory).glob("*.jsonl")):
        with open(file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    pair = json.loads(line)
                except ValueError:
                    continue  # the line that is being written
                if telling(pair) >= most:
                    chosen, most = pair, telling(pair)
    return describe_pair(chosen) if chosen else None


def telling(pair):
    """How much a reader sees in it: two answers in words, and a difference that is more than length."""
    both = bool(pair.get("served", {}).get("text") and pair.get("other", {}).get("text"))
    different = set(differing(pair))
    return both * (1 + bool(different) + bool(different - {"verbosity"}))


def differing(pair):
    return [name for name, signal in pair.get("signals", {}).items() if signal["diverges"]]


def describe_pair(pair):
    lines = [f"  {pair.get('operation')}, differs in: {', '.join(differing(pair)) or 'nothing'}",
             *wrapped("asked", question(pair.get("request", "")))]
    for side in ("served", "other"):
        answer = pair.get(side, {})
        said = answer.get("text") or answer.get("error_message") or answer.get("error_type") or ""
        tools = ", ".join(f"{tool['name']}({tool['arguments']})" if isinstance(tool, dict) else tool
                          for tool in answer.get("tools", []))
        told = " ".join(part for part in (said, f"[calls {tools}]" if tools else "") if part)
        lines += wrapped(answer.get("variant", side), told)
        lines.append(f"            {answer.get('model')}: {answer.get('stop_reason', answer.get('error_class'))}, "
                     f"{answer.get('latency_ms', 0):.0f} ms, {answer.get('tokens', {}).get('output', '?')} tokens")
    return "\n".join(lines)


def wrapped(title, text, limit=420):
    text = " ".join(text.split())
    text = text if len(text) <= limit else text[:limit] + " ..."
    return textwrap.wrap(text or "-", 100, initial_indent=f"  {title:<10}", subsequent_indent=" " * 12)


def question(request):
    """The last user turn of a Converse or Anthropic body; the body itself where it is neither."""
    try:
        content = json.loads(request)["messages"][-1]["content"]
        return content if isinstance(content, str) else " ".join(block.get("text", "") for block in content)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return str(request)
