"""Checks that print one clear sentence each, and what both programs say about themselves."""

import json
import os
import pathlib
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy"))
import summary  # noqa: E402  (its home is the quick start)

# Without an endpoint an SDK would turn to the real service, so all three must be there.
PROXY, ADMIN, SIMULATOR = (os.environ[name] for name in ("UNDERSTUDY_URL", "UNDERSTUDY_ADMIN_URL", "SIMULATOR_URL"))

failures = 0


def check(sentence, holds, detail=""):
    """Prints the sentence as true or false; `detail` helps where it is false."""
    global failures
    if holds:
        print(f"ok   - {sentence}", flush=True)
    else:
        failures += 1
        print(f"FAIL - {sentence}" + (f": {detail}" if detail else ""), flush=True)


def check_equal(sentence, got, wanted):
    check(sentence, got == wanted, f"got {shorten(got)}, wanted {shorten(wanted)}")


def shorten(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def outcome(function, *arguments):
    """What a call came to, so that two calls can be held against each other: ("answer", value) or ("error", name, text)."""
    try:
        return "answer", function(*arguments)
    except Exception as problem:
        return "error", type(problem).__name__, str(problem)


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def last_sequence():
    """Where the simulator's log of requests stands; hand it to requests_after()."""
    requests = json.loads(fetch(f"{SIMULATOR}/_simulator/requests"))["requests"]
    return max((request["sequence"] for request in requests), default=0)


def requests_after(sequence):
    return json.loads(fetch(f"{SIMULATOR}/_simulator/requests?after={sequence}"))["requests"]


def simulator_counts():
    return json.loads(fetch(f"{SIMULATOR}/_simulator/counts"))


def eventually(holds, seconds=30):
    """Waits until `holds()`; false where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def header(request, name):
    """A header of a logged request, '' where it has none."""
    headers = request["headers"]
    pairs = headers.items() if isinstance(headers, dict) else headers
    return next((value for key, value in pairs if key.lower() == name), "")


def metrics():
    return summary.Metrics(fetch(f"{ADMIN}/metrics").decode())


def settle(seconds=60):
    """Waits until every eligible request is accounted for in the books; returns the metrics."""
    end = time.monotonic() + seconds
    while True:
        now = metrics()
        if now.total("shadow_eligible_total") == now.total("shadow_total") or time.monotonic() > end:
            return now
        time.sleep(0.05)
