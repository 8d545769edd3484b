"""Make one system call fail, in every command, at every place that fits into the time: one line, the right status.

    make faults ARGS="--runs 300"

strace lets the N-th call of a kind fail, in the program and in each child of it. What is judged: no traceback, every line
on standard error is a message of this program, and the exit status is one that the command documents.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

# What the kernel, or a file system, answers to each of them when all goes wrong.
FAULTS = {
    "openat": ("EIO", "ENOMEM", "EMFILE", "ENFILE", "EACCES"),
    "read": ("EIO", "ENOMEM", "EINTR"),
    "pread64": ("EIO", "ENOMEM"),
    "close": ("EIO", "EINTR"),
    "recvmsg": ("ENOBUFS", "ENOMEM", "EAGAIN", "EINTR"),
    "recvfrom": ("ENOBUFS", "ENOMEM", "EAGAIN"),
    "sendto": ("ENOBUFS", "ENOMEM", "EPERM", "ECONNREFUSED"),
    "socket": ("EPERM", "EMFILE", "ENOMEM", "EAFNOSUPPORT"),
    "bind": ("ENOMEM", "EPERM"),
    "clone": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"),
    "setns": ("EPERM", "ENOMEM", "EINVAL"),
    "unshare": ("EPERM", "ENOMEM"),
    "rename": ("EIO", "ENOSPC", "EROFS"),
    "renameat": ("EIO", "ENOSPC", "EROFS"),
    "fsync": ("EIO", "ENOSPC"),
    "flock": ("EIO", "ENOLCK", "EINTR"),
    "write": ("EIO", "ENOSPC", "EINTR"),
    "getdents64": ("EIO", "ENOMEM"),
    "readlink": ("EIO", "EACCES"),
    "poll": ("ENOMEM", "EINTR"),
    "pipe2": ("EMFILE", "ENFILE"),
    "mmap": ("ENOMEM",),
}
COMMANDS = (
    "",
    "list",
    "list -o +processes --json",
    "list --netns all",
    "list --netns NETNS",
    "states",
    "states --by process",
    "memory",
    "risk --interval 0.2",
    "listeners",
    "doctor --interval 0.2",
    "doctor --netns all --interval 0.2",
    "check --state STATE --interval 0.2",
    "check --state STATE",
    "check --netns all --interval 0.2",
    "path --interval 0.2",
    "port 22",
    "limits",
    "protocols",
    "traffic --interval 0.2",
    "inspect 1/0",
    "metrics --interval 0.2",
    "metrics --textfile FILE",
    "list --root CAPTURE",
    "ss -tani",
    "ss -xap",
)
_OWN_MODULE = "sockdiag/cli/main"
_TRACEBACK = re.compile(r"Traceback|Exception ignored|Error in sys.excepthook|Fatal Python error")


class Run(NamedTuple):
    """One command with one fault."""

    command: str
    call: str
    error: str
    place: int


def statuses(command: str) -> frozenset[int]:
    """Return the statuses that a command may end with."""
    if command.startswith("check"):
        return frozenset((0, 1, 2, 3))
    if command.startswith("ss"):
        return frozenset((0, 1, 255))
    return frozenset((0, 1))


def words_of(command: str, folder: str, netns: str) -> list[str]:
    """Fill in the paths."""
    places = {"STATE": f"{folder}/state", "FILE": f"{folder}/x.prom", "NETNS": netns, "CAPTURE": _CAPTURE}
    return [places.get(word, word) for word in command.split()]


_CAPTURE = str(Path(__file__).parents[1] / "fixtures" / "6.18-world")


def traced(words: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program under strace."""
    command = ["strace", "-f", "-qq", *options, sys.executable, "-m", "sockdiag", *words]
    environment = {**os.environ, "COLUMNS": "200", "SOCKDIAG_CONFIG": ""}
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, timeout=120, check=False
    )


def counted(words: list[str], folder: str) -> dict[str, tuple[int, int]]:
    """Return of each call how many were made before the program's own code began, and until the end.

    strace counts in each process: the end is that of the process with the most.
    """
    calls = ",".join(FAULTS)
    log = f"{folder}/log"
    traced(words, "-o", log, "-e", f"trace={calls}")
    before: Counter[str] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    first = begun = ""
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            pid, _, rest = line.partition(" ")
            first = first or pid
            name = rest.lstrip().partition("(")[0]
            if name not in FAULTS:
                continue
            total[name, pid] += 1
            if not begun and pid == first:
                before[name] += 1
                begun = line if _OWN_MODULE in line else ""
    most: dict[str, int] = {}
    for (name, _pid), number in total.items():
        most[name] = max(number, most.get(name, 0))
    return {name: (before[name], number) for name, number in most.items()}


def judged(run: Run, done: subprocess.CompletedProcess[str]) -> str:
    """Return what is wrong, "" if nothing is."""
    if _TRACEBACK.search(done.stderr + done.stdout):
        return "traceback"
    if done.returncode not in statuses(run.command):
        return f"status {done.returncode}"
    if "internal error" in done.stderr + done.stdout:
        return "internal error"
    start = "ss: " if run.command.startswith("ss") else "sockdiag: "
    foreign = [line for line in done.stderr.splitlines() if line and not line.startswith((start, "  "))]
    if foreign and not run.command.startswith("ss"):
        return f"not a message: {foreign[0][:100]}"
    if run.command.startswith("check") and not done.stdout.startswith("SOCKDIAG "):
        return "no status line"
    return ""


def in_turn(runs: list[Run], chance: random.Random) -> list[Run]:
    """Mix the runs so that each call has its turn, however rarely it is made."""
    by_call: dict[str, list[Run]] = {}
    for run in runs:
        by_call.setdefault(run.call, []).append(run)
    for group in by_call.values():
        chance.shuffle(group)
    turns = zip_longest(*by_call.values())
    return [run for turn in turns for run in turn if run is not None]


def main() -> int:
    """Run as many faults as asked for, spread over commands, calls and places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands that begin with this")
    parser.add_argument("--netns", default="/proc/self/ns/net")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    candidates: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            if not command.startswith(given.only):
                continue
            ranges = counted(words_of(command, folder, given.netns), folder)
            for call, errors in FAULTS.items():
                before, total = ranges.get(call, (0, 0))
                places = list(range(before + 1, total + 1))
                chance.shuffle(places)
                candidates += [Run(command, call, error, place) for error in errors for place in places[:6]]
        candidates = in_turn(candidates, chance)
        wrong = 0
        seen: Counter[str] = Counter()
        end = time.monotonic() + given.seconds
        for run in candidates[: given.runs]:
            if time.monotonic() > end:
                break
            inject = f"inject={run.call}:error={run.error}:when={run.place}"
            done = traced(words_of(run.command, folder, given.netns), "-o", "/dev/null", "-e", inject)
            seen[run.call] += 1
            found = judged(run, done)
            if found:
                wrong += 1
                said = (done.stderr or done.stdout)[-600:]
                print(
                    json.dumps({**run._asdict(), "wrong": found, "status": done.returncode, "said": said}), flush=True
                )
    print(json.dumps({"runs": sum(seen.values()), "wrong": wrong, "calls": dict(seen)}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
