"""Every layout that kernels from 2.6.32 on gave these files, read from fixtures/layouts, with the exact result.

The trees there are named after a kernel whose layout they have; ``odd`` holds what is damaged or no kernel's. In files of
counters, the n-th counter is 1009 n, but for what the kernel sets (SET). A last test, which needs the samples of other
projects, shows that none of them has a layout that is not here.
"""

from __future__ import annotations

import re
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sockdiag.kernel.netlink import NLMSG_DONE
from sockdiag.model.address import Endpoint
from sockdiag.model.conntrack import ConntrackCpu
from sockdiag.model.device import Device
from sockdiag.model.inet_attrs import InetAttrs, MemInfo
from sockdiag.model.link_attrs import PacketAttrs
from sockdiag.model.local_attrs import NetlinkAttrs, UnixAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.protocols import Protocol
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.model.sockstat import SockStat, SockStat6
from sockdiag.model.softnet import SoftnetCpu
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.proc.inet import parse_raw, parse_tcp, parse_udp
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6
from sockdiag.sources.proc.net_dev import parse_dev
from sockdiag.sources.proc.net_netlink import parse_netlink
from sockdiag.sources.proc.net_packet import parse_packet
from sockdiag.sources.proc.net_protocols import parse_protocols
from sockdiag.sources.proc.net_sockstat import parse_sockstat, parse_sockstat6
from sockdiag.sources.proc.net_softnet_stat import parse_softnet_stat
from sockdiag.sources.proc.net_stat_nf_conntrack import parse_nf_conntrack_stat
from sockdiag.sources.proc.net_unix import parse_unix
from sockdiag.sources.system.transport import Request, messages
from tests.recorded import CORPORA, FIXTURES
from tests.unit.sources.proc_rows import messages as errors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sockdiag.sources.reading import Reading

LAYOUTS = FIXTURES / "layouts"
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


def test_each_tree_names_its_kernel() -> None:
    for tree in LAYOUTS.iterdir():
        if tree != ODD:
            meta = tomllib.loads((tree / "meta.toml").read_text())
            assert meta.keys() == {"kernel", "layouts"}
            assert meta["kernel"] == tree.name


# Socket tables

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


# Counters and levels

SET = {
    "Ip.Forwarding": 1,
    "Ip.DefaultTTL": 64,
    "Tcp.RtoAlgorithm": 1,
    "Tcp.RtoMin": 200,
    "Tcp.RtoMax": 120000,
    "Tcp.MaxConn": -1,
    "ifIndex": 7,
}


@pytest.mark.parametrize(
    ("path", "parse", "count", "places", "absent"),
    [
        (
            "2.6.32/proc/net/snmp",
            parse_snmp,
            65,
            {"Tcp.CurrEstab": 56, "Udp.InErrors": 64, "Udp.OutDatagrams": 65},
            {"Udp.RcvbufErrors", "UdpLite.InErrors"},
        ),
        (
            "2.6.38/proc/net/snmp",
            parse_snmp,
            73,
            {"IcmpMsg.OutType3": 47, "Udp.RcvbufErrors": 66, "UdpLite.SndbufErrors": 73},
            {"Udp.InCsumErrors"},
        ),
        (
            "4.15/proc/net/snmp",
            parse_snmp,
            79,
            {"Icmp.InCsumErrors": 22, "Tcp.InCsumErrors": 63, "Udp.IgnoredMulti": 71},
            {"Udp.MemErrors"},
        ),
        (
            "odd/short-snmp",
            parse_snmp,
            39,
            {"Ip.FragCreates": 19, "Tcp.RetransSegs": 31, "Udp.SndbufErrors": 39},
            {"Icmp.InMsgs", "Udp.InCsumErrors", "UdpLite.InErrors"},
        ),
        (
            "2.6.38/proc/net/netstat",
            parse_netstat,
            91,
            {
                "TcpExt.SyncookiesSent": 1,
                "TcpExt.TCPPrequeued": 22,
                "TcpExt.TCPLoss": 41,
                "TcpExt.TCPTimeWaitOverflow": 79,
                "IpExt.OutBcastOctets": 91,
            },
            {"TcpExt.TCPRcvQDrop", "TcpExt.TCPAutoCorking", "IpExt.InCsumErrors"},
        ),
        (
            "3.16/proc/net/netstat",
            parse_netstat,
            119,
            {"TcpExt.ListenOverflows": 20, "TcpExt.TCPOrigDataSent": 102, "IpExt.InCEPkts": 119},
            {"TcpExt.TCPLoss", "TcpExt.TCPRcvQDrop"},
        ),
        (
            "4.15/proc/net/netstat",
            parse_netstat,
            131,
            {
                "TcpExt.ListenDrops": 20,
                "TcpExt.TCPRcvQDrop": 78,
                "TcpExt.TCPWqueueTooBig": 113,
                "IpExt.ReasmOverlaps": 131,
            },
            {"TcpExt.TCPPrequeued", "TcpExt.TCPDelivered"},
        ),
        (
            "5.2/proc/net/netstat",
            parse_netstat,
            136,
            {"TcpExt.TCPBacklogCoalesce": 46, "TcpExt.TCPZeroWindowDrop": 116, "TcpExt.TCPWqueueTooBig": 118},
            {"TcpExt.TCPFastOpenPassiveAltKey"},
        ),
        (
            "5.10/proc/net/netstat",
            parse_netstat,
            135,
            {"TcpExt.TCPBacklogDrop": 69, "TcpExt.TCPFastOpenPassiveAltKey": 117, "IpExt.InNoRoutes": 118},
            {"TcpExt.BusyPollRxPackets", "TcpExt.PFMemallocDrop"},
        ),
        (
            "2.6.38/proc/net/snmp6",
            parse_snmp6,
            77,
            {"Ip6.InReceives": 1, "Icmp6.OutType143": 65, "Udp6.RcvbufErrors": 70, "UdpLite6.SndbufErrors": 77},
            {"Ip6.InCEPkts", "Udp6.InCsumErrors"},
        ),
        (
            "3.16/proc/net/snmp6",
            parse_snmp6,
            84,
            {"Ip6.InCEPkts": 32, "Icmp6.InCsumErrors": 37, "Udp6.InCsumErrors": 77},
            {"Udp6.IgnoredMulti"},
        ),
        (
            "4.15/proc/net/snmp6",
            parse_snmp6,
            85,
            {"Udp6.IgnoredMulti": 78, "UdpLite6.InCsumErrors": 85},
            {"Udp6.MemErrors"},
        ),
        (
            "2.6.38/proc/net/dev_snmp6/eth0",
            parse_snmp6,
            66,
            {"Ip6.InReceives": 2, "Icmp6.OutType143": 66},
            {"Ip6.OutTransmits"},
        ),
        (
            "6.8/proc/net/dev_snmp6/eth0",
            parse_snmp6,
            73,
            {"Ip6.OutTransmits": 34, "Icmp6.OutRateLimitHost": 40, "Icmp6.OutType143": 73},
            {"Udp6.InDatagrams"},
        ),
        (
            "2.6.38/proc/net/sctp/snmp",
            parse_snmp6,
            32,
            {"Sctp.CurrEstab": 1, "Sctp.InDataChunkDiscards": 32},
            {"Sctp.InPktSoftirqs"},
        ),
    ],
)
def test_counters(
    path: str, parse: Callable[[bytes], Any], count: int, places: dict[str, int], absent: set[str]
) -> None:
    """All counters in the order of the file, those that matter by their place in it, and none that the kernel lacks."""
    counters = parse((LAYOUTS / path).read_bytes())
    assert counters.errors == ()
    assert dict(counters.values) == {name: SET.get(name, 1009 * n) for n, name in enumerate(counters, 1)}
    assert len(counters) == count
    assert {name: counters[name] for name in places} == {name: 1009 * place for name, place in places.items()}
    assert {name: counters.get(name) for name in absent} == dict.fromkeys(absent)


LEVELS = SockStat(
    sockets_used=412,
    tcp_inuse=31,
    tcp_orphan=2,
    tcp_tw=17,
    tcp_alloc=40,
    tcp_mem_pages=9,
    udp_inuse=12,
    udp_mem_pages=5,
    udplite_inuse=1,
    raw_inuse=3,
    frag_inuse=4,
    frag_memory_bytes=1288,
)


def test_levels() -> None:
    """Both files in whole, and cut off: no level is then known, rather than 0."""
    assert parse_sockstat((NET / "sockstat").read_bytes()) == LEVELS
    assert parse_sockstat((ODD / "sockstat-blank-line").read_bytes()) == LEVELS
    assert parse_sockstat6((NET / "sockstat6").read_bytes()) == SockStat6(
        tcp6_inuse=6, udp6_inuse=5, udplite6_inuse=1, raw6_inuse=2, frag6_inuse=3, frag6_memory_bytes=966
    )
    for name, column in (("sockstat-cut-after-sockets", "sockets"), ("sockstat-cut-in-tcp", "TCP")):
        cut = parse_sockstat((ODD / name).read_bytes())
        assert [error.column for error in cut.errors] == [column]
        assert cut._replace(errors=()) == SockStat()


def softnet(cpu: int, columns: int, is_position: bool, shown: int | None = None) -> SoftnetCpu:
    """Return what a row of so many columns holds: its values follow from its CPU."""
    fields = ("cpu_collision", "received_rps", "flow_limit", "backlog")
    known = {name: cpu + at for name, at in zip(fields, range(3, 7), strict=True) if at + 6 <= columns}
    return SoftnetCpu(
        cpu=cpu if shown is None else shown,
        cpu_is_position=is_position,
        processed=0x10000 * (cpu + 1) + columns,
        dropped=cpu + 1,
        time_squeeze=cpu + 2,
        **known,
    )


def test_softnet_stat() -> None:
    """9 columns to 2.6.34, 10 to 3.10, 11 to 5.9, 13 to 6.3, of which one is the CPU; other kernels' rows in one file."""
    for tree, columns in (("2.6.32", 9), ("2.6.38", 10), ("3.16", 11)):
        rows = parse_softnet_stat((LAYOUTS / tree / "proc/net/softnet_stat").read_bytes())
        assert (list(rows), rows.errors) == ([softnet(0, columns, True), softnet(1, columns, True)], ())
    rows = parse_softnet_stat((LAYOUTS / "5.10/proc/net/softnet_stat").read_bytes())
    assert (list(rows), rows.errors) == ([softnet(0, 13, False), softnet(1, 13, False, shown=2)], ())
    rows = parse_softnet_stat((ODD / "softnet_stat-of-several-kernels").read_bytes())
    assert list(rows) == [
        softnet(0, 9, True),
        softnet(1, 10, True),
        softnet(2, 11, True),
        softnet(3, 13, False, shown=6),
    ]
    rows = parse_softnet_stat((ODD / "softnet_stat-of-none").read_bytes())
    assert (list(rows), [(error.line, error.column) for error in rows.errors]) == ([], [(1, "line")])


def test_devices() -> None:
    """No blank after the colon where the number is wide."""
    assert list(parse_dev((NET / "dev").read_bytes())) == [
        Device(b"lo", 5000000123, 40001, 0, 0, 0, 0, 0, 0, 5000000123, 40001, 0, 0, 0, 0, 0, 0),
        Device(b"eth0", 98765432, 1234567, 1, 2, 3, 4, 5, 6, 23456789, 345678, 7, 8, 9, 10, 11, 12),
    ]


def test_protocols() -> None:
    """With sendpage, which went in 6.5."""
    rest = {"slab": True, "module": "kernel"}
    rows = list(parse_protocols((NET / "protocols").read_bytes()))
    assert [row._replace(operations=()) for row in rows] == [
        Protocol("UNIX", 448, 97, None, None, 0, **rest),
        Protocol("RAW", 584, 3, None, None, 0, **rest),
        Protocol("UDP", 600, 12, 5, None, 0, **rest),
        Protocol("TCP", 1152, 40, 4321, True, 304, **rest),
    ]
    assert [row.operations for row in rows] == [
        (),
        (
            "close",
            "connect",
            "disconnect",
            "ioctl",
            "init",
            "destroy",
            "setsockopt",
            "getsockopt",
            "sendmsg",
            "recvmsg",
            "sendpage",
            "bind",
            "backlog_rcv",
            "hash",
            "unhash",
        ),
        (
            "close",
            "connect",
            "disconnect",
            "ioctl",
            "destroy",
            "setsockopt",
            "getsockopt",
            "sendmsg",
            "recvmsg",
            "sendpage",
            "hash",
            "unhash",
            "get_port",
        ),
        (
            "close",
            "connect",
            "disconnect",
            "accept",
            "ioctl",
            "init",
            "destroy",
            "shutdown",
            "setsockopt",
            "getsockopt",
            "sendmsg",
            "recvmsg",
            "sendpage",
            "backlog_rcv",
            "hash",
            "unhash",
            "get_port",
            "enter_memory_pressure",
        ),
    ]


@pytest.mark.parametrize("name", ["nf_conntrack", "ip_conntrack"])
def test_conntrack(name: str) -> None:
    """17 columns, none of them clashres or chaintoolong."""
    table = parse_nf_conntrack_stat((NET / "stat" / name).read_bytes())
    names = (
        "searched",
        "found",
        "new",
        "invalid",
        "ignore",
        "delete",
        "delete_list",
        "insert",
        "insert_failed",
        "drop",
        "early_drop",
        "icmp_error",
        "expect_new",
        "expect_create",
        "expect_delete",
        "search_restart",
    )
    assert (table.count, table.errors) == (42, ())
    assert table.cpus == tuple(
        ConntrackCpu(cpu=cpu, **{name: 0x100 * (cpu + 1) + n for n, name in enumerate(names, 1)}) for cpu in range(2)
    )


# inet_diag

REQUEST = Request("layout", b"")
MEMORY = {
    "rmem_alloc": 512,
    "rcvbuf": 131072,
    "wmem_alloc": 2048,
    "sndbuf": 87040,
    "fwd_alloc": 8192,
    "wmem_queued": 1024,
    "optmem": 0,
    "backlog": 256,
    "drops": 3,
}
INFO_4_9 = TcpInfo(
    state=1,
    ca_state=0,
    retransmits=0,
    probes=0,
    backoff=0,
    options=7,
    snd_wscale=7,
    rcv_wscale=7,
    delivery_rate_app_limited=0,
    fastopen_client_fail=0,
    rto_us=204000,
    ato_us=40000,
    snd_mss=1448,
    rcv_mss=536,
    unacked=3,
    sacked=0,
    lost=0,
    retrans=0,
    fackets=0,
    last_data_sent_ms=120,
    last_data_recv_ms=116,
    last_ack_recv_ms=112,
    pmtu=1500,
    rcv_ssthresh_bytes=65483,
    rtt_us=31250,
    rttvar_us=1750,
    snd_ssthresh=7,
    snd_cwnd=10,
    advmss=1448,
    reordering=3,
    rcv_rtt_us=30000,
    rcv_space_bytes=65535,
    total_retrans=2,
    pacing_rate_bytes_per_s=250000,
    bytes_acked=123457,
    bytes_received=654321,
    segs_out=901,
    segs_in=902,
    notsent_bytes=77,
    min_rtt_us=29000,
    data_segs_in=801,
    data_segs_out=802,
    delivery_rate_bytes_per_s=333333,
)
INFO_4_19 = INFO_4_9._replace(
    busy_time_us=5000000,
    rwnd_limited_us=4000,
    sndbuf_limited_us=3000,
    delivered=800,
    delivered_ce=1,
    bytes_sent=130000,
    bytes_retrans=6543,
    dsack_dups=4,
    reord_seen=5,
)


def dumped(path: Path) -> list[bytes]:
    return [row for row in messages(REQUEST, path.read_bytes()) if row[4] != NLMSG_DONE]


def decoded(path: str) -> list[Socket]:
    rows = dumped(LAYOUTS / path)
    return [inet_diag.decode(row, "tcp", lambda _index: None, "layout") for row in rows]


def test_inet_diag_without_attributes() -> None:
    """2.6.32 sends what every message has, with the address of the socket for its cookie."""
    row = partial(tcp, source="netlink")
    assert decoded("2.6.32/netlink/inet_diag_tcp.nl") == [
        row(
            state="LISTEN",
            local=Endpoint("0.0.0.0", 22),
            peer=ANY,
            recv_q=3,
            send_q=128,
            recv_q_unit="connections",
            uid=0,
            inode=9001,
            cookie=0xFFFF880012345680,
        ),
        row(
            state="ESTABLISHED",
            local=HERE,
            peer=AWAY,
            recv_q=32,
            send_q=1024,
            uid=1000,
            inode=9002,
            cookie=0xFFFF880012345E00,
            timer=Timer("retransmit", 210, 2),
        ),
    ]


@pytest.mark.parametrize(
    ("kernel", "cookie", "info", "inet", "mini"),
    [
        ("4.9", 0x1001, INFO_4_9, InetAttrs(tos=0, congestion="cubic"), ("TIME_WAIT", 0, 45000)),
        (
            "4.19",
            0x2001,
            INFO_4_19,
            InetAttrs(tos=16, class_id=0x10001, congestion="bbr"),
            ("FIN_WAIT2", 0x2003, 30000),
        ),
    ],
)
def test_inet_diag_with_attributes(
    kernel: str, cookie: int, info: TcpInfo, inet: InetAttrs, mini: tuple[str, int, int]
) -> None:
    """The tcp_info of that kernel, the members of later ones unknown; a mini-socket has neither it nor an owner."""
    row = partial(tcp, source="netlink")
    meminfo = MemInfo(rmem=512, wmem=8192, fmem=1024, tmem=2048)
    assert decoded(f"{kernel}/netlink/inet_diag_tcp.nl") == [
        row(
            state="ESTABLISHED",
            local=HERE,
            peer=AWAY,
            recv_q=32,
            send_q=1024,
            uid=1000,
            inode=9002,
            cookie=cookie,
            shutdown=0,
            timer=Timer("keepalive", 7200000, 0),
            skmem=SkMem(**MEMORY),
            tcp_info=info,
            inet=inet._replace(meminfo=meminfo),
        ),
        row(
            state=mini[0],
            local=HERE,
            peer=AWAY._replace(port=49154),
            recv_q=0,
            send_q=0,
            inode=0,
            cookie=mini[1],
            timer=Timer("timewait", mini[2], 0),
        ),
    ]
    assert decoded(f"{kernel}/netlink/inet_diag_tcp6.nl") == [
        row(
            family="AF_INET6",
            state="ESTABLISHED",
            local=HERE6,
            peer=AWAY6,
            recv_q=0,
            send_q=0,
            uid=33,
            inode=9102,
            cookie=cookie + 1,
            shutdown=0,
            skmem=SkMem(**MEMORY),
            tcp_info=info,
            inet=InetAttrs(tos=0, tclass=0, congestion={"4.9": "reno", "4.19": "cubic"}[kernel], meminfo=meminfo),
        ),
    ]


def test_inet_diag_without_extensions() -> None:
    """What comes unasked: the shutdown mask, and of IPv6 the option."""
    row = partial(tcp, source="netlink", state="LISTEN", send_q=128, recv_q_unit="connections", uid=0, shutdown=0)
    assert decoded("5.10/netlink/inet_diag_tcp.nl") == [
        row(local=Endpoint("0.0.0.0", 22), peer=ANY, recv_q=3, inode=9001, cookie=0x3001)
    ]
    assert decoded("5.10/netlink/inet_diag_tcp6.nl") == [
        row(
            family="AF_INET6",
            local=ANY6._replace(port=22),
            peer=ANY6,
            recv_q=0,
            inode=9004,
            cookie=0x3002,
            inet=InetAttrs(v6only=True),
        )
    ]


# The samples of other projects


class Layout(NamedTuple):
    """What a file's form is, apart from its values."""

    kind: str
    heading: tuple[Any, ...]
    # Numbers of columns that its rows have.
    rows: frozenset[int] = frozenset()


# Counters that are there as soon as such a message has come or gone; a file mode that one sample carries.
_MESSAGES = re.compile(r"(In|Out)Type\d+|Icmp6(In|Out)Type\d+|Mode:")


def _mib(lines: list[list[str]]) -> tuple[Any, ...]:
    headings = [words for words in lines if words[1][:1].isalpha()]
    return tuple((words[0], *(word for word in words[1:] if not _MESSAGES.fullmatch(word))) for words in headings)


def _mib6(lines: list[list[str]]) -> tuple[str, ...]:
    return tuple(words[0] for words in lines if not _MESSAGES.fullmatch(words[0]))


def _levels(lines: list[list[str]]) -> tuple[Any, ...]:
    return tuple((words[0], *words[1::2]) for words in lines)


# Kind of file by its name.
KINDS = (
    (r"(proc_)?(net_)?(tcp|udp|raw|udplite)6?|procnetudp|udp_broken|(netstat|proc|procnet)_internal_test/.*", "inet"),
    (r"(net_)?unix|unix_without_inode", "unix"),
    (r"dev_snmp6/.*|snmp6|proc_net_snmp6_.|sctp/snmp", "mib6"),
    (r"snmp|proc_net_snmp_.|test\.rs/sample_01.txt", "mib"),
    (r"netstat|(proc_)?net_netstat_.|test\.rs/sample_02.txt", "mib"),
    (r"(proc_net_)?sockstat6?|net_sockstat_test/.*", "levels"),
    (r"softnet_stat(\.broken)?", "softnet_stat"),
    (r"dev|procnetdev|(proc_)?net_dev(_squeeze|_.)?|208-.*", "dev"),
    (r"protocols|netlink|packet|stat/[ni][pf]_conntrack", "table"),
)


def kind_of(path: Path) -> str:
    parent = re.sub(r"(\.go)?\.d$", "", path.parent.name)
    for pattern, kind in KINDS:
        if re.fullmatch(pattern, path.name) or re.fullmatch(pattern, f"{parent}/{path.name}"):
            return kind
    return ""


def layout(path: Path, kind: str) -> Layout:
    """Return the form of a file."""
    lines = [line.split() for line in path.read_text("latin-1").splitlines() if line.strip()]
    if kind in ("mib", "mib6", "levels"):
        return Layout(kind, {"mib": _mib, "mib6": _mib6, "levels": _levels}[kind](lines))
    if kind == "softnet_stat":
        return Layout(kind, (), frozenset(map(len, lines)))
    heading = (*lines[0], *(lines[1] if kind == "dev" else ()))
    # A path may have blanks, and none is one column less.
    rows = frozenset() if kind in ("unix", "dev") else frozenset(map(len, lines[1:]))
    return Layout(kind, heading, rows)


def shape(row: bytes) -> tuple[int, ...]:
    """Return the attributes of an inet_diag message, each with its length, but for names."""
    place, found = 16 + 72, []
    while place + 4 <= len(row):
        length, number = (
            int.from_bytes(row[place : place + 2], "little"),
            int.from_bytes(row[place + 2 : place + 4], "little"),
        )
        found.append((number, 0 if number == 4 else length))
        place += (length + 3) & ~3
    return tuple(number for pair in sorted(found) for number in pair)


def covered(wanted: Iterable[Layout], ours: list[Layout]) -> list[Layout]:
    """Return the layouts that none of ours has."""
    rows: dict[tuple[Any, ...], set[int]] = {}
    for one in ours:
        rows.setdefault((one.kind, one.heading), set()).update(one.rows)
    return [
        one
        for one in wanted
        if not one.rows <= rows.get((one.kind, one.heading), {-1}) or (one.kind, one.heading) not in rows
    ]


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the samples of other projects are not here (../shared/corpora)")
def test_no_sample_has_another_layout() -> None:
    ours = [layout(path, kind) for path in LAYOUTS.rglob("*") if path.is_file() and (kind := our_kind(path))]
    samples = {path: kind for path in sorted(CORPORA.rglob("*")) if path.is_file() and (kind := kind_of(path))}
    assert len(samples) > 80
    missing = {
        str(path.relative_to(CORPORA)): wanted
        for path, kind in samples.items()
        for wanted in covered([layout(path, kind)], ours)
    }
    assert missing == {}


def our_kind(path: Path) -> str:
    """Return the kind of a fixture: those of ``odd`` are named after what they are meant to be."""
    if path.parent != ODD:
        return kind_of(path)
    name = path.name.partition("-")[0]
    return {"short": "mib"}.get(name) or kind_of(path.with_name(name))


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the samples of other projects are not here (../shared/corpora)")
def test_no_message_has_another_layout() -> None:
    from tests.unit.sources.test_inet_diag_corpora import MLAB, archived, unpacked

    ours = {shape(row) for path in LAYOUTS.rglob("*.nl") for row in dumped(path)}
    theirs = {
        shape(row) for path in (*CORPORA.rglob("inet-dump-*.bin"), *CORPORA.rglob("ss1.dump")) for row in dumped(path)
    }
    for path in MLAB.rglob("*.zst"):
        if path.name == "testdata.zst":
            rows = [row for row in messages(REQUEST, unpacked(path)) if row[4] != NLMSG_DONE]
        else:
            rows = archived(path)
        theirs |= {shape(row) for row in rows}
    assert len(theirs) >= 7
    assert theirs - ours == set()
