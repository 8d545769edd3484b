"""Every rule on evidence made by hand: healthy, bad and missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.judging.registry import RULES, load
from sockdiag.model.address import Endpoint
from sockdiag.model.cgroup_memory import CgroupMemory
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.model.counters import Counters
from sockdiag.model.fdinfo import Descriptors
from sockdiag.model.finding import SEVERITIES, UNKNOWN, VERDICTS
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.protocols import Protocol
from sockdiag.model.qdisc import TC_H_ROOT, Qdisc
from sockdiag.model.socket import Timer
from sockdiag.model.softnet import SoftnetCpu
from tests.unit.rules import counted as counted_evidence
from tests.unit.rules.samples import NETNS, RCVBUF, SOCKSTAT, course, found, listener, sample, sock, unknown

if TYPE_CHECKING:
    from sockdiag.model.sample import Sample

FULL = RCVBUF - 500


def two(before: dict[str, Any], now: dict[str, Any]) -> tuple[Sample, Sample]:
    """Make two samples, two seconds apart: the later one first, as the rules take them."""
    return sample(**{"at": 2.0, **now}), sample(**before)


def counted(**moved: int) -> tuple[Sample, Sample]:
    """Make two samples between which counters grew; ``__`` stands for the dot."""
    return two({}, {"counters": {name.replace("__", "."): n for name, n in moved.items()}})


def tcp(n: int, state: str, **more: Any) -> list[Any]:
    return [sock("tcp", cookie, state, peer=Endpoint("10.0.0.9", 5000 + cookie), **more) for cookie in range(1, n + 1)]


def softnet(level: int) -> list[SoftnetCpu]:
    return [SoftnetCpu(0, False, 0, 0, 0, 0, backlog=level, input_queue=level)]


def conntrack(count: int, drop: int = 0) -> Conntrack:
    return Conntrack(count=count, max=100, cpus=(ConntrackCpu(0, drop=drop),))


def qdisc(drops: int) -> list[Qdisc]:
    return [Qdisc("eth0", "pfifo", 100, drops, 0, 0x10000, TC_H_ROOT)]


def cgroup(usage: int, throttled: int | None = None, path: str = "/a", **more: Any) -> CgroupMemory:
    return CgroupMemory(
        path,
        f"/sys/fs/cgroup{path}/memory.max",
        1000,
        usage,
        **{"sock_bytes": usage, "members": ((NETNS, 7),), **more},
        throttled=throttled,
    )


def timer(name: str, retransmits: int) -> Timer:
    return Timer(name, 100, retransmits)


def blocked(probes: int, unsent: int = 9, *, here: bool = False) -> list[Any]:
    """Make a connection that waits for its peer's window; with *here* also its other end, whose process does not read."""
    ends = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)
    sender = sock("tcp", 1, "ESTABLISHED", local=ends[0], peer=ends[1], send_q=unsent, timer=timer("persist", probes))
    reader = sock("tcp", 2, "ESTABLISHED", local=ends[1], peer=ends[0], recv_q=9, rmem_alloc=FULL)
    return [sender, reader] if here else [sender]


def ports(n: int) -> list[Any]:
    here = [Endpoint("10.0.0.1", 40000 + i) for i in range(n)]
    return [sock("tcp", i + 1, "ESTABLISHED", local=end, peer=Endpoint("10.0.0.9", 80)) for i, end in enumerate(here)]


def requests(n: int) -> list[Any]:
    here, there = Endpoint("127.0.0.1", 53), Endpoint("10.0.0.9", 1)
    return [sock("tcp", 50 + i, "SYN_RECV", local=here, peer=there, inode=0) for i in range(n)]


def unix(sent: int, waiting: int, **more: Any) -> list[Any]:
    name, attrs = Endpoint(b"\0x"), UnixAttrs(peer_inode=101)
    return [
        sock("unix", 1, local=name, recv_q=waiting, **more),
        sock("unix", 2, local=Endpoint(), send_q=sent, unix=attrs, **more),
    ]


def unix_listener(waiting: int, limit: int) -> Any:
    return sock("unix", state="LISTEN", recv_q=waiting, send_q=limit, recv_q_unit="connections", local=Endpoint(b"\0x"))


# code, verdict, looks: later one, and the earlier where there are two.
def mem(name: str, before: int, now: int) -> tuple[Sample, ...]:
    return two(
        {"sockstat": SOCKSTAT._replace(**{name: before})},
        {"sockstat": SOCKSTAT._replace(**{name: now})},
    )


BAD: list[tuple[str, str, tuple[Sample, ...]]] = [
    ("FILE_TABLE_FULL", "at_risk", (sample(limits={"fs.file-nr": (860, 0, 1000)}),)),
    ("FILE_TABLE_FULL", "at_risk", (sample(limits={"fs.file-nr": (1000, 0, 1000)}),)),
    ("UDP_RECEIVE_BUFFER_FULL", "at_risk", (sample([sock(rmem_alloc=FULL, recv_q=FULL)]),)),
    ("UDP_RECEIVE_BUFFER_FULL", "unknown", (sample([sock(drops=5)], counters={"Udp.RcvbufErrors": 5}),)),
    (
        "UDP_RECEIVE_BUFFER_FULL",
        "dropping",
        two(
            {"sockets": [sock(rmem_alloc=FULL, drops=3)]},
            {"sockets": [sock(rmem_alloc=FULL, drops=9)], "counters": {"Udp.RcvbufErrors": 6}},
        ),
    ),
    (
        "UDP_RECEIVE_BUFFER_FULL",
        "dropping",
        two({}, {"sockets": [sock(drops=9)], "counters": {"Udp6.RcvbufErrors": 9}}),
    ),
    (
        "UDP_RECEIVE_BUFFER_FULL",
        "at_risk",
        course(*([sock(rmem_alloc=n, recv_q=n)] for n in range(100_000, 112_000, 2_000))),
    ),
    (
        "UDP_DROPS",
        "dropping",
        two({"sockets": [sock()]}, {"sockets": [sock(drops=4)], "counters": {"Udp.InErrors": 4}}),
    ),
    ("UDP_DROPS", "dropping", two({"sockets": [sock()]}, {"sockets": [sock(drops=4)]})),
    (
        "UDP_DROPS",
        "dropping",
        two(
            {"sockets": [sock(), sock(cookie=2, rmem_alloc=FULL)]},
            {
                "sockets": [sock(drops=4), sock(cookie=2, rmem_alloc=FULL, drops=86)],
                "counters": {"Udp.InErrors": 90, "Udp.RcvbufErrors": 86},
            },
        ),
    ),
    (
        "UDP_RECEIVE_BUFFER_FULL",
        "dropping",
        two(
            {"sockets": [sock()]},
            {"sockets": [sock(drops=86)], "counters": {"Udp.InErrors": 90, "Udp.RcvbufErrors": 86}},
        ),
    ),
    ("UDP_DROPS", "dropping", counted(Udp__RcvbufErrors=50)),
    ("UDP_MEMORY_LIMIT", "at_risk", (sample(sockstat=SOCKSTAT._replace(udp_mem_pages=9500)),)),
    ("UDP_MEMORY_LIMIT", "at_risk", mem("udp_mem_pages", 5_000, 6_000)),
    ("RAW_RECEIVE_BUFFER_FULL", "dropping", two({"sockets": [sock("raw")]}, {"sockets": [sock("raw", drops=2)]})),
    ("PACKET_RECEIVE_BUFFER_FULL", "at_risk", (sample([sock("packet", rmem_alloc=FULL)]),)),
    (
        "NETLINK_RECEIVE_BUFFER_FULL",
        "at_risk",
        course(*[[sock("netlink", rmem_alloc=800, recv_q=800, drops=3)]] * 6),
    ),
    ("NETLINK_RECEIVE_BUFFER_FULL", "stalled", course(*[[sock("netlink", rmem_alloc=60000, recv_q=60000)]] * 6)),
    ("ACCEPT_QUEUE_FULL", "at_risk", (sample([listener(6, 5)]),)),
    ("ACCEPT_QUEUE_FULL", "at_risk", course(*([listener(n, 64)] for n in range(48, 54)))),
    ("ACCEPT_QUEUE_FULL", "stalled", course(*[[listener(10, 19)]] * 6)),
    (
        "ACCEPT_QUEUE_OVERFLOW",
        "dropping",
        two(
            {"sockets": [listener(6, 5, 1)]},
            {"sockets": [listener(6, 5, 4)], "counters": {"TcpExt.ListenOverflows": 3}},
        ),
    ),
    ("ACCEPT_QUEUE_OVERFLOW", "unknown", (sample([listener(0, 5, 4)], counters={"TcpExt.ListenOverflows": 4}),)),
    ("ACCEPT_QUEUE_OVERFLOW", "dropping", counted(TcpExt__ListenOverflows=3)),
    ("SYN_QUEUE_FULL", "at_risk", (sample([listener(0, 9), *requests(10)]),)),
    ("SYN_QUEUE_FULL", "dropping", counted(TcpExt__TCPReqQFullDrop=3)),
    ("LISTEN_DROP", "dropping", two({"sockets": [listener(0, 5)]}, {"sockets": [listener(0, 5, 2)]})),
    (
        "LISTEN_DROP",
        "dropping",
        two(
            {"sockets": [listener(0, 5), listener(6, 5, cookie=2)]},
            {
                "sockets": [listener(0, 5, 20), listener(6, 5, 9, cookie=2)],
                "counters": {"TcpExt.ListenOverflows": 9, "TcpExt.ListenDrops": 29},
            },
        ),
    ),
    (
        "ACCEPT_QUEUE_OVERFLOW",
        "dropping",
        two(
            {"sockets": [listener(0, 5), listener(6, 5, cookie=2)]},
            {
                "sockets": [listener(0, 5, 20), listener(6, 5, 9, cookie=2)],
                "counters": {"TcpExt.ListenOverflows": 9, "TcpExt.ListenDrops": 29},
            },
        ),
    ),
    (
        "ACCEPT_QUEUE_OVERFLOW",
        "dropping",
        two(
            {"sockets": [listener(0, 5)]},
            {"sockets": [listener(0, 5, 9)], "counters": {"TcpExt.ListenOverflows": 9, "TcpExt.ListenDrops": 10}},
        ),
    ),
    (
        "FD_LIMIT",
        "at_risk",
        (sample([listener(0, 5)], descriptors={7: Descriptors(7, b"server", 98, 100, frozenset({101}))}),),
    ),
    ("TCP_BACKLOG_DROP", "dropping", counted(TcpExt__TCPBacklogDrop=1)),
    (
        "TCP_BACKLOG_DROP",
        "stalled",
        two({"sockets": tcp(1, "ESTABLISHED", backlog=900)}, {"sockets": tcp(1, "ESTABLISHED", backlog=900)}),
    ),
    ("TCP_RECEIVE_DROP", "dropping", counted(TcpExt__TCPRcvQDrop=1)),
    ("TCP_OUT_OF_ORDER_PRUNE", "dropping", counted(TcpExt__OfoPruned=1)),
    ("TCP_OUT_OF_ORDER_PRUNE", "dropping", counted(TcpExt__TCPOFODrop=3, TcpExt__RcvPruned=3, TcpExt__PruneCalled=3)),
    ("CGROUP_MEMORY_LIMIT", "at_risk", (sample(cgroups=[cgroup(950)]),)),
    ("CGROUP_MEMORY_LIMIT", "at_risk", (sample(cgroups=[cgroup(1600)]),)),
    (
        "CGROUP_MEMORY_LIMIT",
        "at_risk",
        (sample([sock(cgroup_id=77)], cgroups=[cgroup(950, members=((1, 7),), ids=frozenset({77, 78}))]),),
    ),
    ("CGROUP_MEMORY_LIMIT", "at_risk", two({"cgroups": [cgroup(500)]}, {"cgroups": [cgroup(700)]})),
    ("CGROUP_MEMORY_LIMIT", "at_risk", two({"cgroups": [cgroup(100, 5)]}, {"cgroups": [cgroup(100, 9)]})),
    (
        "CGROUP_MEMORY_LIMIT",
        "at_risk",
        two({"cgroups": []}, {"cgroups": [cgroup(100, 4, "/a"), cgroup(100, 4, "/a/b")]}),
    ),
    ("TCP_MEMORY_PRESSURE", "at_risk", (sample(protocols=[Protocol("TCP", memory_pages=2500, pressure=True)]),)),
    ("TCP_MEMORY_PRESSURE", "at_risk", (sample(sockstat=SOCKSTAT._replace(tcp_mem_pages=2900)),)),
    ("TCP_MEMORY_PRESSURE", "at_risk", mem("tcp_mem_pages", 1_400, 1_700)),
    ("TCP_RECEIVER_STALLED", "stalled", (sample(tcp(1, "ESTABLISHED", recv_q=9, rmem_alloc=FULL)),)),
    (
        "TCP_RECEIVER_STALLED",
        "stalled",
        two(
            {"sockets": tcp(1, "ESTABLISHED", recv_q=9, rmem_alloc=150000)},
            {"sockets": tcp(1, "ESTABLISHED", recv_q=9, rmem_alloc=150000)},
        ),
    ),
    ("ZERO_WINDOW_FROM_PEER", "stalled", (sample(tcp(1, "ESTABLISHED", send_q=9, timer=timer("persist", 2))),)),
    ("ZERO_WINDOW_FROM_PEER", "stalled", two({"sockets": blocked(1)}, {"sockets": blocked(2)})),
    ("ZERO_WINDOW_FROM_PEER", "stalled", two({"sockets": blocked(1, here=True)}, {"sockets": blocked(2, here=True)})),
    ("PEER_SILENT", "stalled", (sample(tcp(3, "ESTABLISHED", send_q=9, timer=timer("retransmit", 4))),)),
    ("SYN_SENT_UNANSWERED", "stalled", (sample(tcp(1, "SYN_SENT", timer=timer("retransmit", 1))),)),
    ("LAST_ACK_STUCK", "stalled", (sample(tcp(1, "LAST_ACK", timer=timer("retransmit", 3), inode=0)),)),
    ("CLOSE_WAIT_LEAK", "leaking", (sample(tcp(10, "CLOSE_WAIT")),)),
    ("CLOSE_WAIT_LEAK", "leaking", two({"sockets": tcp(3, "CLOSE_WAIT")}, {"sockets": tcp(4, "CLOSE_WAIT")})),
    ("FIN_WAIT2_LEAK", "leaking", two({"sockets": tcp(3, "FIN_WAIT2")}, {"sockets": tcp(4, "FIN_WAIT2")})),
    ("FIN_WAIT2_LEAK", "ok", two({"sockets": tcp(3, "FIN_WAIT2")}, {"sockets": tcp(3, "FIN_WAIT2")})),
    ("ORPHANS", "at_risk", (sample(sockstat=SOCKSTAT._replace(tcp_orphan=300)),)),
    (
        "ORPHANS",
        "at_risk",
        two({"sockstat": SOCKSTAT._replace(tcp_orphan=200)}, {"sockstat": SOCKSTAT._replace(tcp_orphan=300)}),
    ),
    (
        "TIME_WAIT_OVERFLOW",
        "at_risk",
        two({"sockstat": SOCKSTAT._replace(tcp_tw=900)}, {"sockstat": SOCKSTAT._replace(tcp_tw=950)}),
    ),
    ("ORPHANS", "dropping", counted(TcpExt__TCPAbortOnMemory=1)),
    ("TIME_WAIT_OVERFLOW", "at_risk", (sample(sockstat=SOCKSTAT._replace(tcp_tw=1000)),)),
    ("EPHEMERAL_PORTS", "at_risk", (sample(ports(96)),)),
    ("RETRANSMISSION", "at_risk", counted(Tcp__RetransSegs=100, TcpExt__TCPOrigDataSent=1000)),
    # Eight clients that ask little, at a loss of a tenth.
    ("RETRANSMISSION", "at_risk", counted(Tcp__RetransSegs=14, TcpExt__TCPOrigDataSent=120)),
    ("IP_REASSEMBLY", "dropping", counted(Ip6__ReasmFails=1)),
    ("IP_REASSEMBLY", "at_risk", (sample(sockstat=SOCKSTAT._replace(frag_memory_bytes=4000000)),)),
    ("IP_DISCARD", "dropping", counted(Ip__OutDiscards=1)),
    ("DEVICE_DROP", "dropping", two({}, {"counters": {"dev.eth0.rx_drop": 100, "dev.eth0.rx_packets": 1000}})),
    ("DEVICE_DROP", "dropping", two({}, {"counters": {"dev.eth0.tx_drop": 100, "dev.eth0.tx_packets": 1000}})),
    ("SOFTNET_BACKLOG_DROP", "dropping", two({}, {"counters": {"softnet_stat.0.dropped": 9, "dev.eth0.rx_drop": 9}})),
    ("SOFTNET_BACKLOG_DROP", "ok", two({}, {"counters": {"softnet_stat.0.dropped": 9}})),
    ("SOFTNET_BACKLOG_DROP", "at_risk", (sample(softnet=softnet(900)),)),
    ("SOFTNET_SQUEEZE", "ok", two({}, {"counters": {"softnet_stat.0.time_squeeze": 90}})),
    ("CONNTRACK_FULL", "at_risk", (sample(conntrack=conntrack(96)),)),
    ("CONNTRACK_FULL", "dropping", two({"conntrack": conntrack(100)}, {"conntrack": conntrack(100, 5)})),
    (
        "CONNTRACK_FULL",
        "dropping",
        two({"conntrack": conntrack(9)._replace(max=None)}, {"conntrack": conntrack(9, 5)._replace(max=None)}),
    ),
    ("QDISC_DROP", "dropping", two({"qdiscs": qdisc(1)}, {"qdiscs": qdisc(4)})),
    (
        "UNIX_LISTENER_FULL",
        "at_risk",
        (sample([unix_listener(4, 3)]),),
    ),
    ("UNIX_LISTENER_FULL", "stalled", course(*[[unix_listener(4, 9)]] * 6)),
    ("UNIX_DGRAM_QUEUE", "stalled", course(*[unix(120_000, 100)] * 6)),
    ("UNIX_DGRAM_QUEUE", "stalled", course(*[unix(2304, 100, type="SOCK_DGRAM")] * 6)),
    ("UNIX_DGRAM_QUEUE", "at_risk", course(*[unix(8448, 100, type="SOCK_DGRAM")] * 6)),
    ("PAST_LOSSES", "unknown", (sample(counters={"TcpExt.ListenDrops": 4}),)),
    *counted_evidence.BAD,
]

# code, looks: nothing is to be said.
HEALTHY: list[tuple[str, tuple[Sample, ...]]] = [
    *((code, (sample(),)) for code in RULES),
    *((code, two({}, {})) for code in RULES),
    ("UDP_MEMORY_LIMIT", mem("udp_mem_pages", 1_000, 4_900)),
    ("TCP_MEMORY_PRESSURE", mem("tcp_mem_pages", 100, 1_400)),
    ("ZERO_WINDOW_FROM_PEER", two({"sockets": blocked(1)}, {"sockets": blocked(2, 8)})),
    ("UDP_RECEIVE_BUFFER_FULL", (sample([sock(rmem_alloc=RCVBUF // 2)]),)),
    ("UDP_RECEIVE_BUFFER_FULL", two({"sockets": [sock()]}, {"sockets": [sock(rmem_alloc=50000, recv_q=50000)]})),
    ("UDP_DROPS", two({"sockets": [sock(drops=4)]}, {"sockets": [sock(drops=4)]})),
    ("ACCEPT_QUEUE_FULL", (sample([listener(50, 100)]),)),
    ("ACCEPT_QUEUE_FULL", (sample([listener(1, 0)._replace(recv_q=0)]),)),
    ("TCP_RECEIVER_STALLED", (sample(tcp(1, "ESTABLISHED", recv_q=9, rmem_alloc=1000, drops=77)),)),
    (
        "TCP_RECEIVER_STALLED",
        two(
            {"sockets": tcp(1, "ESTABLISHED", recv_q=90000, rmem_alloc=FULL)},
            {"sockets": tcp(1, "ESTABLISHED", recv_q=9, rmem_alloc=FULL)},
        ),
    ),
    ("CLOSE_WAIT_LEAK", two({"sockets": tcp(2, "CLOSE_WAIT")}, {"sockets": tcp(2, "CLOSE_WAIT")})),
    ("CLOSE_WAIT_LEAK", two({}, {"sockets": tcp(20, "CLOSE_WAIT")})),
    ("CLOSE_WAIT_LEAK", (sample(tcp(20, "CLOSE_WAIT", send_q=5)),)),
    ("FIN_WAIT2_LEAK", (sample(tcp(20, "FIN_WAIT2", inode=0)),)),
    ("EPHEMERAL_PORTS", (sample(ports(50)),)),
    ("EPHEMERAL_PORTS", (sample([s._replace(state="TIME_WAIT", peer=Endpoint("127.0.0.1", 80)) for s in ports(96)]),)),
    ("RETRANSMISSION", counted(Tcp__RetransSegs=4, TcpExt__TCPOrigDataSent=20)),
    ("RETRANSMISSION", counted(Tcp__RetransSegs=5, TcpExt__TCPOrigDataSent=900)),
    ("RETRANSMISSION", counted(Tcp__RetransSegs=11, TcpExt__TCPOrigDataSent=56, TcpExt__TCPDSACKRecvSegs=7)),
    ("RETRANSMISSION", counted(Tcp__RetransSegs=11, TcpExt__TCPOrigDataSent=56, TcpExt__TCPDSACKRecv=7)),
    ("UNIX_DGRAM_QUEUE", two({"sockets": unix(9000, 100)}, {"sockets": unix(8000, 100)})),
    ("PEER_SILENT", (sample(tcp(3, "ESTABLISHED", send_q=9, timer=timer("retransmit", 1))),)),
    ("ORPHANS", (sample(sockstat=SOCKSTAT._replace(tcp_orphan=100)),)),
    ("CONNTRACK_FULL", (sample(conntrack=conntrack(50, 7)),)),
    ("FILE_TABLE_FULL", (sample(limits={"fs.file-nr": (840, 0, 1000)}),)),
    ("TCP_RECEIVE_DROP", counted(TcpExt__RcvPruned=3, TcpExt__TCPOFODrop=3, TcpExt__PruneCalled=3)),
    ("TCP_OUT_OF_ORDER_PRUNE", counted(TcpExt__PruneCalled=30, TcpExt__TCPRcvQDrop=1, TcpExt__RcvPruned=1)),
    ("CGROUP_MEMORY_LIMIT", (sample(cgroups=[cgroup(800)]),)),
    ("CGROUP_MEMORY_LIMIT", (sample(cgroups=[cgroup(950, sock_bytes=90)]),)),
    ("CGROUP_MEMORY_LIMIT", (sample(cgroups=[cgroup(950, members=((1, 7),))]),)),
    (
        "CGROUP_MEMORY_LIMIT",
        (sample([sock(cgroup_id=1)], cgroups=[cgroup(950, members=((1, 7),), ids=frozenset({77}))]),),
    ),
    ("CGROUP_MEMORY_LIMIT", (sample(cgroups=[cgroup(100, 5)]),)),
    ("CGROUP_MEMORY_LIMIT", two({"cgroups": [cgroup(800, 5)]}, {"cgroups": [cgroup(800, 5)]})),
    ("FD_LIMIT", (sample(absent={"/proc/PID/limits": "Permission denied"}, descriptors=None),)),
    ("CONNTRACK_FULL", (sample(conntrack=Conntrack(count=9, max=0)),)),
    *counted_evidence.HEALTHY,
]

# code, a look that lacks what the rule needs here; what it needs always is in test_unreadable.py.
MISSING: list[tuple[str, Sample]] = [
    ("UDP_RECEIVE_BUFFER_FULL", sample(absent={"udp": "Permission denied"})),
    ("UDP_RECEIVE_BUFFER_FULL", sample([sock(rmem_alloc=None, rcvbuf=None, recv_q=5000, source="proc")])),
    ("UDP_DROPS", sample(absent={"udp": "Permission denied"})),
    ("UDP_MEMORY_LIMIT", sample(limits={"net.ipv4.udp_mem": None})),
    ("UDP_MEMORY_LIMIT", sample(sockstat=None)),
    ("RAW_RECEIVE_BUFFER_FULL", sample([sock("raw", rmem_alloc=5000, rcvbuf=None, source="proc")])),
    ("PACKET_RECEIVE_BUFFER_FULL", sample(absent={"packet": "Permission denied"})),
    ("NETLINK_RECEIVE_BUFFER_FULL", sample(absent={"netlink": "Permission denied"})),
    ("ACCEPT_QUEUE_FULL", sample(absent={"tcp": "Permission denied"})),
    ("ACCEPT_QUEUE_FULL", sample([listener(5, 5)._replace(send_q=None, source="proc")])),
    ("SYN_QUEUE_FULL", sample(absent={"tcp": "Permission denied"})),
    ("FD_LIMIT", sample([listener(0, 5)], absent={"/proc/PID/limits": "Permission denied"}, descriptors=None)),
    ("FILE_TABLE_FULL", sample(limits={"fs.file-nr": None})),
    ("FD_LIMIT", sample([listener(0, 5)], absent={"/proc/PID/limits": "of 3 of 9 processes: Permission denied"})),
    ("TCP_MEMORY_PRESSURE", sample(sockstat=None)),
    ("TCP_RECEIVER_STALLED", sample(absent={"skmem:tcp": "not in /proc"})),
    ("ORPHANS", sample(sockstat=SOCKSTAT._replace(tcp_orphan=5), limits={"net.ipv4.tcp_max_orphans": None})),
    ("TIME_WAIT_OVERFLOW", sample(sockstat=None)),
    ("EPHEMERAL_PORTS", sample(limits={"net.ipv4.ip_local_port_range": None})),
    ("SOFTNET_BACKLOG_DROP", sample(softnet=softnet(9), limits={"net.core.netdev_max_backlog": None})),
    ("CONNTRACK_FULL", sample(conntrack=Conntrack(count=9))),
    ("CGROUP_MEMORY_LIMIT", sample(cgroups=[cgroup(950)], netns=None)),
    ("CGROUP_MEMORY_LIMIT", sample(cgroups=[cgroup(950, members=((1, 7),), unseen=True)])),
    (
        "IP_REASSEMBLY",
        sample(sockstat=SOCKSTAT._replace(frag_memory_bytes=9), limits={"net.ipv4.ipfrag_high_thresh": None}),
    ),
]


@pytest.mark.parametrize(("code", "verdict", "samples"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_bad_evidence(code: str, verdict: str, samples: tuple[Sample, ...]) -> None:
    """The rule finds it, with a declared verdict and severity, figures and a sentence with a number."""
    findings = found(code, *samples)
    assert [f.verdict for f in findings] == [verdict]
    finding = findings[0]
    rule = load(code).RULE
    assert finding.code == code
    # That a loss has stopped, a single sample cannot prove.
    assert verdict in rule.verdicts or (verdict, len(samples)) == (UNKNOWN, 1)
    assert SEVERITIES.index(finding.severity) >= SEVERITIES.index(rule.severity)
    assert any(c.isdigit() for c in finding.summary)
    assert finding.evidence
    assert all(e.source or e.unit for e in finding.evidence.values())
    assert finding.headroom_ratio is None or 0 <= finding.headroom_ratio <= 1


@pytest.mark.parametrize(("code", "samples"), HEALTHY, ids=lambda v: v if isinstance(v, str) else "")
def test_healthy_evidence(code: str, samples: tuple[Sample, ...]) -> None:
    """The rule says nothing, and knows that."""
    assert found(code, *samples) == []
    assert not unknown(code, *samples)


@pytest.mark.parametrize(("code", "now"), MISSING, ids=lambda v: v if isinstance(v, str) else "")
def test_missing_evidence(code: str, now: Sample) -> None:
    """The rule does not say that all is well."""
    assert unknown(code, now)


ONE: list[tuple[str, tuple[Sample, ...]]] = [
    ("PEER_SILENT", (sample(tcp(1, "ESTABLISHED", send_q=9, timer=timer("retransmit", 3))),)),
    ("LAST_ACK_STUCK", (sample(tcp(1, "LAST_ACK", timer=timer("retransmit", 2), inode=0)),)),
    ("SYN_SENT_UNANSWERED", (sample(tcp(1, "SYN_SENT", timer=timer("retransmit", 1))),)),
    ("ACCEPT_QUEUE_FULL", (sample([listener(1, 0)]),)),
    (
        "ACCEPT_QUEUE_OVERFLOW",
        two({"sockets": [listener(1, 0)]}, {"sockets": [listener(1, 0, 1)], "counters": {"TcpExt.ListenOverflows": 1}}),
    ),
    (
        "UNIX_LISTENER_FULL",
        (sample([unix_listener(1, 0)]),),
    ),
    ("TCP_RECEIVER_STALLED", (sample(tcp(1, "ESTABLISHED", recv_q=1, rmem_alloc=FULL)),)),
    ("ZERO_WINDOW_FROM_PEER", (sample(tcp(1, "ESTABLISHED", send_q=1, timer=timer("persist", 1))),)),
    (
        "TCP_BACKLOG_DROP",
        two({"sockets": tcp(1, "ESTABLISHED", backlog=1)}, {"sockets": tcp(1, "ESTABLISHED", backlog=1)}),
    ),
    ("TIME_WAIT_OVERFLOW", (sample(sockstat=SOCKSTAT._replace(tcp_tw=1), limits={"net.ipv4.tcp_max_tw_buckets": 1}),)),
    ("ORPHANS", (sample(sockstat=SOCKSTAT._replace(tcp_orphan=1), limits={"net.ipv4.tcp_max_orphans": 1}),)),
    ("CONNTRACK_FULL", two({"conntrack": conntrack(100)}, {"conntrack": conntrack(100, 1)})),
    ("QDISC_DROP", two({"qdiscs": qdisc(1)}, {"qdiscs": qdisc(2)})),
    ("UDP_DROPS", two({"sockets": [sock()]}, {"sockets": [sock(drops=1)]})),
    ("CGROUP_MEMORY_LIMIT", two({"cgroups": [cgroup(100, 5)]}, {"cgroups": [cgroup(100, 6)]})),
    *(
        (code, counted(**{name.replace(".", "__"): 1}))
        for code, name in (
            ("TCP_RECEIVE_DROP", "TcpExt.TCPRcvQDrop"),
            ("TCP_OUT_OF_ORDER_PRUNE", "TcpExt.TCPOFODrop"),
            ("TCP_OUT_OF_ORDER_PRUNE", "TcpExt.OfoPruned"),
            ("TCP_BACKLOG_DROP", "TcpExt.TCPBacklogDrop"),
            ("ORPHANS", "TcpExt.TCPAbortOnMemory"),
            ("IP_DISCARD", "Ip.OutDiscards"),
            ("IP_REASSEMBLY", "Ip.ReasmFails"),
            ("SYN_QUEUE_FULL", "TcpExt.TCPReqQFullDrop"),
            ("UDP_DROPS", "Udp.RcvbufErrors"),
        )
    ),
]


@pytest.mark.parametrize(("code", "samples"), ONE, ids=lambda v: v if isinstance(v, str) else "")
def test_one_is_singular(code: str, samples: tuple[Sample, ...]) -> None:
    """Of one thing a sentence speaks in the singular."""
    (finding,) = found(code, *samples)
    assert re.search(r"(?<![\d.])1\b", finding.summary)
    assert not re.search(r"(?<![\d.])1 (?!s\b|is\b|fits\b)\w+s\b", finding.summary), finding.summary
    assert not re.search(r"(?<![\d.])1 \w+( \w+)? (wait|fit|are|have)\b", finding.summary), finding.summary


def test_every_rule_is_tried() -> None:
    """Each has bad evidence here."""
    assert {code for code, _verdict, _looks in BAD} == set(RULES)


def test_counters_that_are_missing_are_no_zero() -> None:
    """Without any counter of it a rule does not know."""
    now = sample()
    now.counters = Counters({})
    assert unknown("TCP_BACKLOG_DROP", now)


def test_a_kernel_without_tcprcvqdrop() -> None:
    """Before 5.0 RcvPruned tells of segments in order, less those out of order, which it counts too."""
    before, now = sample(), sample(at=2.0, counters={"TcpExt.RcvPruned": 5, "TcpExt.TCPOFODrop": 2})
    for one in (before, now):
        values = {name: one.counters.get(name) for name in one.counters if name != "TcpExt.TCPRcvQDrop"}
        one.counters = Counters({name: value for name, value in values.items() if value is not None})
    (finding,) = found("TCP_RECEIVE_DROP", now, before)
    assert finding.summary.startswith("3 segments dropped")


def test_what_is_used_up_is_named() -> None:
    """Where TCP's or UDP's memory, or that of a cgroup, is at its limit, the loss is told with it, and the advice about it."""
    lost = {"counters": {"TcpExt.TCPRcvQDrop": 1, "TcpExt.OfoPruned": 1}}
    for code in ("TCP_RECEIVE_DROP", "TCP_OUT_OF_ORDER_PRUNE"):
        (plain,) = found(code, *two({}, lost))
        assert not any("Raise" in a.action for a in plain.advice)
        (host,) = found(code, *two({}, {**lost, "sockstat": SOCKSTAT._replace(tcp_mem_pages=3100)}))
        assert "12.1 MiB of 11.7 MiB (net.ipv4.tcp_mem)" in host.summary
        assert [a.action for a in host.advice if "tcp_mem" in a.action]
        (group,) = found(code, *two({}, {**lost, "cgroups": [cgroup(1000, path="/a b")]}))
        assert "the cgroup /a b holds 1000 B of 1000 B" in group.summary
        assert "echo 2000 > '/sys/fs/cgroup/a b/memory.max'" in [a.command for a in group.advice]
    before, now = {"sockets": [sock()]}, {"sockets": [sock(drops=4)], "cgroups": [cgroup(990)]}
    (finding,) = found("UDP_DROPS", *two(before, now))
    assert "the cgroup /a holds 990 B of 1000 B" in finding.summary


@pytest.mark.parametrize(
    ("counters", "usage", "cause"),
    [
        # Before 5.11 there is no MemErrors.
        ({"Udp.InErrors": 4}, 950, "the kernel could charge no memory for them; the cgroup /a holds 950 B of 1000 B"),
        ({"Udp.InErrors": 4}, 100, "its socket filter rejected them"),
        ({"Udp.InErrors": 4, "Udp.MemErrors": 0}, 950, "its socket filter rejected them"),
        ({"Udp.InErrors": 4, "Udp.MemErrors": 4}, 950, "the kernel could charge no memory for them; the cgroup"),
    ],
)
def test_memory_or_a_filter(counters: dict[str, int], usage: int, cause: str) -> None:
    """Which of the two refused datagrams the counters tell, and of a kernel that does not count them apart a full cgroup."""
    before = {"sockets": [sock()], "counters": dict.fromkeys(counters, 0)}
    now = {"sockets": [sock(drops=4)], "counters": counters, "cgroups": [cgroup(usage)]}
    samples = two(before, now)
    for one in samples:
        if "Udp.MemErrors" not in counters:
            values = {name: one.counters.get(name) for name in one.counters if not name.endswith(".MemErrors")}
            one.counters = Counters({name: value for name, value in values.items() if value is not None})
    (finding,) = found("UDP_DROPS", *samples)
    assert f": {cause}" in finding.summary


def test_losses_that_no_socket_shows_yet() -> None:
    """Counters are read a moment after the sockets: what an open socket loses in between is not said to be of closed ones alone."""
    lost = {"counters": {"Udp.RcvbufErrors": 991}}
    (closed,) = found("UDP_DROPS", *two({"sockets": [sock()]}, {"sockets": [sock()], **lost}))
    assert closed.summary.endswith("of sockets that are closed by now")
    seen = {"sockets": [sock(drops=1982)]}
    (either,) = found("UDP_DROPS", *two(seen, {**seen, **lost}))
    assert "closed by now, or of udp 127.0.0.1:53 after it was read: it has lost 1982" in either.summary
    assert "Look again" in either.advice[0].action


def test_only_the_innermost_cgroup_is_told() -> None:
    """What is throttled in a cgroup is counted in those above it too."""
    now = sample(at=2.0, cgroups=[cgroup(100, 4, "/a"), cgroup(100, 4, "/a/b"), cgroup(100, 6, "/ab")])
    assert [f.subject.name for f in found("CGROUP_MEMORY_LIMIT", now, sample(cgroups=[]))] == [
        "the cgroup /a/b",
        "the cgroup /ab",
    ]


def test_trends_of_levels() -> None:
    """Two samples show when orphans and TIME_WAIT reach their limits, and SYN queues theirs."""
    levels = {"tcp_orphan": 300, "tcp_tw": 950}
    before = sample(sockstat=SOCKSTAT._replace(tcp_orphan=200, tcp_tw=900))
    now = sample(at=2.0, sockstat=SOCKSTAT._replace(**levels))
    assert [f.eta_s for code in ("ORPHANS", "TIME_WAIT_OVERFLOW") for f in found(code, now, before)] == [14, 2]
    (finding,) = found(
        "SYN_QUEUE_FULL", *course([listener(0, 19), *requests(16)], [], [listener(0, 19), *requests(18)])
    )
    assert finding.eta_s == 1


def test_words() -> None:
    """Rules declare verdicts and severities that exist."""
    for code in RULES:
        rule = load(code).RULE
        assert rule.code == code
        assert set(rule.verdicts) <= set(VERDICTS)
        assert rule.severity in SEVERITIES
        assert rule.meaning.endswith(".")
        assert rule.source
        assert rule.reads
