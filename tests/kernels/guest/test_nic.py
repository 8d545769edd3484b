"""A real driver's card whose ring overruns: two e1000 on one wire, one of them slow to receive."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sockdiag
from tests.kernels.guest.links import ip

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.boot("odd")
# As many filters before a packet is taken make a slow receiver of any CPU.
FILTERS = 1000
_SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("10.78.0.2", 9))
    print("begun", flush=True)
    while True:
        try:
            sock.send(bytes(8900))
        except OSError:
            pass
"""


def cards() -> list[str]:
    """Return the names of the devices that the driver e1000 drives."""
    found = []
    for device in sorted(Path("/sys/class/net").iterdir()):
        with contextlib.suppress(OSError):
            if (device / "device/driver").resolve().name == "e1000":
                found.append(device.name)
    return found


def counters(netns: str, device: str) -> dict[str, int]:
    """Return what ip(8) says that a device received."""
    command = ["ip", "-n", netns, "-s", "-s", "-j", "link", "show", device]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    found: dict[str, int] = json.loads(shown)[0]["stats64"]["rx"]
    return found


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    """Give the namespace and the name of the card that receives; in another one the other card sends."""
    subprocess.run(["modprobe", "e1000"], check=True)
    names = cards()
    if len(names) < 2:
        pytest.skip("needs two e1000 cards on one wire")
    for netns, device, address in (("k3tx", names[0], "10.78.0.1/24"), ("k3rx", names[1], "10.78.0.2/24")):
        ip("netns", "add", netns)
        ip("link", "set", device, "netns", netns)
        ip("-n", netns, "link", "set", device, "mtu", "9000")
        ip("-n", netns, "addr", "add", address, "dev", device)
        ip("-n", netns, "link", "set", device, "up")
    yield "k3rx", names[1]
    for netns in ("k3tx", "k3rx"):
        ip("netns", "del", netns)


def test_ring_overrun(wire: tuple[str, str]) -> None:
    """Packets that an e1000's ring had no room for are found as DEVICE_DROP, as many as the driver counts as missed."""
    netns, device = wire
    tc = ["tc", "-n", netns]
    subprocess.run([*tc, "qdisc", "add", "dev", device, "clsact"], check=True)
    rule = (
        f"filter add dev {device} ingress protocol ip pref {{}} u32 match u32 0 0 at 0 match u32 1 1 at 4 action ok\n"
    )
    batch = "".join(rule.format(number) for number in range(1, FILTERS + 1))
    subprocess.run([*tc, "-b", "-"], input=batch, text=True, check=True)
    words = ["ip", "netns", "exec", "k3tx", sys.executable, "-S", "-E", "-c", _SEND]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        # The driver reads the card's counters every two seconds.
        before = counters(netns, device)
        diagnosis = sockdiag.open_system(netns=netns).diagnose(interval=5, codes=("DEVICE_DROP",))
        after = counters(netns, device)
        sender.kill()
    print(before, after, diagnosis.findings)
    missed = after["missed_errors"] - before["missed_errors"]
    assert missed > 0, "the ring did not overrun"
    (finding,) = [one for one in diagnosis.findings if one.subject.name == device]
    assert finding.verdict == "dropping"
    assert 0 < finding.evidence["rx_drop"].value <= missed
