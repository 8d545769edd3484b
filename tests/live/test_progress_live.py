"""Progress of --netns all: namespaces are counted while the answer is awaited."""

from __future__ import annotations

import re
import sys

from tests.live.world.namespace import PROJECT, netns
from tests.unit.cli.test_progress import Terminal, run_on

# Entering a namespace takes as long as on a host with hundreds.
SLOW = f"""
import sys, time
sys.path.insert(0, {str(PROJECT)!r})
from sockdiag.sources.namespaces import netns
enter = netns.enter
def slow(path):
    time.sleep(1.5)
    enter(path)
netns.enter = slow
from sockdiag.cli.main import run
sys.exit(run(["sockdiag", *sys.argv[1:]]))
"""


def test_namespaces_are_counted() -> None:
    """The line appears while workers are waited for, and is erased before the answer's messages."""
    terminal = Terminal()
    with netns(), netns():
        out = run_on(terminal, [sys.executable, "-c", SLOW, "states", "--netns", "all", "--json"])
    shown = terminal.text()
    steps = re.findall(r"\rsockdiag: \d+ of \d+ network namespaces\x1b\[K", shown)
    assert steps
    assert out.startswith(b"{")
    assert "\x1b" not in shown.rpartition("\r\x1b[K")[2]
