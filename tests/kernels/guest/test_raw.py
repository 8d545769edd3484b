"""Raw sockets, from raw_diag, which a kernel without it shows in /proc only."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess

import pytest

import sockdiag
from sockdiag.model.query import INET, SKMEM
from tests.kernels.guest.seen import need_diag, row, same_as_ss
from tests.live.world.sockopts import SO_COOKIE, SO_MARK, SO_MEMINFO

pytestmark = pytest.mark.usefixtures("own_netns")

# A protocol that nobody handles, and the one of ping.
UNUSED = 253


def test_attributes() -> None:
    """Raw sockets have protocol, ends, cookie, mark and SO_MEMINFO by raw_diag as their owner is told."""
    need_diag("raw", "raw_diag")
    with contextlib.ExitStack() as kept:
        made = [
            kept.enter_context(socket.socket(family, socket.SOCK_RAW, protocol))
            for family, protocol in (
                (socket.AF_INET, UNUSED),
                (socket.AF_INET, socket.IPPROTO_ICMP),
                (socket.AF_INET, socket.IPPROTO_RAW),
                (socket.AF_INET6, socket.IPPROTO_ICMPV6),
            )
        ]
        made[0].bind(("127.0.0.1", 0))
        made[0].connect(("127.0.0.2", 0))
        made[1].setsockopt(socket.SOL_SOCKET, SO_MARK, 77)
        for sock in made:
            said = row("raw", sock, SKMEM, INET)
            assert said.local.port == sock.proto
            assert said.local.address == sock.getsockname()[0]
            assert said.mark == sock.getsockopt(socket.SOL_SOCKET, SO_MARK)
            assert said.cookie == int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
            assert said.skmem is not None
            words = struct.unpack("=9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
            assert tuple(said.skmem) == words
        assert (row("raw", made[0]).state, row("raw", made[0]).peer.address) == ("ESTABLISHED", "127.0.0.2")
        for options in ("-wna", "-wnaemO", "-wnap"):
            same_as_ss(*options.split())


def test_drops() -> None:
    """What a full raw socket loses is found as RAW_RECEIVE_BUFFER_FULL, with the drops that SO_MEMINFO counts."""
    need_diag("raw", "raw_diag")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, UNUSED) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.0.1", 0))
        flood = subprocess.Popen(["python3", "-S", "-E", "-c", _FLOOD], stdout=subprocess.PIPE)
        assert flood.stdout is not None
        flood.stdout.readline()
        try:
            diagnosis = sockdiag.open_system(netids=("raw",)).diagnose(interval=2, codes=("RAW_RECEIVE_BUFFER_FULL",))
        finally:
            flood.kill()
            flood.communicate()
        (finding,) = diagnosis.findings
        assert finding.verdict == "dropping"
        drops = struct.unpack("=9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8]
        said = row("raw", sock, SKMEM)
        assert said.skmem is not None
        assert 0 < drops <= said.skmem.drops


# A socket of IPPROTO_RAW brings its own header, and receives nothing.
_FLOOD = f"""
import socket, struct, time
head = struct.pack("!BBHHHBBH4x4s", 0x45, 0, 0, 0, 0, 64, {UNUSED}, 0, socket.inet_aton("127.0.0.1"))
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
    print("begun", flush=True)
    while True:
        sock.sendto(head + bytes(1000), ("127.0.0.1", 0))
        time.sleep(0.01)
"""
