"""The quick start behind quickstart.sh: starts the stack, sends traffic through boto3, prints what the proxy learnt."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import time

import boto3
import botocore.config

import stack as stacks
import summary
import traffic

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / ".cache" / "quickstart"
PRIMARY = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CANDIDATE = "us.anthropic.claude-sonnet-5"
PORT = 8080
SIMULATOR_PORT = 9100
IN_PARALLEL = 8


def read_options():
    parser = argparse.ArgumentParser(prog="deploy/quickstart.sh", allow_abbrev=False)
    parser.add_argument("--programs", default=str(ROOT / "build" / "release"), help=argparse.SUPPRESS)
    parser.add_argument("--check-options", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--aws", action="store_true")
    for name in ("region", "primary", "candidate"):
        parser.add_argument("--" + name)
    options = parser.parse_args()
    if options.requests is not None and options.requests < 1:
        parser.error("--requests wants a number above 0")
    for name in ("region", "primary", "candidate"):
        if getattr(options, name) and not options.aws:
            parser.error(f"--{name} goes with --aws; the simulator's models are fixed")
        if options.aws and not getattr(options, name):
            if not sys.stdin.isatty():
                parser.error(f"--aws wants --{name}")
            if not options.check_options:
                setattr(options, name, input(f"{name}: ").strip() or parser.error(f"--aws wants --{name}"))
    if options.aws and boto3.Session().get_credentials() is None:
        parser.error("--aws found no AWS credentials (environment, AWS_PROFILE, ~/.aws)")
    options.requests = options.requests or (40 if options.aws else 300)
    return options


def for_aws(config, options):
    """What to replace in quickstart.yaml so that it names Amazon Bedrock and the user's models."""
    credentials = next(line.strip() for line in config.splitlines() if line.strip().startswith("credentials:"))
    return {"http://127.0.0.1:9100": f"https://bedrock-runtime.{options.region}.amazonaws.com",
            "region: us-east-1": f"region: {options.region}",
            credentials: "credentials: {source: default}",
            "*anthropic.claude-sonnet-4-5-*": options.primary,
            "model: us.anthropic.claude-sonnet-5": f"model: {options.candidate}",
            "name: sonnet": "name: trial"}


def with_credentials():
    """The environment with the user's credentials as keys, wherever boto3 found them (single sign-on, a role, ...)."""
    keys = boto3.Session().get_credentials().get_frozen_credentials()
    found = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key,
             "AWS_SESSION_TOKEN": keys.token}
    return {**os.environ, **{name: value for name, value in found.items() if value}}


def start(stack, options, port):
    config = (ROOT / "deploy" / "quickstart.yaml").read_text()
    if options.aws:
        stack.start_proxy(config, for_aws(config, options), port, environment=with_credentials())
        return
    stack.start_simulator(ROOT / "deploy" / "simulator.yaml", SIMULATOR_PORT)
    stack.start_proxy(config, {"http://127.0.0.1:9100": f"http://127.0.0.1:{stack.simulator_port}"}, port)


def client_of(stack, options):
    """An ordinary boto3 client; endpoint_url is the one thing that differs from an application without the proxy."""
    if not options.aws:
        os.environ.update(AWS_ACCESS_KEY_ID="AKIAQUICKSTART", AWS_SECRET_ACCESS_KEY="any", AWS_EC2_METADATA_DISABLED="true")
    return boto3.client("bedrock-runtime", region_name=options.region or "us-east-1",
                        endpoint_url=f"http://127.0.0.1:{stack.port}",
                        config=botocore.config.Config(max_pool_connections=IN_PARALLEL))


def show_progress(total):
    """A line that is drawn over on a terminal, and every tenth of the way elsewhere."""
    terminal, shown = sys.stdout.isatty(), 0

    def progress(done, failed):
        nonlocal shown
        tenth = done * 10 // total
        if terminal or tenth != shown:
            shown = tenth
            print(f"  {done:>4} of {total} answered" + (f", {failed} failed" if failed else ""),
                  end="\r" if terminal and done < total else "\n", flush=True)

    return progress


def wait_for_the_shadow(stack, seconds=90):
    """Copies are asked after the answers are served; returns the metrics once every one is accounted for."""
    end = time.monotonic() + seconds
    while True:
        metrics = summary.Metrics(stacks.get(stack.admin_port, "/metrics")[1].decode())
        if metrics.total("shadow_eligible_total") == metrics.total("shadow_total") or time.monotonic() > end:
            return metrics
        time.sleep(0.2)


def report(stack, options, metrics, failures):
    print(f"\n--- What Understudy learnt {'-' * 70}\n")
    print(summary.traffic(metrics, options.requests, failures))
    for failure, count in failures.items():
        print(f"  {count} x {failure}")
    print(f"\nBoth variants, on {'Amazon Bedrock' if options.aws else 'the simulator'}\n{summary.variants(metrics)}")
    route = stacks.get_json(stack.admin_port, f"/api/routes/{'trial' if options.aws else 'sonnet'}")
    print(f"\nVerdict\n{summary.verdict(route)}")
    print(f"\nDivergence\n{summary.divergence(metrics)}\n\nIn words\n{summary.reasons(route)}")
    pair = summary.example_pair(stack.directory / "records")
    if pair:
        print(f"\nOne pair\n{pair}")
    admin = f"http://127.0.0.1:{stack.admin_port}"
    print(f"""
{'Now running' if options.keep else 'While it runs (add --keep)'}
  your client's endpoint_url   http://127.0.0.1:{stack.port}
  metrics                      {admin}/metrics
  status                       {admin}/api/status
  this route                   {admin}/api/routes/{route['name']}
Kept in any case
  comparisons                  {stack.directory / 'records'}
  config                       {stack.directory / 'config.yaml'}
  logs                         {stack.directory}/*.log""")


def main():
    options = read_options()
    if options.check_options:
        return 0
    # SIGTERM takes the way of Ctrl-C, so that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A directory for each port, so that a proxy kept from an earlier run keeps its config and records to itself.
    port = stacks.free_port(PORT)
    stack = stacks.Stack(options.programs, DIRECTORY / str(port))
    shutil.rmtree(stack.directory / "records", ignore_errors=True)
    keep = False
    try:
        print("Starting the proxy" if options.aws else "Starting the simulator and the proxy", flush=True)
        start(stack, options, port)
        primary, candidate = options.primary or PRIMARY, options.candidate or CANDIDATE
        print(f"Sending {options.requests} requests through boto3 to http://127.0.0.1:{stack.port}\n"
              f"  primary   {primary}\n  candidate {candidate}", flush=True)
        failures = traffic.send(client_of(stack, options), primary, options.requests, IN_PARALLEL,
                                show_progress(options.requests))
        metrics = wait_for_the_shadow(stack)
        report(stack, options, metrics, failures)
        keep = options.keep
        if keep:
            pids = [program.pid for program in (stack.proxy, stack.simulator) if program]
            print(f"\nRunning as {' and '.join(map(str, pids))}. To stop:  kill {' '.join(map(str, pids))}")
        return 1 if failures else 0
    except stacks.StackError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not keep:
            stack.stop()


if __name__ == "__main__":
    sys.exit(main())
