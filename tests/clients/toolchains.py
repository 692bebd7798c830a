"""Tools that build other people's programs, from this machine or from their package registries."""

import json
import os
import pathlib
import re
import shutil
import subprocess

PREPARE_SECONDS = 3600
NEWEST_GO = "1.26.0"  # fetched where Debian's own, which cannot fetch a newer one by itself, is too old
OLDEST_GO = (1, 24)


class NotHere(Exception):
    """A program that cannot be had on this machine; the text says why."""


def run_quietly(command, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PREPARE_SECONDS, check=False, **more)
    if done.returncode:
        raise NotHere(f"`{' '.join(map(str, command[:3]))}` failed: {' '.join(done.stdout.split())[-300:]}")
    return done.stdout


def tool(name):
    found = shutil.which(name)
    if not found:
        raise NotHere(f"there is no {name} on this machine")
    return found


def go():
    """A Go that is new enough; its toolchains are modules like others, but for the executables' mode."""
    here = tool("go")
    version = re.search(r"go(\d+)\.(\d+)", run_quietly([here, "version"]))
    if version and tuple(map(int, version.groups())) >= OLDEST_GO:
        return here
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    told = run_quietly([here, "mod", "download", "-json", f"golang.org/toolchain@v0.0.1-go{NEWEST_GO}.linux-{machine}"])
    home = pathlib.Path(json.loads(told[told.index("{"):])["Dir"])
    for program in [*home.glob("bin/*"), *home.glob("pkg/tool/*/*")]:
        program.chmod(0o755)
    return home / "bin/go"
