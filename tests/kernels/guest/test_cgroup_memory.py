"""Memory limits of cgroups of version 2, which make sockets lose what arrives."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sockdiag

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
SOCKETS, FIRST, LIMIT = 40, 26000, 24 << 20
# Sockets whose own buffers have room for far more than the cgroup allows, and that nobody reads.
_HOLD = f"""
import os, socket, sys, time
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
kept = []
for port in range({FIRST}, {FIRST + SOCKETS}):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
    sock.bind(("127.0.0.1", port))
    kept.append(sock)
print("bound", flush=True)
time.sleep(600)
"""
# Sends to every socket in turn.
_FILL = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    while True:
        for port in range({FIRST}, {FIRST + SOCKETS}):
            sender.sendto(bytes(1400), ("127.0.0.1", port))
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """Give a cgroup of version 2 that may have 24 MiB."""
    if "memory" not in (ROOT / "cgroup.controllers").read_text().split():
        pytest.skip("this kernel: no memory controller of version 2")
    (ROOT / "cgroup.subtree_control").write_text("+memory")
    folder = ROOT / "k3"
    folder.mkdir()
    (folder / "memory.max").write_text(str(LIMIT))
    with contextlib.suppress(OSError):
        (folder / "memory.swap.max").write_text("0")
    yield folder
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)


def test_drops(group: Path) -> None:
    """Datagrams that a full cgroup of version 2 costs its sockets are found, with the cgroup as their cause.

    Since 6.1 what arrives exceeds the limit instead, as GFP_ATOMIC allows: the cgroup is found, and no loss is invented.
    """
    command = [sys.executable, "-S", "-E", "-c", _HOLD, str(group)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"bound\n"
            stop = subprocess.Popen([sys.executable, "-S", "-E", "-c", _FILL])
            try:
                survey = sockdiag.open_system(netids=("udp",))
                deadline = time.monotonic() + 40
                while not (beyond := int((group / "memory.current").read_text()) > 2 * LIMIT) and not lost(survey):
                    assert time.monotonic() < deadline, f"nothing was lost: {state(group)}"
                    time.sleep(0.5)
                diagnosis = survey.diagnose(interval=1)
            finally:
                stop.kill()
                stop.wait()
        finally:
            holder.kill()
    codes = {finding.code: finding for finding in diagnosis.findings}
    print({code: finding.summary for code, finding in codes.items()})
    assert "CGROUP_MEMORY_LIMIT" in codes, codes
    limit = codes["CGROUP_MEMORY_LIMIT"]
    assert "the cgroup /k3" in limit.summary
    assert limit.evidence["usage"].limit == LIMIT
    assert limit.evidence["process"].value == holder.pid
    if beyond:
        # So much is held that udp_mem may be running out, or be used up, and then the kernel has counted a loss.
        dropping = {
            code for code in ("UDP_MEMORY_LIMIT", "UDP_DROPS") if code in codes and codes[code].verdict == "dropping"
        }
        assert not dropping or counted()
        return
    (drops,) = {"UDP_MEMORY_LIMIT", "UDP_DROPS"} & set(codes)
    assert codes[drops].verdict == "dropping"
    assert "/k3" in codes[drops].summary


def counted() -> int:
    """Return how many datagrams the kernel says that it refused; before 5.11 only this counter has those of a full cgroup."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    udp = dict(zip(names, values, strict=True))
    return int(udp["InErrors"])


def state(group: Path) -> str:
    """Say what a cgroup holds."""
    lines = (group / "memory.stat").read_text().splitlines()
    sock = [line for line in lines if line.startswith(("sock ", "anon ", "file "))]
    return f"{(group / 'memory.current').read_text()} {sock} {(group / 'memory.events').read_text()}"


def lost(survey: sockdiag.Survey) -> bool:
    """Whether sockets that have room for more lost something."""
    memories = [one.skmem for one in survey.sockets(f"sport >= :{FIRST} and sport < :{FIRST + SOCKETS}")]
    return any(one is not None and one.drops and 2 * (one.rmem_alloc or 0) < (one.rcvbuf or 0) for one in memories)
