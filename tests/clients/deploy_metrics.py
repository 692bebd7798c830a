"""What deploy/ shows and alerts on exists: every metric that the dashboard and the alerts name is on a real page."""

import json
import pathlib
import re

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
NAME = re.compile(r"\bunderstudy_\w+")


def named_by_the_dashboard():
    """By the title of the panel; a dashboard that is no JSON raises."""
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    return {panel["title"]: set(NAME.findall(" ".join(target["expr"] for target in panel.get("targets", []))))
            for panel in panels}


def named_by_the_alerts():
    """By the alert's name. Expressions end where the next key begins."""
    alerts = re.split(r"^\s*- alert: ", (DEPLOY / "alerts.yml").read_text(), flags=re.MULTILINE)[1:]
    return {alert.split()[0]: set(NAME.findall(re.split(r"^\s+(?:for|labels):", alert, flags=re.MULTILINE)[0]))
            for alert in alerts}


def on_the_page(page):
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, flags=re.MULTILINE):
        names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def check(page, tally):
    there = on_the_page(page)
    for where, names in (("dashboard", named_by_the_dashboard()), ("alerts", named_by_the_alerts())):
        missing = {f"{what}: {name}" for what, used in names.items() for name in used - there}
        tally.check(f"the metrics that the {where} names are there", names and not missing, ", ".join(sorted(missing)))
