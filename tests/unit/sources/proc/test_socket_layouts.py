"""The socket tables of tests/fixtures/layouts, with the exact result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.link_attrs import PacketAttrs
from sockdiag.model.local_attrs import NetlinkAttrs, UnixAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.sources.proc.inet import parse_raw, parse_tcp, parse_udp
from sockdiag.sources.proc.net_netlink import parse_netlink
from sockdiag.sources.proc.net_packet import parse_packet
from sockdiag.sources.proc.net_unix import parse_unix
from tests.recorded import LAYOUTS
from tests.unit.sources.proc_rows import messages as errors_of

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.sources.reading import Reading

NET = LAYOUTS / "2.6.38/proc/net"
ODD = LAYOUTS / "odd"

HERE, AWAY, ANY = Endpoint("10.0.0.10", 22), Endpoint("10.0.0.99", 49153), Endpoint("0.0.0.0", 0)
HERE6, AWAY6, ANY6 = Endpoint("2001:db8::1", 80), Endpoint("2001:db8::2", 49374), Endpoint("::", 0)
HEADING = (
    "heading: expected sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode, got "
)
UNIX_HEADING = "heading: expected Num RefCount Protocol Flags Type St Inode Path, got "
CUT = "expected a newline at its end, got "

tcp = partial(Socket, netid="tcp", family="AF_INET", type="SOCK_STREAM", protocol="TCP", source="proc")
tcp6 = partial(tcp, family="AF_INET6")
udp = partial(Socket, netid="udp", family="AF_INET", type="SOCK_DGRAM", protocol="UDP", source="proc")


LISTENER = tcp(
    state="LISTEN",
    local=Endpoint("0.0.0.0", 22),
    peer=ANY,
    recv_q=3,
    recv_q_unit="connections",
    uid=0,
    inode=9001,
    proc=ProcAttrs(
        pointer=0xC0A80000, refs=1, retransmits=0, probes=0, rto_ms=2990, ato_ms=0, quick=0, pingpong=False, snd_cwnd=2
    ),
)
BUSY = tcp(
    state="ESTABLISHED",
    local=HERE,
    peer=AWAY,
    recv_q=32,
    send_q=1024,
    uid=1000,
    inode=9002,
    timer=Timer("retransmit", 210, 2),
    proc=ProcAttrs(
        pointer=0xC0A80500,
        refs=4,
        retransmits=2,
        probes=1,
        rto_ms=310,
        ato_ms=40,
        quick=10,
        pingpong=True,
        snd_cwnd=10,
        snd_ssthresh=7,
    ),
)
KEPT_ALIVE6 = tcp6(
    state="ESTABLISHED",
    local=HERE6,
    peer=AWAY6,
    recv_q=0,
    send_q=0,
    uid=33,
    inode=9102,
    timer=Timer("keepalive", 30000, 0),
    proc=ProcAttrs(
        pointer=0xC0B00500,
        refs=2,
        retransmits=0,
        probes=0,
        rto_ms=200,
        ato_ms=40,
        quick=14,
        pingpong=False,
        snd_cwnd=3,
        snd_ssthresh=-1,
    ),
)


def read(path: Path, table: str) -> Reading:
    body = path.read_bytes()
    if table in ("tcp", "tcp6"):
        return parse_tcp(body, table)
    if table.startswith("udp"):
        return parse_udp(body, table)
    if table.startswith("raw"):
        return parse_raw(body, table)
    if table == "unix":
        return parse_unix(body)
    return parse_netlink(body) if table == "netlink" else parse_packet(body, lambda _index: None)


def held(table: str) -> tuple[Socket, ...]:
    reading = read(NET / table, table)
    assert errors_of(reading) == []
    return tuple(reading.sockets)


def test_tcp() -> None:
    """Rows of 17 columns, and of 12: requests and mini-sockets have no owner, and no more than a pointer."""
    assert held("tcp") == (
        LISTENER,
        BUSY,
        tcp(
            state="SYN_RECV",
            local=HERE,
            peer=AWAY._replace(port=49154),
            recv_q=0,
            send_q=0,
            inode=0,
            timer=Timer("retransmit", 1000, 1),
            proc=ProcAttrs(pointer=0xC0A80A00, refs=1, retransmits=1, probes=0),
        ),
        tcp(
            state="TIME_WAIT",
            local=HERE,
            peer=AWAY._replace(port=49155),
            recv_q=0,
            send_q=0,
            inode=0,
            timer=Timer("timewait", 40000, 0),
            proc=ProcAttrs(pointer=0xC0A80F00, refs=3, retransmits=0, probes=0),
        ),
        tcp(
            state="CLOSE_WAIT",
            local=HERE._replace(port=33333),
            peer=AWAY._replace(port=80),
            recv_q=1,
            send_q=0,
            uid=33,
            inode=9003,
            timer=Timer("keepalive", 480000, 0),
            proc=ProcAttrs(
                pointer=0xC0A81400,
                refs=2,
                retransmits=0,
                probes=0,
                rto_ms=200,
                ato_ms=40,
                quick=0,
                pingpong=True,
                snd_cwnd=3,
                snd_ssthresh=-1,
            ),
        ),
    )
    assert held("tcp6") == (
        tcp6(
            state="LISTEN",
            local=ANY6._replace(port=80),
            peer=ANY6,
            recv_q=0,
            recv_q_unit="connections",
            uid=0,
            inode=9101,
            proc=ProcAttrs(
                pointer=0xC0B00000,
                refs=1,
                retransmits=0,
                probes=0,
                rto_ms=2990,
                ato_ms=0,
                quick=0,
                pingpong=False,
                snd_cwnd=2,
            ),
        ),
        KEPT_ALIVE6,
    )


def test_datagrams() -> None:
    """The heading of 13 columns, with drops; tables without a row."""
    assert held("udp") == (
        udp(
            state="CLOSE",
            local=ANY._replace(port=53),
            peer=ANY,
            recv_q=0,
            send_q=0,
            uid=101,
            inode=9201,
            skmem=SkMem(wmem_alloc=0, drops=0),
            proc=ProcAttrs(pointer=0xC0C00000, refs=2),
        ),
        udp(
            state="ESTABLISHED",
            local=HERE._replace(port=34001),
            peer=AWAY._replace(port=123),
            recv_q=2560,
            send_q=384,
            uid=102,
            inode=9202,
            skmem=SkMem(wmem_alloc=384, drops=57),
            proc=ProcAttrs(pointer=0xC0C00280, refs=2),
        ),
    )
    assert held("udp6") == (
        udp(
            family="AF_INET6",
            state="CLOSE",
            local=ANY6._replace(port=53),
            peer=ANY6,
            recv_q=576,
            send_q=0,
            uid=101,
            inode=9301,
            skmem=SkMem(wmem_alloc=0, drops=8),
            proc=ProcAttrs(pointer=0xC0D00000, refs=2),
        ),
    )
    for table in ("udplite", "udplite6", "raw", "raw6"):
        assert held(table) == ()


def test_unix() -> None:
    """Names with a blank, without a slash, abstract, and none."""
    unix = partial(Socket, netid="unix", family="AF_UNIX", source="proc")
    assert held("unix") == (
        unix(
            type="SOCK_STREAM",
            state="LISTEN",
            local=Endpoint(b"/var/run/a b"),
            recv_q_unit="connections",
            inode=9401,
            unix=UnixAttrs(socket_state="SS_UNCONNECTED", refs=2),
            proc=ProcAttrs(0xC0E00000),
        ),
        unix(
            type="SOCK_STREAM",
            state="ESTABLISHED",
            inode=9402,
            unix=UnixAttrs(socket_state="SS_CONNECTED", refs=3),
            proc=ProcAttrs(0xC0E00200),
        ),
        unix(
            type="SOCK_SEQPACKET",
            state="LISTEN",
            local=Endpoint(b"\0abstract"),
            recv_q_unit="connections",
            inode=9403,
            unix=UnixAttrs(socket_state="SS_UNCONNECTED", refs=2),
            proc=ProcAttrs(0xC0E00400),
        ),
        unix(
            type="SOCK_DGRAM",
            state="CLOSE",
            local=Endpoint(b"private/log"),
            inode=9404,
            unix=UnixAttrs(socket_state="SS_UNCONNECTED", refs=9),
            proc=ProcAttrs(0xC0E00600),
        ),
    )


def test_netlink_and_packet() -> None:
    """``Dump`` is a pointer, or ``(null)``."""
    row = partial(Socket, netid="netlink", family="AF_NETLINK", send_q=0, source="proc")
    assert held("netlink") == (
        row(
            protocol="ROUTE",
            local=Endpoint("ROUTE", 0),
            recv_q=0,
            inode=9501,
            skmem=SkMem(rmem_alloc=0, wmem_alloc=0, drops=0),
            netlink=NetlinkAttrs(groups=0, cb_running=False, refs=2),
            proc=ProcAttrs(0xC0F00000),
        ),
        row(
            protocol="ROUTE",
            local=Endpoint("ROUTE", 4123),
            recv_q=768,
            inode=9502,
            skmem=SkMem(rmem_alloc=768, wmem_alloc=0, drops=6),
            netlink=NetlinkAttrs(groups=0x11, cb_running=True, refs=3),
            proc=ProcAttrs(0xC0F00200),
        ),
        row(
            protocol="KOBJECT_UEVENT",
            local=Endpoint("KOBJECT_UEVENT", 4294963201),
            recv_q=0,
            inode=9503,
            skmem=SkMem(rmem_alloc=0, wmem_alloc=0, drops=0),
            netlink=NetlinkAttrs(groups=2, cb_running=False, refs=2),
            proc=ProcAttrs(0xC0F00400),
        ),
    )
    row = partial(Socket, netid="packet", family="AF_PACKET", state="CLOSE", source="proc")
    assert held("packet") == (
        row(
            type="SOCK_RAW",
            protocol="0x0003",
            recv_q=4096,
            uid=0,
            inode=9601,
            skmem=SkMem(rmem_alloc=4096),
            packet=PacketAttrs(ifindex=2, running=True, refs=3),
            proc=ProcAttrs(0xC0F80000),
        ),
        row(
            type="SOCK_DGRAM",
            protocol="0x0806",
            recv_q=0,
            uid=1000,
            inode=9602,
            skmem=SkMem(rmem_alloc=0),
            packet=PacketAttrs(ifindex=0, running=False, refs=3),
            proc=ProcAttrs(0xC0F80400),
        ),
    )


@pytest.mark.parametrize(
    ("name", "sockets", "errors"),
    [
        ("tcp-capital-inode", [BUSY], []),
        ("tcp6-capital-inode", [KEPT_ALIVE6], []),
        (
            "tcp-row-cut-short",
            [LISTENER],
            [f"3: row: {CUT}b'   1: 0A00000A:0016 6300000A:C001 06 00000000:00000000 03:0000001D 00000000     '"],
        ),
        (
            "tcp-broken-rows",
            [],
            [
                "2: tx_queue:rx_queue: expected 8 hexadecimal digits, ':' and 8 more, got b'000004'",
                "3: sl: expected a number and ':', got b'broken'",
            ],
        ),
        ("tcp-tail-of-other-numbers", [], ["2: ssthresh: expected a decimal number, got b'2d'"]),
        (
            "tcp6-with-rows-of-udp",
            [
                tcp6(
                    state="CLOSE",
                    local=HERE6,
                    peer=ANY6,
                    recv_q=0,
                    send_q=0,
                    uid=33,
                    inode=9102,
                    skmem=SkMem(drops=4),
                    proc=ProcAttrs(0xC0B00500, refs=2),
                ),
            ],
            [],
        ),
        (
            "udp-with-rows-of-tcp",
            [
                udp(
                    state="ESTABLISHED",
                    local=HERE,
                    peer=AWAY,
                    recv_q=32,
                    send_q=1024,
                    uid=1000,
                    inode=9002,
                    skmem=SkMem(wmem_alloc=1024),
                    proc=ProcAttrs(0xC0A80500, refs=4, extra=b"31 4 21 10 7"),
                ),
            ],
            [],
        ),
        ("udp-short-heading", [], [f"1: {HEADING}b'  sl  local_address rem_address   st'"]),
        ("tcp-of-net-tools", [], [f"1: {HEADING}b'Active Internet connections'"]),
        ("unix-without-inode", [], [f"1: {UNIX_HEADING}b'Num       RefCount Protocol Flags    Type St Path'"]),
    ],
)
def test_odd_tables(name: str, sockets: list[Socket], errors: list[str]) -> None:
    """A row is lost, or the file; the others are what they were."""
    table = name.partition("-")[0]
    reading = read(ODD / name, table)
    assert list(reading.sockets) == sockets
    path = f"/proc/net/{table.rstrip('6') if errors else table}"
    assert errors_of(reading) == [f"{path}:{error}" for error in errors]
