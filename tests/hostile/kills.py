"""Kill `check --state` and `metrics --textfile` at random moments: no file is torn, and no process stays behind.

make kills ARGS="--runs 200"
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sockdiag.check.entries import read_entries

MARK = "SOCKDIAG_KILLS"


def marked(mark: bytes) -> int:
    """Count the processes that have a variable in their environment, which children inherit."""
    found = 0
    for folder in Path("/proc").glob("[1-9]*"):
        try:
            found += mark in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
    return found


def torn(folder: Path) -> str:
    """Return what is wrong with the files that the killed programs have left."""
    state, text = folder / "state", folder / "x.prom"
    if state.exists():
        found, damaged = read_entries(state.read_bytes())
        if damaged or not found:
            return "the state file is damaged"
        for one in found:
            one.decode()
    if text.exists():
        families = list(text_string_to_metric_families(text.read_text()))
        if len(families) < 50 or not text.read_text().endswith("\n"):
            return "the text file is not complete"
    left = [path.name for path in folder.iterdir() if path.name.startswith(".x.prom.")]
    return f"{len(left)} temporary files" if len(left) > 60 else ""


def main() -> int:
    """Kill as often as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    wrong = killed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = (
            ["check", "--state", f"{name}/state", "--interval", "0"],
            ["check", "--state", f"{name}/state", "--netns", "all", "--interval", "0.2"],
            ["metrics", "--textfile", f"{name}/x.prom", "--interval", "0.1"],
        )
        longest = 0.1
        for command in commands:
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "sockdiag", *command], capture_output=True, check=False)
            longest = max(longest, time.monotonic() - began)
        run = 0
        while killed < given.runs:
            run += 1
            mark = f"{time.time_ns()}"
            program = subprocess.Popen(
                [sys.executable, "-m", "sockdiag", *commands[run % len(commands)]],
                env={**os.environ, MARK: mark},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0, longest))
            # One that has ended before is no kill, and does not count.
            killed += program.poll() is None
            program.kill()
            program.wait()
            end = time.monotonic() + 5
            while (left := marked(f"{MARK}={mark}".encode())) and time.monotonic() < end:
                time.sleep(0.05)
            found = torn(folder) or (f"{left} processes are left" if left else "")
            if found:
                wrong += 1
                print(json.dumps({"run": run, "command": commands[run % len(commands)], "wrong": found}), flush=True)
    print(json.dumps({"killed": killed, "wrong": wrong}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
