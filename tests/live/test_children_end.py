"""A program that is killed leaves no process behind, whatever it was waiting for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.world.namespace import PROJECT
from tests.needs import slowdown

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

INTERVAL = ("--interval", "60")


def marked(mark: str) -> list[int]:
    """Return the processes that have a variable in their environment, which children inherit."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdecimal():
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark.encode() in file.read().split(b"\0"):
                        found.append(int(name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (("check", *INTERVAL, "--timeout", "100"), 2),
        (("check", "--netns", "all", *INTERVAL, "--timeout", "100"), 3),
        (("check", "--netns", "NETNS", *INTERVAL, "--timeout", "100"), 2),
        (("doctor", "--netns", "NETNS", *INTERVAL), 2),
        (("doctor", "--netns", "all", *INTERVAL), 2),
        (("traffic", *INTERVAL), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_killed_while_it_waits(words: tuple[str, ...], least: int, empty_netns: Namespace) -> None:
    """No child of it is left a moment after SIGKILL, though they would have waited for a minute."""
    mark = f"SOCKDIAG_TEST_MARK={time.time_ns()}"
    given = [empty_netns.path if word == "NETNS" else word for word in words]
    program = subprocess.Popen(
        [sys.executable, "-m", "sockdiag", *given],
        cwd=PROJECT,
        env={**os.environ, "SOCKDIAG_TEST_MARK": mark.partition("=")[2]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 20 * slowdown()
    while len(marked(mark)) < least and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    assert len(marked(mark)) >= least
    program.kill()
    program.wait()
    end = time.monotonic() + 5 * slowdown()
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert marked(mark) == []
