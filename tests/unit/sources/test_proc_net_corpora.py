"""Real tables that nobody here wrote: exact numbers of rows and errors of each file, and some exact values.

``*_broken``, ``unix_without_inode`` and most of those of weaveworks are damaged on purpose.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Timer
from sockdiag.sources.proc.inet import parse_raw, parse_tcp, parse_udp
from sockdiag.sources.proc.net_netlink import parse_netlink
from sockdiag.sources.proc.net_packet import parse_packet
from sockdiag.sources.proc.net_unix import parse_unix
from tests.recorded import CORPORA
from tests.unit.sources.proc_rows import messages

if TYPE_CHECKING:
    from sockdiag.sources.reading import Reading

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"needs the sample files in {CORPORA}")

GOPROCINFO = "c9s/goprocinfo/linux/proc/"
PROCFS = "prometheus/procfs/testdata/fixtures.ttar.d/fixtures/proc/net/"
SCOPE = "weaveworks/scope/probe/endpoint/procspy/"
HEADING = (
    "heading: expected sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode, got "
)
UNIX_HEADING = "heading: expected Num RefCount Protocol Flags Type St Inode Path, got "
CUT = "expected a newline at its end, got "

# file, table, rows, errors
FILES: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    ("prometheus/procfs/history/dbf7491b91/fixtures/net/tcp", "tcp", 19, ()),
    ("python-diamond/Diamond/src/collectors/netstat/test/fixtures/proc_net_tcp", "tcp", 9, ()),
    (GOPROCINFO + "3323/net/tcp", "tcp", 51, ()),
    (GOPROCINFO + "3323/net/tcp6", "tcp6", 4, ()),
    (
        GOPROCINFO + "net_tcp",
        "tcp",
        4,
        (
            f"/proc/net/tcp:6: row: {CUT}b'   8: 1607000A:0017 0CFB000A:D021 06 00000060:00000000 01:0000001D 00000000     '",
        ),
    ),
    (GOPROCINFO + "net_tcp6", "tcp6", 1, ()),
    (PROCFS + "tcp", "tcp", 3, ()),
    (PROCFS + "tcp6", "tcp6", 2, ()),
    (
        SCOPE + "proc_internal_test.go.d/sample_00.txt",
        "tcp",
        0,
        ("/proc/net/tcp:2: ssthresh: expected a decimal number, got b'2d'",),
    ),
    (SCOPE + "procnet_internal_test.go.d/sample_00.txt", "tcp", 4, ()),
    (SCOPE + "procnet_internal_test.go.d/sample_01.txt", "tcp6", 2, ()),
    (
        SCOPE + "procnet_internal_test.go.d/sample_02.txt",
        "tcp",
        0,
        (
            "/proc/net/tcp:2: tx_queue:rx_queue: expected 8 hexadecimal digits, ':' and 8 more, got b'000000'",
            "/proc/net/tcp:3: sl: expected a number and ':', got b'broken'",
        ),
    ),
    (SCOPE + "procnet_internal_test.go.d/sample_03.txt", "tcp", 2, ()),
    (
        SCOPE + "netstat_internal_test.go.d/sample_00.txt",
        "tcp",
        0,
        (f"/proc/net/tcp:1: {HEADING}b'Active Internet connections'",),
    ),
    ("google/cadvisor/lib/container/libcontainer/testdata/procnetudp", "udp", 2, ()),
    (GOPROCINFO + "3323/net/udp", "udp", 19, ()),
    (GOPROCINFO + "3323/net/udp6", "udp6", 1, ()),
    (GOPROCINFO + "3323/net/udplite", "udplite", 0, ()),
    (GOPROCINFO + "3323/net/udplite6", "udplite6", 0, ()),
    (GOPROCINFO + "net_udp", "udp", 6, ()),
    (GOPROCINFO + "net_udp6", "udp6", 7, ()),
    (PROCFS + "udp", "udp", 3, ()),
    (PROCFS + "udp6", "udp6", 2, ()),
    (PROCFS + "udp_broken", "udp", 0, (f"/proc/net/udp:1: {HEADING}b'  sl  local_address rem_address   st'",)),
    (GOPROCINFO + "3323/net/raw", "raw", 0, ()),
    (GOPROCINFO + "3323/net/raw6", "raw6", 0, ()),
    (GOPROCINFO + "3323/net/unix", "unix", 140, ()),
    (GOPROCINFO + "net_unix", "unix", 9, ()),
    (PROCFS + "unix", "unix", 5, ()),
    (
        PROCFS + "unix_without_inode",
        "unix",
        0,
        (f"/proc/net/unix:1: {UNIX_HEADING}b'Num       RefCount Protocol Flags    Type St Path'",),
    ),
    (GOPROCINFO + "3323/net/netlink", "netlink", 16, ()),
    (GOPROCINFO + "3323/net/packet", "packet", 1, ()),
)


def parsed(path: str, table: str) -> Reading:
    body = (CORPORA / path).read_bytes()
    if table.startswith("tcp"):
        return parse_tcp(body, table)
    if table.startswith("udp"):
        return parse_udp(body, table)
    if table.startswith("raw"):
        return parse_raw(body, table)
    if table == "unix":
        return parse_unix(body)
    return parse_netlink(body) if table == "netlink" else parse_packet(body, lambda _index: None)


@pytest.mark.parametrize(("path", "table", "rows", "errors"), FILES, ids=[file[0] for file in FILES])
def test_file(path: str, table: str, rows: int, errors: tuple[str, ...]) -> None:
    reading = parsed(path, table)
    assert messages(reading) == list(errors)
    assert len(reading.sockets) == rows
    assert {s.netid for s in reading.sockets} <= {table.rstrip("6")}
    assert {s.source for s in reading.sockets} <= {"proc"}


def test_no_file_is_forgotten() -> None:
    """Every file of the corpora that is named like a socket table is in the list."""
    names = (
        "tcp",
        "tcp6",
        "udp",
        "udp6",
        "udplite",
        "udplite6",
        "raw",
        "raw6",
        "icmp",
        "icmp6",
        "unix",
        "netlink",
        "packet",
    )
    found = {
        str(path.relative_to(CORPORA))
        for path in CORPORA.rglob("*")
        if path.is_file()
        and (
            (path.parent.name == "net" and path.name.split("_")[0] in names)
            or path.name.removeprefix("proc_").removeprefix("net_") in names
        )
    }
    assert found <= {file[0] for file in FILES}


def test_connections_of_a_3_x_host() -> None:
    """TIME_WAIT and orphans without a file, timers of three kinds, a queue, the owner of a socket."""
    sockets = parsed(GOPROCINFO + "3323/net/tcp", "tcp").sockets
    assert Counter(s.state for s in sockets) == {
        "LISTEN": 15,
        "SYN_RECV": 1,
        "TIME_WAIT": 20,
        "ESTABLISHED": 11,
        "FIN_WAIT2": 3,
        "FIN_WAIT1": 1,
    }
    ssh = sockets[20]
    assert (ssh.local, ssh.peer) == (Endpoint("96.126.103.155", 22), Endpoint("114.42.179.129", 59508))
    assert (ssh.send_q, ssh.recv_q, ssh.uid, ssh.inode) == (2048, 0, 0, 240942)
    assert ssh.timer == Timer("retransmit", 260, 0)
    assert ssh.proc is not None
    assert ssh.proc._values() == (0xEB0DC4C0, 3, 0, 0, 330, 30, 2, True, 10, 12, None, None)
    assert sockets[26].timer == Timer("timewait", 45830, 0)
    assert (sockets[26].state, sockets[26].uid, sockets[26].inode) == ("FIN_WAIT2", None, 0)
    assert sockets[31].timer == Timer("keepalive", 7219730, 0)
    assert sockets[38].timer == Timer("retransmit", 190, 0)
    listener = sockets[0].proc
    assert listener is not None
    assert (listener.snd_ssthresh, listener.fastopen_qlen) == (None, None)


def test_requests() -> None:
    """SYN_RECV: retransmissions of the SYN-ACK, and no owner."""
    sockets = parsed("prometheus/procfs/history/dbf7491b91/fixtures/net/tcp", "tcp").sockets
    assert {(s.uid, s.inode) for s in sockets if s.state == "SYN_RECV"} == {(None, 0)}
    assert sockets[9].peer == Endpoint("222.81.127.14", 31353)
    assert sockets[9].timer == Timer("retransmit", 21220, 5)
    assert sockets[7].timer == Timer("keepalive", 20, 0)
    assert sockets[7].inode == 3994549147


def test_udp_drops() -> None:
    sockets = parsed("google/cadvisor/lib/container/libcontainer/testdata/procnetudp", "udp").sockets
    assert [(s.recv_q, s.send_q, s.skmem) for s in sockets] == [
        (0, 0, SkMem(wmem_alloc=0, drops=0)),
        (11, 10, SkMem(wmem_alloc=10, drops=4)),
    ]
    assert [s.skmem.drops for s in parsed(GOPROCINFO + "net_udp6", "udp6").sockets if s.skmem] == [0] * 5 + [8946, 0]
    assert parsed(GOPROCINFO + "net_udp6", "udp6").sockets[4].local == Endpoint(
        "2a01:e35:2e12:f90:adea:ed85:d1aa:4da6", 123
    )


def test_udp_with_rows_of_tcp() -> None:
    """A heading without drops: no row has any, whatever else it has."""
    sockets = parsed(PROCFS + "udp", "udp").sockets
    assert [(s.recv_q, s.send_q) for s in sockets] == [(1, 0), (0, 1), (1, 1)]
    assert [s.skmem for s in sockets] == [SkMem(wmem_alloc=0), SkMem(wmem_alloc=1), SkMem(wmem_alloc=1)]
    assert {s.proc.extra for s in sockets if s.proc} == {b"100 0 0 10 0"}


def test_netlink_port_ids_are_unsigned() -> None:
    sockets = parsed(GOPROCINFO + "3323/net/netlink", "netlink").sockets
    assert [s.local.port for s in sockets if s.protocol == "KOBJECT_UEVENT"] == [0, 4294963169, 1088, 4294963168, 1096]
    assert [s.netlink.groups for s in sockets if s.netlink and s.netlink.groups] == [2, 1]
    assert {s.netlink.cb_running for s in sockets if s.netlink} == {False}


def test_unix() -> None:
    sockets = parsed(GOPROCINFO + "3323/net/unix", "unix").sockets
    assert Counter(s.state for s in sockets) == {"LISTEN": 36, "CLOSE": 16, "ESTABLISHED": 88}
    assert Counter(s.type for s in sockets) == {"SOCK_STREAM": 124, "SOCK_DGRAM": 15, "SOCK_SEQPACKET": 1}
    assert sockets[0].local == Endpoint(b"\0/com/ubuntu/upstart")
    assert (sockets[0].inode, sockets[0].state) == (11, "LISTEN")
    logger = next(s for s in sockets if s.local.address == b"/dev/log")
    assert logger.unix is not None
    assert (logger.state, logger.unix.refs, logger.inode) == ("CLOSE", 12, 680)


def test_packet() -> None:
    (socket,) = parsed(GOPROCINFO + "3323/net/packet", "packet").sockets
    assert (socket.protocol, socket.type, socket.inode) == ("0x0003", "SOCK_RAW", 367)
    assert socket.packet is not None
    assert (socket.packet.ifindex, socket.packet.running) == (2, True)
