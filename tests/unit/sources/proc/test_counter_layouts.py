"""The counters and levels of tests/fixtures/layouts, with the exact result.

In files of counters the n-th one is 1009 n, but for what the kernel sets (SET).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.model.conntrack import ConntrackCpu
from sockdiag.model.device import Device
from sockdiag.model.protocols import Protocol
from sockdiag.model.sockstat import SockStat, SockStat6
from sockdiag.model.softnet import SoftnetCpu
from sockdiag.sources.proc.mib import parse_netstat, parse_snmp, parse_snmp6
from sockdiag.sources.proc.net_dev import parse_dev
from sockdiag.sources.proc.net_protocols import parse_protocols
from sockdiag.sources.proc.net_sockstat import parse_sockstat, parse_sockstat6
from sockdiag.sources.proc.net_softnet_stat import parse_softnet_stat
from sockdiag.sources.proc.net_stat_nf_conntrack import parse_nf_conntrack_stat
from tests.recorded import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable


NET = LAYOUTS / "2.6.38/proc/net"
ODD = LAYOUTS / "odd"


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
