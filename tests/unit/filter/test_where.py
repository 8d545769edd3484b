"""What --where expressions select."""

from __future__ import annotations

from typing import Any

import pytest

from sockdiag.filter.context import FilterContext
from sockdiag.filter.where import Where, compile_where
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.batch import Batch, Column
from sockdiag.model.inet_attrs import InetAttrs
from sockdiag.model.link_attrs import PacketAttrs
from sockdiag.model.local_attrs import NetlinkAttrs, UnixAttrs
from sockdiag.model.query import TABLES
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket, Timer
from sockdiag.model.tcp_info import TcpInfo

CONTEXT = FilterContext(
    service=lambda name, protocol: {("ssh", "tcp"): 22, ("two", "tcp"): 7, ("two", "udp"): 9}.get((name, protocol)),
    hosts=lambda _name, family: [b"\x0a\0\0\1", b"\x0a\0\0\2"] if family == 2 else [],
    interface={"eth0": 2}.get,
    interface_name={2: "eth0"}.get,
    user_name=lambda uid: {0: "root", 33: "www-data"}.get(uid, str(uid)),
    port_range=lambda: (32768, 60999),
)
NGINX = Owner(10, b"nginx", 5, "root", None, "nginx.service")
WORKER = Owner(11, b"nginx", 5, "www-data", None, "nginx.service")
REDIS = Owner(20, b"redis server", 7, "redis", "web", None)


def tcp(**more: Any) -> Socket:
    values: dict[str, Any] = {
        "netid": "tcp",
        "family": "AF_INET",
        "type": "SOCK_STREAM",
        "protocol": "TCP",
        "state": "ESTABLISHED",
        "local": Endpoint("10.0.0.1", 22),
        "peer": Endpoint("10.9.0.2", 40000),
        "recv_q": 0,
        "send_q": 0,
        "uid": 33,
        "inode": 5,
        "cookie": 0x2A,
        "mark": 0,
        "cgroup_id": 7,
        "shutdown": 0,
    }
    return Socket(**{**values, **more})


def udp(**more: Any) -> Socket:
    return tcp(netid="udp", type="SOCK_DGRAM", protocol="UDP", state="CLOSE", peer=Endpoint("0.0.0.0", 0), **more)


def six(local: str, **more: Any) -> Socket:
    return tcp(family="AF_INET6", local=Endpoint(local, 22), peer=Endpoint("fd00::9", 40000), **more)


def unix(name: bytes | None = None, **more: Any) -> Socket:
    return Socket(
        **{
            "netid": "unix",
            "family": "AF_UNIX",
            "type": "SOCK_STREAM",
            "state": "LISTEN",
            "recv_q": 0,
            "send_q": 5,
            "local": Endpoint(name) if name else NOWHERE,
            "unix": UnixAttrs(),
            "inode": 9,
            **more,
        }
    )


STUB = tcp(state="TIME_WAIT", uid=None, inode=0, cgroup_id=None, shutdown=None, processes=())
NETLINK = Socket("netlink", "AF_NETLINK", "SOCK_RAW", "ROUTE", "CLOSE", Endpoint("ROUTE", 777), netlink=NetlinkAttrs())
PACKET = Socket(
    "packet", "AF_PACKET", "SOCK_RAW", "0x0800", "CLOSE", Endpoint(None, None, "eth0"), packet=PacketAttrs(2)
)
VSOCK = Socket("vsock", "AF_VSOCK", "SOCK_STREAM", None, "LISTEN", Endpoint("3", 22), Endpoint(None, None))


def where(text: str) -> Where:
    return compile_where(text, CONTEXT)


@pytest.mark.parametrize(
    ("text", "socket", "answer"),
    [
        # numbers and units
        ("recv_q > 0", tcp(recv_q=1), True),
        ("recv_q > 0", tcp(), False),
        ("recv_q>0", tcp(recv_q=None), None),
        ("recv-q >= 64K", tcp(recv_q=65536), True),
        ("recv_q < 64K", tcp(recv_q=65536), False),
        ("recv_q gt 64kB", tcp(recv_q=64001), True),
        ("Recv-Q = 0", tcp(), True),
        ("recv_q == 0x10", tcp(recv_q=16), True),
        # text
        ("netid = TCP", tcp(), True),
        ("netid != udp", tcp(), True),
        ("family = inet", tcp(), True),
        ("family = AF_INET6", tcp(), False),
        ("type = stream", tcp(), True),
        ("protocol = tcp", tcp(), True),
        ("protocol = IPPROTO_TCP", tcp(), True),
        ("protocol ~ T*", tcp(), True),
        ("protocol ~ t*", tcp(), False),
        ("source = netlink", tcp(), True),
        ("netns = blue", tcp(netns="blue"), True),
        ("netns", tcp(), False),
        # states
        ("state established", tcp(), True),
        ("state = ESTAB", tcp(), True),
        ("state != established", tcp(), False),
        ("state = close_wait", tcp(state="CLOSE_WAIT"), True),
        ("state connected", tcp(state="LISTEN"), False),
        ("state listening state established", tcp(), True),
        ("state connected exclude established", tcp(), False),
        ("exclude established", tcp(), False),
        ("exclude listening", tcp(), True),
        ("state ~ fin*", tcp(state="FIN_WAIT2"), True),
        ("state ~ *wait*", tcp(), False),
        ("state listening and uid", tcp(state="LISTEN"), True),
        ("state", tcp(), True),
        ("state = unknown", tcp(state=None), True),
        ("state established", tcp(state=None), None),
        ("state established", tcp(state="UNKNOWN(31)"), False),
        ("state bucket", tcp(state="SYN_RECV"), True),
        ("state = bound-inactive", tcp(state="CLOSE"), True),
        ("state = bound-inactive", udp(), False),
        ("state = unconn", udp(), True),
        ("state = syn-recv", tcp(state="NEW_SYN_RECV"), True),
        # ports
        ("sport = 22", tcp(), True),
        ("sport 22", tcp(), True),
        ("sport :22", tcp(), True),
        ("sport = ssh", tcp(), True),
        ("sport != 22", tcp(), False),
        ("dport > 1024", tcp(), True),
        ("dport >= 40001", tcp(), False),
        ("dport lt 40001", tcp(), True),
        ("local.port = 22", tcp(), True),
        ("peer.port <= 40000", tcp(), True),
        ("sport = two", tcp(local=Endpoint("1.2.3.4", 9)), True),
        ("sport = *", tcp(), True),
        ("sport != *", tcp(), False),
        ("sport 22", unix(), False),
        ("not sport 22", unix(), True),
        ("sport = 777", NETLINK, True),
        ("sport = 22", VSOCK, True),
        ("dport = unknown", VSOCK, True),
        ("sport > 70000", tcp(), False),
        # addresses
        ("src 10.0.0.1", tcp(), True),
        ("src = 10/8", tcp(), True),
        ("src 10/8:22", tcp(), True),
        ("src 10/8:23", tcp(), False),
        ("dst 10.9/16", tcp(), True),
        ("dst != 10.9/16", tcp(), False),
        ("src 10.0.0.1", six("::ffff:10.0.0.1"), True),
        ("src 0.0.0.0/0", six("fd00::1"), False),
        ("src [::ffff:10.0.0.1]", tcp(), False),
        ("src fd00::/16", six("fd00::1"), True),
        ("src ::1", six("::1"), True),
        ("src [::1]/128:22", six("::1"), True),
        ("src [::1]:22", six("::1"), True),
        ("src ::ffff:10.0.0.0/104", six("::ffff:10.0.0.1"), True),
        ("src [::/0]", tcp(), False),
        ("src *", unix(), True),
        ("src :22", tcp(), True),
        ("src somehost", tcp(), True),
        ("src somehost:23", tcp(), False),
        ("src 10.0.0.1", unix(b"x"), False),
        ("src 10.0.0.1", NETLINK, False),
        ("local = 10.0.0.1:22", tcp(), True),
        ("local.address = 10.0.0.1", tcp(), True),
        ("local.address = 10.0.0.0/30", tcp(), True),
        ("local.address = 10.0.0.2", tcp(), False),
        ("peer.address ~ 10.9.*", tcp(), True),
        ("src ~ 10.*", tcp(), True),
        ("src !~ 10.*", tcp(), False),
        ("local.address = fe80::1", six("fe80::1"), True),
        ("src inet:10/8", tcp(), True),
        ("src inet:10/8", six("::ffff:10.0.0.1"), False),
        ("src inet6:*:22", tcp(), False),
        ("src inet6:*:22", six("::1"), True),
        ("src 10/8", tcp(local=Endpoint(None, 22)), None),
        # names of unix sockets
        ("src /tmp/*", unix(b"/tmp/x"), True),
        ("src unix:/TMP/x", unix(b"/tmp/x"), True),
        ("src @abs?x", unix(b"\0abs\0x"), True),
        ("src unix:*", unix(), True),
        ("src unix:?*", unix(), False),
        ("src /tmp/*", tcp(), False),
        ("local.address = @abs", unix(b"\0abs"), True),
        ("local.address = /tmp/x", unix(b"/tmp/x"), True),
        ("local.address = /tmp/x", unix(), False),
        ("local.address ~ '/tmp/a b*'", unix(b"/tmp/a bc"), True),
        ("dst unix:*", unix(), True),
        ("dst unix:x", unix(state="ESTABLISHED", unix=UnixAttrs(7)), None),
        ("local.address", unix(), False),
        ("local.address ~ /t\\*p", unix(b"/t*p"), True),
        ("local.address = /t\\*p", unix(b"/t*p"), True),
        # other families
        ("src link:ip", PACKET, True),
        ("src link:ip:eth0", PACKET, True),
        ("src link:arp", PACKET, False),
        ("src link:ip", tcp(), False),
        ("src netlink:rtnl:777", NETLINK, True),
        ("src netlink:ROUTE", NETLINK, True),
        ("src netlink:genl", NETLINK, False),
        ("src vsock:3:22", VSOCK, True),
        ("src vsock:4", VSOCK, False),
        ("src vsock:*:22", VSOCK, True),
        ("dst vsock:1", VSOCK, False),
        # devices, marks, cgroups, ephemeral ports
        ("dev eth0", tcp(local=Endpoint("10.0.0.1", 22, "eth0")), True),
        ("dev = 2", PACKET, True),
        ("dev if2", PACKET, True),
        ("dev eth0", tcp(), False),
        ("dev != eth0", tcp(), True),
        ("dev eth0", tcp(source="proc"), None),
        ("dev 0", tcp(), True),
        ("dev 0", PACKET, False),
        ("dev 0", tcp(source="proc"), None),
        ("dev", PACKET, True),
        ("dev ~ eth*", PACKET, True),
        ("dev wlan7", tcp(local=Endpoint("10.0.0.1", 22, "wlan7")), True),
        ("local.interface = eth0", PACKET, True),
        ("fwmark 5/7", tcp(mark=0xD), True),
        ("mark = 0xd", tcp(mark=0xD), True),
        ("mark != 5", tcp(), True),
        ("mark > 4", tcp(mark=5), True),
        ("fwmark 5", tcp(mark=None), None),
        ("fwmark 5", unix(), False),
        ("mark = unknown", tcp(mark=None), True),
        ("cgroup /system.slice", tcp(cgroup="/system.slice"), True),
        ("cgroup = /sys/fs/cgroup/system.slice/", tcp(cgroup="/system.slice"), True),
        ("cgroup ~ /system.slice/*", tcp(cgroup="/system.slice/x"), True),
        ("cgroup /x", tcp(), None),
        ("cgroup /x", STUB, False),
        ("cgroup_id = 7", tcp(), True),
        ("autobound", tcp(), False),
        ("autobound", tcp(local=Endpoint("10.0.0.1", 40000)), True),
        ("autobound", unix(b"\x0001a2f"), True),
        ("autobound", unix(b"/x"), False),
        # people
        ("user = www-data", tcp(), True),
        ("user = 33", tcp(), True),
        ("uid = 33", tcp(), True),
        ("user != root", tcp(), True),
        ("user ~ www-*", tcp(), True),
        ("user = root", tcp(uid=None), None),
        ("user = root", STUB, False),
        ("user = 5", tcp(uid=5), True),
        # processes
        ("process = nginx", tcp(processes=(NGINX, WORKER)), True),
        ("process = nginx", tcp(processes=()), False),
        ("process = nginx", tcp(), None),
        ("comm ~ redis*", tcp(processes=(NGINX, REDIS)), True),
        ("process = 'redis server'", tcp(processes=(REDIS,)), True),
        ("process = redis\\ server", tcp(processes=(REDIS,)), True),
        ("not process = nginx", tcp(processes=(NGINX, REDIS)), False),
        ("process != nginx", tcp(processes=(REDIS,)), True),
        ("pid = 20", tcp(processes=(NGINX, REDIS)), True),
        ("pid > 15", tcp(processes=(NGINX,)), False),
        ("fd = 7", tcp(processes=(REDIS,)), True),
        ("container = web", tcp(processes=(REDIS,)), True),
        ("container = web", tcp(processes=(NGINX,)), False),
        ("not container = web", tcp(processes=(NGINX,)), True),
        ("unit = nginx.service", tcp(processes=(NGINX, REDIS)), True),
        ("container", tcp(processes=(NGINX,)), False),
        ("container", tcp(processes=(NGINX, REDIS)), True),
        ("processes", tcp(processes=()), False),
        ("processes", tcp(processes=(NGINX,)), True),
        ("processes", tcp(), False),
        ("processes = unknown", tcp(), True),
        ("processes.user = redis", tcp(processes=(REDIS,)), True),
        ("process = ''", tcp(processes=(Owner(1, None, 3),)), None),
        ("process = nginx", tcp(processes=(Owner(1, None, 3), NGINX)), True),
        ("process = unknown", tcp(processes=(Owner(1, None, 3),)), True),
        # memory
        ("skmem.drops > 0", tcp(skmem=SkMem(drops=3)), True),
        ("drops > 0", tcp(skmem=SkMem(drops=0)), False),
        ("skmem.drops > 0", tcp(skmem=SkMem()), None),
        ("skmem.drops = unknown", tcp(skmem=SkMem()), True),
        ("skmem.drops != unknown", tcp(skmem=SkMem(drops=0)), True),
        ("skmem.drops", tcp(skmem=SkMem(drops=0)), False),
        ("skmem.drops", tcp(), False),
        ("not skmem.drops", tcp(), True),
        ("skmem.drops > 0", STUB, False),
        ("skmem.drops = unknown", STUB, False),
        ("fill > 80%", tcp(skmem=SkMem(81, 100)), True),
        ("fill > 80%", tcp(skmem=SkMem(80, 100)), False),
        ("fill >= 0.8", tcp(skmem=SkMem(80, 100)), True),
        ("fill > 80%", tcp(skmem=SkMem(80, None)), None),
        ("fill > 1", STUB, False),
        ("skmem", tcp(skmem=SkMem()), True),
        # TCP
        ("tcp_info.rtt > 100ms", tcp(tcp_info=TcpInfo(rtt_us=100_001)), True),
        ("tcp_info.rtt_us > 0.1s", tcp(tcp_info=TcpInfo(rtt_us=100_000)), False),
        ("rtt < 1ms", tcp(tcp_info=TcpInfo(rtt_us=999)), True),
        ("tcp_info.rtt > 100ms", tcp(), None),
        ("tcp_info.rtt > 100ms", udp(), False),
        ("not tcp_info.rtt > 100ms", udp(), True),
        ("tcp_info.rtt > 1", tcp(state="LISTEN", tcp_info=TcpInfo()), False),
        ("tcp_info.pacing_rate > 100Mbit", tcp(tcp_info=TcpInfo(pacing_rate_bytes_per_s=12_500_001)), True),
        ("tcp_info.ca_state = loss", tcp(tcp_info=TcpInfo(ca_state=4)), True),
        ("tcp_info.ca_state = 4", tcp(tcp_info=TcpInfo(ca_state=4)), True),
        ("tcp_info.options = sack", tcp(tcp_info=TcpInfo(options=3)), True),
        ("tcp_info.options = ecn", tcp(tcp_info=TcpInfo(options=3)), False),
        ("timer.name = persist", tcp(timer=Timer("persist", 5, 1)), True),
        ("timer.name = persist", tcp(), False),
        ("timer.name = persist", unix(), False),
        ("not timer.name = persist", tcp(), True),
        ("timer.expires < 1s", tcp(timer=Timer("persist", 999, 1)), True),
        ("timer", tcp(), False),
        ("timer.retransmits >= 1", tcp(timer=Timer("retransmit", 5, 1)), True),
        ("timer", tcp(timer=Timer("persist")), True),
        ("inet.v6only = yes", tcp(inet=InetAttrs(v6only=True)), True),
        ("inet.v6only = no", tcp(inet=InetAttrs(v6only=True)), False),
        ("inet.congestion = cubic", tcp(inet=InetAttrs(congestion="cubic")), True),
        ("inet.bbr", tcp(inet=InetAttrs()), False),
        # flags, hexadecimal, tuples
        ("shutdown = RCV_SHUTDOWN", tcp(shutdown=3), True),
        ("shutdown = send-shutdown", tcp(shutdown=1), False),
        ("shutdown = 3", tcp(shutdown=3), True),
        ("shutdown", tcp(), False),
        ("cookie = 2a", tcp(), True),
        ("cookie = 0x2a", tcp(), True),
        ("cookie = 42", tcp(), False),
        ("unix.icons = 5", unix(unix=UnixAttrs(icons=(4, 5))), True),
        ("unix.icons > 5", unix(unix=UnixAttrs(icons=(4, 5))), False),
        ("unix.peer_inode = 5", unix(), False),
        ("unix.refs > 1", unix(), None),
        ("unix.refs > 1", tcp(), False),
        ("packet.ifindex = 2", PACKET, True),
        ("packet.rx_ring", PACKET, False),
    ],
)
def test_answers(text: str, socket: Socket, answer: bool | None) -> None:
    """True, False, or None where a value that counts is unknown; the negation is the opposite, or unknown too."""
    compiled = where(text)
    assert compiled.match(socket) is answer
    assert where(f"not ({text})").match(socket) is (None if answer is None else not answer)
    # A batch of records gives the same, and what passes or is unknown is asked for.
    passed, unknown = compiled.sift(Batch.of([socket, socket]))
    assert (0 if passed is None else passed.size, unknown) == (2 * (answer is True), 2 * (answer is None))
    if answer is not False:
        assert socket.netid in compiled.tables
        assert not compiled.families or socket.family in compiled.families


TRUE, FALSE, UNKNOWN = "inode = 5", "inode = 6", "mark = 1"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (f"{TRUE} and {UNKNOWN}", None),
        (f"{FALSE} and {UNKNOWN}", False),
        (f"{UNKNOWN} and {FALSE}", False),
        (f"{TRUE} or {UNKNOWN}", True),
        (f"{UNKNOWN} or {TRUE}", True),
        (f"{FALSE} or {UNKNOWN}", None),
        (f"not {UNKNOWN}", None),
        (f"not ({FALSE} and {UNKNOWN})", True),
        (f"not ({TRUE} or {UNKNOWN})", False),
        (f"{UNKNOWN} {UNKNOWN}", None),
        (f"({UNKNOWN} or {UNKNOWN}) or {TRUE}", True),
        ("", True),
        (f"{TRUE} {TRUE} {TRUE}", True),
        (f"!{FALSE} && ({TRUE} || {FALSE})", True),
        (f"NOT {FALSE} AND {TRUE}", True),
    ],
)
def test_three_valued_logic(text: str, answer: bool | None) -> None:
    """``and`` and ``or`` answer where one side decides, whatever the other is."""
    assert where(text).match(tcp(mark=None)) is answer


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("recv_q > 0", set()),
        ("fill > 1", {"skmem"}),
        ("process = x", {"owners"}),
        ("rtt > 1 and container", {"tcp_info", "owners"}),
        ("inet.tos = 1", {"inet"}),
        ("cgroup /x", {"cgroup"}),
        ("cgroup_id = 5", set()),
        ("user = root", set()),
        ("src 10/8 or dev eth0", set()),
        ("skmem.drops = unknown", {"skmem"}),
        ("not unix.vfs_ino", {"details"}),
        ("inet.ulp.name = tls", {"inet", "tcp_info"}),
    ],
)
def test_needs(text: str, needs: set[str]) -> None:
    """What must be looked up to judge."""
    assert where(text).needs == needs


ALL = 0x3FFF
IP = ("tcp", "mptcp", "udp", "udplite", "raw", "icmp", "sctp", "dccp")


@pytest.mark.parametrize(
    ("text", "states", "tables", "families"),
    [
        ("", ALL, TABLES, ()),
        ("recv_q > 0", ALL, TABLES, ()),
        ("state listening", 1 << 10 | 1, TABLES, ()),
        ("state = listening and sport = 22", 1 << 10 | 1, (*IP, "netlink", "vsock"), ()),
        ("state = listening or sport = 22", ALL, TABLES, ()),
        ("not state listening", ALL & ~(1 << 10), TABLES, ()),
        ("state close", 1 << 7 | 1 << 13 | 1, TABLES, ()),
        ("not state close", ALL & ~(1 << 7 | 1 << 13), TABLES, ()),
        ("state bound-inactive", 1 << 13 | 1, TABLES, ()),
        ("state syn-recv", 1 << 3 | 1 << 12 | 1, TABLES, ()),
        ("state listening or state established", 1 << 10 | 1 << 1 | 1, TABLES, ()),
        ("netid = udp", ALL, ("udp",), ()),
        ("netid = udp or netid = tcp", ALL, ("tcp", "udp"), ()),
        ("netid != udp", ALL, tuple(t for t in TABLES if t != "udp"), ()),
        ("netid = udp and netid = tcp", ALL, (), ()),
        ("family = unix", ALL, ("unix",), ()),
        ("family = inet6", ALL, IP, ("AF_INET6",)),
        ("not family = inet6", ALL, TABLES, ("AF_INET",)),
        ("family = inet or netid = unix", ALL, (*IP, "unix"), ()),
        ("src fd00::/8", ALL, IP, ("AF_INET6",)),
        ("src 10/8", ALL, IP, ()),
        ("not src fd00::/8", ALL, TABLES, ()),
        ("src inet:10/8", ALL, IP, ("AF_INET",)),
        ("rtt > 1ms", ALL, ("tcp",), ()),
        ("not rtt > 1ms", ALL, TABLES, ()),
        ("timer and (dport 5 or unix.refs)", ALL, ("tcp", "mptcp", "sctp", "dccp"), ()),
        ("src /run/*", ALL, ("unix",), ()),
    ],
)
def test_reach(text: str, states: int, tables: tuple[str, ...], families: tuple[str, ...]) -> None:
    """Which states, tables and families are asked for."""
    compiled = where(text)
    assert (compiled.states, compiled.tables, compiled.families) == (states, tables, families)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("recv_q > 0", None),
        ("sport = 22", "sport = 22"),
        ("sport = 22 and recv_q > 0", "sport = 22"),
        ("sport = 22 or recv_q > 0", None),
        ("not (sport = 22 or recv_q > 0)", "not sport = 22"),
        ("not (sport = 22 and recv_q > 0)", None),
        ("(sport 22 or dport 5) and (recv_q or dst 10/8) and not fill", "sport 22 or dport 5"),
        ("state listening", None),
        ("sport > 22", "sport >= 23"),
        ("sport < 22", "sport <= 21"),
        ("sport > 65535", None),
        ("not sport < 0", None),
        ("sport = *", None),
        ("autobound", None),
        ("cgroup /x", None),
        ("mark > 5", None),
        ("dev wlan7", None),
        ("netid = tcp and src 10/8", "src 10/8"),
        ("src 10/8 src 11/8", "src 10/8 src 11/8"),
    ],
)
def test_bytecode(text: str, same: str | None) -> None:
    """What is sent is the part that the kernel knows, if every socket that may pass passes it."""
    compiled = where(text).bytecode()
    assert compiled == (None if same is None else where(same).bytecode())
    assert same is None or compiled is not None


def test_bytecode_without_privileges() -> None:
    """Who may not look at marks, sends nothing of them."""
    assert where("fwmark 1").bytecode(net_admin=False) is None
    assert where("fwmark 1 and sport 22").bytecode(net_admin=False) == where("sport 22").bytecode()


def test_cgroup_by_id() -> None:
    """Where a path can be looked up, no socket's path is."""
    context = FilterContext(cgroup_id=lambda path: {"/system.slice": 7}[path])
    compiled = compile_where("cgroup = /system.slice", context)
    assert compiled.match(tcp()) is True
    assert compiled.match(tcp(cgroup_id=8)) is False
    assert (compiled.needs, len(compiled.bytecode() or b"")) == (frozenset(), 12)


def columnar() -> Batch:
    """Three rows in columns, as inet_columns makes them."""
    sockets = [
        tcp(recv_q=5, local=Endpoint("10.0.0.1", 22), skmem=SkMem(90, 100, drops=1), timer=Timer("persist", 5, 1)),
        tcp(recv_q=0, local=Endpoint("10.0.0.2", 23), skmem=SkMem(10, 100, drops=0), state="CLOSE_WAIT"),
        tcp(recv_q=7, local=Endpoint("10.1.0.1", 22), skmem=SkMem(10, 100, drops=0), uid=None, processes=(NGINX,)),
    ]
    constants = {
        "netid": "tcp",
        "family": "AF_INET",
        "source": "netlink",
        "type": "SOCK_STREAM",
        "protocol": "TCP",
        "peer.port": 40000,
        "local.interface": None,
    }
    columns = {
        "state": Column("", [[s.state for s in sockets]]),
        "recv_q": Column("", [[s.recv_q for s in sockets]]),
        "local.address": Column("", [[s.local.address for s in sockets]]),
        "local.port": Column("", [[s.local.port for s in sockets]]),
        "skmem.rmem_alloc": Column("", [[90, 10, 10]]),
        "skmem.rcvbuf": Column("", [[100, 100, 100]]),
        "skmem.drops": Column("", [[1, 0, 0]]),
        "timer": Column("", [[s.timer for s in sockets]]),
        "uid": Column("", [[33, 33, None]]),
        "processes": Column("", [[None, None, (NGINX,)]]),
    }
    return Batch(3, lambda: sockets, constants, columns)


@pytest.mark.parametrize(
    "text",
    [
        "recv_q > 0",
        "recv_q > 5 and sport = 22",
        "recv_q > 9",
        "recv_q >= 0",
        "src 10.0.0.0/24",
        "not src 10.0/16",
        "state close-wait",
        "fill > 50%",
        "drops",
        "skmem",
        "timer",
        "timer.name = persist",
        "not timer.retransmits > 0",
        "user = www-data",
        "uid = 33",
        "dev eth0",
        "dev 0",
        "process = nginx",
        "pid > 5 or sport = 23",
        "skmem.backlog = 0",
        "skmem.backlog = unknown",
        "netid = tcp",
        "mark = 1",
        "autobound",
        "dport = 40000 and not (recv_q or drops)",
        "tcp_info.rtt > 5",
        "state bound-inactive",
        "local.address ~ *.1",
        "processes",
        "cookie",
        "src *",
        "container",
        "",
    ],
)
def test_columns_and_records_alike(text: str) -> None:
    """A batch with columns gives what its records give; columns that it lacks are unknown."""
    compiled = where(text)
    passed, unknown = compiled.sift(columnar())
    assert columnar().columns is not None
    sockets = list(columnar().sockets())
    lacking = ("mark", "cookie", "tcp_info")
    if not any(word in text for word in lacking):
        answers = [compiled.match(s) for s in sockets]
        assert list(passed.sockets() if passed else ()) == [s for s, a in zip(sockets, answers, strict=True) if a]
        assert unknown == answers.count(None)
    elif text != "cookie":
        assert (passed, unknown) == (None, 3)


def test_sift_keeps_columns_where_all_pass() -> None:
    """A batch of which all pass is handed on as it is."""
    batch = columnar()
    assert where("netid = tcp").sift(batch) == (batch, 0)
    assert where("").sift(batch) == (batch, 0)
