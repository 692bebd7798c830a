"""Starts the simulator and the proxy of a build on free ports and lets the real clients at them.

    run.py --programs build/asan

Prints a sentence per check and, last, "N passed, M failed". The programs' own last words are checks too: a leak or a
race that a sanitizer found makes this fail.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))
import stack as stacks  # noqa: E402

# By the word that --only takes: what it is called, and the command.
CLIENTS = {
    "boto3": ("boto3", [sys.executable, "boto3_test.py"]),
    "js": ("the AWS SDK for JavaScript", ["node", "js_sdk_test.mjs"]),
    "js-http1": ("the AWS SDK for JavaScript over HTTP/1.1", ["node", "js_sdk_test.mjs", "--http1"]),
    "openai": ("the OpenAI SDK", [sys.executable, "openai_test.py"]),
    "anthropic": ("the Anthropic SDK", [sys.executable, "anthropic_test.py"]),
}
CLIENT_SECONDS = 900
SANITIZER = re.compile(r"(ERROR|WARNING|SUMMARY): \w+Sanitizer.*|.*runtime error: .*")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, line):
        self.passed += line.startswith("ok   - ")
        self.failed += line.startswith("FAIL - ")

    def check(self, sentence, holds, detail=""):
        line = f"ok   - {sentence}" if holds else f"FAIL - {sentence}: {detail}"
        print(line, flush=True)
        self.note(line)


def run_client(name, command, environment, tally):
    print(f"\n{name}", flush=True)
    failed_before = tally.failed
    with subprocess.Popen(command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as client:
        deadline = threading.Timer(CLIENT_SECONDS, client.kill)
        deadline.start()
        for line in client.stdout:
            print(line, end="", flush=True)
            tally.note(line)
        deadline.cancel()
    if client.returncode and tally.failed == failed_before:
        tally.check(f"{name} runs to its end", False, f"status {client.returncode}")


def check_last_words(stack, tally):
    statuses = stack.stop()
    for program in (stack.proxy, stack.simulator):
        complaint = SANITIZER.search(program.log_text())
        tally.check(f"{program.name} stops at SIGTERM with status 0", statuses[program.name] == 0,
                    f"status {statuses[program.name]}\n{program.log_text()[-3000:]}")
        tally.check(f"no sanitizer complained about {program.name}", complaint is None, complaint and complaint.group(0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="a build directory")
    parser.add_argument("--only", choices=CLIENTS, help="one client alone")
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="understudy-clients-") as directory:
        with stacks.Stack(options.programs, directory) as stack:
            try:
                stack.start_simulator(HERE / "simulator.yaml")
                stack.start_proxy((HERE / "config.yaml").read_text(),
                                  {"http://127.0.0.1:9100": f"http://127.0.0.1:{stack.simulator_port}"}, 0, 0)
            except stacks.StackError as problem:
                tally.check("both programs start", False, problem)
            else:
                environment = {**os.environ, "UNDERSTUDY_URL": f"http://127.0.0.1:{stack.port}",
                               "UNDERSTUDY_ADMIN_URL": f"http://127.0.0.1:{stack.admin_port}",
                               "SIMULATOR_URL": f"http://127.0.0.1:{stack.simulator_port}",
                               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                               "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
                for word, (name, command) in CLIENTS.items():
                    if options.only in (None, word):
                        run_client(name, command, environment, tally)
                        runs = stack.proxy.process.poll() is None
                        tally.check(f"the proxy still runs after {name}", runs, "it ended by itself")
                        if not runs:
                            break
                check_last_words(stack, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
