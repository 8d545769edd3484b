"""Let `metrics --listen` run for an hour under scrapes, odd requests and slow clients, and watch what it holds.

    make soak ARGS="--seconds 3600"

Prints one JSON line a minute: resident memory, descriptors, threads and children of the server, and answers by status.
The last line compares the third quarter with the last one; status 1 if the server has grown. (Until then it loads modules,
and malloc(3) its arenas.)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import Any

REQUESTS = (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /metrics?name[]=sockdiag_gaps HTTP/1.0\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text;version=zz\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD /metrics HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n",
)
# How many connections hang at any time: more than there are places.
SLOW = 40
# The server may keep so much more memory at the end than a quarter of the time before, and so many descriptors at rest.
MOST_KIB, MOST_DESCRIPTORS = 2048, 8


def ask(port: int, request: bytes) -> int:
    """Send a request and return the status of the answer; 0 where there is none."""
    data = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(request)
        while piece := client.recv(1 << 16):
            data += piece
    return int(data.split()[1]) if data.startswith(b"HTTP/") else 0


def held(pid: int) -> dict[str, int]:
    """Return what the process holds."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        status = file.read()
    children = subprocess.run(["pgrep", "-cP", str(pid)], capture_output=True, text=True, check=False).stdout
    numbers = {name: int(re.search(rf"^{name}:\s*(\d+)", status, re.MULTILINE)[1]) for name in ("VmRSS", "Threads")}  # type: ignore[index]
    return {
        "rss_kib": numbers["VmRSS"],
        "threads": numbers["Threads"],
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "children": int(children or 0),
    }


def soak(seconds: float, every: float) -> int:
    """Run the server and judge it."""
    words = [sys.executable, "-m", "sockdiag", "metrics", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        port = int(server.stderr.readline().rsplit(":", 1)[1].split("/")[0])
        return watch(server.pid, port, seconds, every)
    finally:
        server.terminate()
        server.wait(60)
        log = server.stderr.read()
        print(json.dumps({"status": server.returncode, "log": log}), flush=True)


def watch(pid: int, port: int, seconds: float, every: float) -> int:
    """Ask until the time is over, and compare the beginning with the end."""
    began = time.monotonic()
    minutes: list[dict[str, Any]] = []
    answers: Counter[int] = Counter()
    slow: list[socket.socket] = []
    turn = 0
    while (now := time.monotonic() - began) < seconds:
        for one in slow:
            with contextlib.suppress(OSError):
                one.send(b"x")
        while len(slow) < SLOW:
            slow.append(socket.create_connection(("127.0.0.1", port), 30))
            slow[-1].setblocking(False)
        if turn % 4 == 0:
            for one in slow[:10]:
                one.close()
            del slow[:10]
        answers[ask(port, REQUESTS[turn // 2 % len(REQUESTS)] if turn % 2 else REQUESTS[turn // 2 % 2])] += 1
        turn += 1
        if now // 60 >= len(minutes):
            minutes.append({"minute": len(minutes), **held(pid)})
            print(json.dumps({**minutes[-1], "answers": dict(answers)}), flush=True)
        time.sleep(every)
    for one in slow:
        one.close()
    time.sleep(15)
    quarter = max(1, (len(minutes) - 1) // 4)
    first, last = minutes[-2 * quarter : -quarter] or minutes, minutes[-quarter:]
    grown = {
        key: statistics.median(one[key] for one in last) - statistics.median(one[key] for one in first)
        for key in ("rss_kib",)
    }
    rest = held(pid)
    print(json.dumps({"requests": turn, "answers": dict(answers), "grown": grown, "at_rest": rest}), flush=True)
    return int(grown["rss_kib"] > MOST_KIB or rest["descriptors"] > MOST_DESCRIPTORS or rest["threads"] > 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between requests")
    given = parser.parse_args()
    sys.exit(soak(given.seconds, given.every))
