"""Connection tracking that is busy, and whose table is full."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sockdiag
from tests.kernels.guest.links import Link, link
from tests.kernels.guest.seen import need_module

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")
# Each datagram from a port of its own is a flow of its own.
_FLOWS = """
import socket, sys, time
print("begun", flush=True)
for _ in range(int(sys.argv[2])):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.sendto(b"x", (sys.argv[1], 9))
    except OSError:
        pass
    sock.close()
    time.sleep(0.005)
"""


@pytest.fixture
def tracked() -> Iterator[Link]:
    """Give a link whose near end tracks connections, of which the table holds 50."""
    need_module("nf_conntrack")
    need_module("nft_ct")
    with link("k3c") as made:
        rules = "table ip k3 { chain out { type filter hook output priority 0; ct state new counter; }; }"
        subprocess.run([*made.near, "nft", "-f", "-"], input=rules, text=True, check=True)
        before = MAX.read_text()
        MAX.write_text("50")
        yield made
        MAX.write_text(before)


def test_busy(tracked: Link) -> None:
    """A busy table is no finding; once it is nearly full it is one, with the count of the kernel, and nothing is lost."""
    MAX.write_text("2000")
    subprocess.run([*tracked.near, sys.executable, "-S", "-E", "-c", _FLOWS, tracked.address, "400"], check=True)
    survey = sockdiag.open_system(netns=tracked.near_name)
    assert not survey.diagnose(interval=0.5, codes=("CONNTRACK_FULL",)).findings
    count = int(subprocess.run([*tracked.near, "conntrack", "-C"], capture_output=True, check=True).stdout)
    # A port may be taken twice, and that is one flow.
    assert 350 < count <= 420
    MAX.write_text(str(count * 10 // 9))
    (finding,) = survey.diagnose(interval=0.5, codes=("CONNTRACK_FULL",)).findings
    assert (finding.severity, finding.verdict) == ("warning", "at_risk"), finding
    held = finding.evidence["count"]
    # Entries of UDP last 30 s.
    assert held.value is not None
    assert count - 20 <= held.value <= count + 20
    assert held.limit == count * 10 // 9


def test_full(tracked: Link) -> None:
    """A full table of connection tracking is found as CONNTRACK_FULL, with the limit, and its drops are the kernel's."""
    words = [*tracked.near, sys.executable, "-S", "-E", "-c", _FLOWS, tracked.address, "3000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        time.sleep(2)
        diagnosis = sockdiag.open_system(netns=tracked.near_name).diagnose(interval=1, codes=("CONNTRACK_FULL",))
        sender.kill()
    (finding,) = diagnosis.findings
    assert (finding.severity, finding.verdict) == ("critical", "dropping"), finding
    print(finding)
    shown = subprocess.run([*tracked.near, "conntrack", "-S"], capture_output=True, text=True, check=True).stdout
    drops = sum(int(word.partition("=")[2]) for word in shown.split() if word.startswith(("drop=", "early_drop=")))
    assert drops > 0
