"""The screen of `path`."""

from __future__ import annotations

import re

from sockdiag.analysis.path import PathSample, path
from sockdiag.analysis.socket_queues import SocketQueues
from sockdiag.model.counters import Counters
from sockdiag.render.document import Style
from sockdiag.render.path_text import path_lines

BEFORE = {
    "dev.eth0.rx_packets": 10,
    "dev.eth0.rx_errs": 0,
    "softnet_stat.0.processed": 5,
    "softnet_stat.0.dropped": 1,
    "Ip.InReceives": 4,
    "Ip.InHdrErrors": 2,
    "IpExt.InNoRoutes": 0,
    "Tcp.InSegs": 1,
    "Tcp.InErrs": 0,
    "Tcp.OutSegs": 7,
    "Tcp.RetransSegs": 0,
    "TcpExt.ListenDrops": 0,
    "Udp.NoPorts": 0,
    "Udp.InErrors": 0,
    "Udp.RcvbufErrors": 0,
    "Udp.SndbufErrors": 0,
}
AFTER = {
    **BEFORE,
    "dev.eth0.rx_packets": 40,
    "Udp.InErrors": 6,
    "Udp.RcvbufErrors": 6,
    "Tcp.RetransSegs": 3,
    "Tcp.OutSegs": 9,
}


def screen(
    before: dict[str, int] | None, after: dict[str, int], width: int | None = None, color: bool = False
) -> list[str]:
    sockets = SocketQueues()
    sockets.start(("tcp", "udp", "udplite", "raw", "icmp", "packet", "netlink"))
    sockets.recv_q_bytes["udp"] = 2048
    samples = [PathSample(at, Counters(v), sockets) for at, v in ((1.0, before), (3.0, after)) if v is not None]
    stages = path(samples[0] if before is not None else None, samples[-1])
    interval = 2.0 if before is not None else None
    return list(path_lines(stages, interval, Style(width, color)))


def test_losing_stage_is_marked() -> None:
    """One stage has the mark; what it lost and why follows the table."""
    lines = screen(BEFORE, AFTER)
    assert [line for line in lines if line.startswith("✗")] == [
        "✗  UDP receive queue        -         6  Udp.RcvbufErrors 6\n"
    ]
    assert "↓  NIC                     30         0\n" in lines
    assert "↓  softnet (host)           0         0\n" in lines
    assert "↓  read(2)                  -         0  udp.recv_q 2 KiB\n" in lines
    assert "↓  TCP                      2         -  Tcp.RetransSegs 3\n" in lines
    start = lines.index("LOST in 2.00 s\n")
    assert lines[start + 1 : start + 3] == [
        "  6 (3/s)  Udp.RcvbufErrors: IPv4 datagrams refused: a socket's receive buffer was full\n",
        "  3  Tcp.RetransSegs: segments retransmitted: lost or presumed lost\n",
    ]
    unknown = lines[lines.index("UNKNOWN\n") + 1 :]
    assert [line.partition(":")[0].strip() for line in unknown] == ["netfilter", "TCP"]


def test_nothing_lost() -> None:
    """No mark, and it is said so."""
    lines = screen(BEFORE, BEFORE)
    assert not [line for line in lines if line.startswith("✗")]
    assert "  nothing that a counter shows\n" in lines


def test_history() -> None:
    """One look marks nothing, and says that its numbers are history."""
    lines = screen(None, AFTER)
    assert "history" in lines[0]
    assert not [line for line in lines if line.startswith("✗")]
    assert "↓  IPv4                     4          2  Ip.InHdrErrors 2\n" in lines
    assert "  2  Ip.InHdrErrors: IPv4 packets with a bad header, checksum, or expired TTL\n" in lines


def test_width_and_color() -> None:
    """A terminal's table fits; colours do not change the text."""
    lines = screen(BEFORE, AFTER, 40)
    assert max(len(line.rstrip("\n")) for line in lines[: lines.index("\n")]) == 40
    assert [re.sub("\x1b\\[[0-9]*m", "", line) for line in screen(BEFORE, AFTER, color=True)] == screen(BEFORE, AFTER)


def test_cpus_add_up() -> None:
    """A host of 64 CPUs has one figure, not 64."""
    cpus = {f"softnet_stat.{cpu}.dropped": 1 for cpu in range(64)} | {
        f"softnet_stat.{cpu}.time_squeeze": 0 for cpu in range(64)
    }
    later = {name: value + 2 for name, value in cpus.items()}
    lines = screen(BEFORE | cpus, BEFORE | later)
    said = [line.split("  ")[-1].strip() for line in lines if "softnet_stat" in line]
    assert "softnet_stat.*.time_squeeze 128" in said
    assert [line for line in lines if line.startswith("✗")] == [
        "✗  softnet (host)           0       128  softnet_stat.*.dropped 128  softnet_stat.*.time_squeeze 128\n"
    ]
    assert len(said) == 3


def test_packets_of_some_tables() -> None:
    """The stages of other protocols are left out, and the counters of others in stages that both pass."""
    sockets = SocketQueues()
    sockets.start(("tcp", "udp"))
    sample = PathSample(1.0, Counters(BEFORE | {"TcpExt.IPReversePathFilter": 3}), sockets)
    tcp, udp = (path(None, sample, tables=tables) for tables in (("tcp",), ("udp",)))
    common = {"nic_rx", "softnet", "ipv4_in", "netfilter", "read", "ipv4_out", "qdisc", "nic_tx"}
    assert {stage.stage for stage in tcp} == common | {
        "tcp_in",
        "listener",
        "tcp_backlog",
        "tcp_receive_queue",
        "tcp_out",
    }
    assert {stage.stage for stage in udp} == common | {"udp_in", "udp_receive_queue", "write"}
    assert all(
        any(c.name == "TcpExt.IPReversePathFilter" for stage in way for c in stage.counters) for way in (tcp, udp)
    )
    names = [c.name for stage in udp for c in stage.counters if c.name.startswith(("Tcp.", "sockets.tcp"))]
    assert names == []
