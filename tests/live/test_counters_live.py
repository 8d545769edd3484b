"""Counters and levels of this kernel against nstat, ip and cat, in namespaces where nothing else happens."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.model.counter_table import known_counter
from sockdiag.model.counters import GAUGES
from sockdiag.sources.proc.mib import (
    parse_snmp6,
    read_counters,
    read_more_counters,
    read_netstat,
    read_snmp,
    read_snmp6,
)
from sockdiag.sources.proc.net_dev import read_dev
from sockdiag.sources.proc.net_protocols import read_protocols
from sockdiag.sources.proc.net_sockstat import read_sockstat, read_sockstat6
from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat
from sockdiag.sources.proc.net_stat_nf_conntrack import PATH as CONNTRACK
from sockdiag.sources.proc.net_stat_nf_conntrack import read_nf_conntrack_stat
from sockdiag.sources.system.proc_root import ProcRoot
from tests.live import limit_probes as probes

if TYPE_CHECKING:
    from sockdiag.model.conntrack import Conntrack
    from sockdiag.model.counters import Counters
    from sockdiag.model.device import Device
    from sockdiag.model.protocols import Protocol
    from sockdiag.model.sockstat import SockStat, SockStat6
    from tests.live.world.namespace import Namespace


def _counters() -> Counters:
    files = ProcRoot()
    return read_snmp(files).joined(read_netstat(files), read_snmp6(files))


def _levels() -> tuple[SockStat, SockStat6]:
    return read_sockstat(ProcRoot()), read_sockstat6(ProcRoot())


def _protocols() -> list[Protocol]:
    rows = read_protocols(ProcRoot())
    assert rows.errors == ()
    return list(rows)


def _devices() -> list[Device]:
    rows = read_dev(ProcRoot())
    assert rows.errors == ()
    return list(rows)


def _conntrack() -> Conntrack:
    return read_nf_conntrack_stat(ProcRoot())


@pytest.mark.skipif(shutil.which("nstat") is None, reason="needs nstat of iproute2")
def test_nstat(empty_netns: Namespace, tmp_path: Path) -> None:
    """The same names with the same values, but for the gauges, which nstat leaves out."""
    empty_netns.call(probes.udp_to_nobody, 7)
    empty_netns.call(probes.time_waits, 3)
    before = empty_netns.call(_counters)
    printed = empty_netns.run(["nstat", "-asz"], env={**os.environ, "NSTAT_HISTORY": str(tmp_path / "history")}).stdout
    after = empty_netns.call(_counters)
    assert before.errors == ()
    assert dict(before.values) == dict(after.values)
    theirs = {name: int(value) for name, value, _rate in (row.split() for row in printed.splitlines()[1:])}
    ours = {name.replace(".", "", 1): before[name] for name in before}
    assert {name: ours[name] for name in theirs} == theirs
    left_out = {name for name in before if name.replace(".", "", 1) not in theirs}
    assert left_out <= GAUGES
    # nstat prints this one, which is a level all the same.
    assert GAUGES & set(before) - left_out <= {"MPTcpExt.MPCurrEstab"}


def test_delta(empty_netns: Namespace) -> None:
    """Between two samples exactly the events in between, and nothing where nothing happened."""
    before = empty_netns.call(_counters)
    empty_netns.call(probes.udp_to_nobody, 5)
    after = empty_netns.call(_counters)
    changes = {change.name: change.value for change in after.since(before) if change.value}
    assert (
        changes.pop("IpExt.InOctets") == changes.pop("IpExt.OutOctets") == 5 * (20 + 8 + 1) + 5 * (20 + 8 + 20 + 8 + 1)
    )
    assert changes.pop("Ip.OutTransmits", 10) == 10
    assert changes == {
        "Ip.InReceives": 10,
        "Ip.InDelivers": 10,
        "Ip.OutRequests": 10,
        "IpExt.InNoECTPkts": 10,
        "Udp.NoPorts": 5,
        "Udp.OutDatagrams": 5,
        "Icmp.InMsgs": 5,
        "Icmp.InDestUnreachs": 5,
        "Icmp.OutMsgs": 5,
        "Icmp.OutDestUnreachs": 5,
    }
    assert after.get("IcmpMsg.InType3") == 5


def test_sockstat(empty_netns: Namespace) -> None:
    """Sockets of each kind in use; memory, orphans and allocated ones are those of the host."""
    kinds = ["tcp", "tcp", "tcp", "tcp6", "udp", "udp", "udp6", "raw"]
    before, before6 = empty_netns.call(_levels)
    empty_netns.call(probes.hold, kinds)
    after, after6 = empty_netns.call(_levels)
    empty_netns.call(probes.drop)
    assert after.errors == after6.errors == ()
    assert (before.tcp_inuse, before.udp_inuse, before.raw_inuse) == (0, 0, 0)
    assert (after.tcp_inuse, after.udp_inuse, after.raw_inuse, after.frag_inuse) == (3, 2, 1, 0)
    assert (before6.tcp6_inuse, before6.udp6_inuse) == (0, 0)
    assert (after6.tcp6_inuse, after6.udp6_inuse, after6.raw6_inuse) == (1, 1, 0)
    assert after.sockets_used is not None
    assert before.sockets_used is not None
    assert after.sockets_used - before.sockets_used == len(kinds)
    assert None not in after._values()
    assert (after.more, after6.more) == ((), ())


def test_time_wait(empty_netns: Namespace) -> None:
    """TIME_WAIT counts in tw and not in inuse."""
    empty_netns.call(probes.time_waits, 4)
    stat, _ = empty_netns.call(_levels)
    assert (stat.tcp_tw, stat.tcp_inuse) == (4, 0)


def test_protocols(empty_netns: Namespace) -> None:
    """Sockets of the namespace; every column and letter of this kernel is known."""
    empty_netns.call(probes.hold, ["tcp", "tcp6", "udp", "unix dgram", "unix stream", "packet"])
    rows = {row.name: row for row in empty_netns.call(_protocols)}
    empty_netns.call(probes.drop)
    counts = {name: rows[name].sockets for name in ("TCP", "TCPv6", "UDP", "UDPv6", "UNIX", "UNIX-STREAM", "PACKET")}
    assert counts == {"TCP": 1, "TCPv6": 1, "UDP": 1, "UDPv6": 0, "UNIX": 1, "UNIX-STREAM": 1, "PACKET": 1}
    heading = empty_netns.proc("protocols").split(b"\n")[0].split()
    assert not [name for row in rows.values() for name in row.operations if len(name) == 2]
    assert len(heading) - 8 == max(len(row.operations) for row in rows.values()) + 1, "all but bind, of TCP"
    assert "bind" not in rows["TCP"].operations
    assert {"accept", "enter_memory_pressure", "sendmsg"} <= set(rows["TCP"].operations)
    assert (rows["UDP"].pressure, rows["TCP"].pressure is None) == (None, False)
    assert rows["TCP"].memory_pages == rows["TCPv6"].memory_pages
    assert rows["PACKET"].memory_pages is None


def test_devices(empty_netns: Namespace) -> None:
    """The same numbers as ip prints, after traffic of a known size."""
    empty_netns.call(probes.udp_to_nobody, 3)
    (row,) = (row for row in empty_netns.call(_devices) if row.name == b"lo")
    (link,) = json.loads(empty_netns.run(["ip", "-j", "-s", "link", "show", "lo"]).stdout)
    rx, tx = link["stats64"]["rx"], link["stats64"]["tx"]
    assert (row.rx_bytes, row.rx_packets, row.rx_errs, row.rx_multicast) == (
        rx["bytes"],
        rx["packets"],
        rx["errors"],
        rx["multicast"],
    )
    assert (row.tx_bytes, row.tx_packets, row.tx_errs, row.tx_drop, row.tx_colls) == (
        tx["bytes"],
        tx["packets"],
        tx["errors"],
        tx["dropped"],
        tx["collisions"],
    )
    # Loopback counts without the link's header; the ICMP error quotes IP header, UDP header and the byte.
    assert (row.rx_packets, row.rx_bytes) == (6, 3 * (20 + 8 + 1) + 3 * (20 + 8 + 20 + 8 + 1))
    assert row.more == ()


def test_softnet() -> None:
    """One row for each CPU that is online, under its number; the queues add up."""
    rows = read_softnet_stat(ProcRoot())
    assert rows.errors == ()
    assert [row.cpu for row in rows if not row.cpu_is_position] == probes.page_and_cpus()[1]
    for row in rows:
        assert row.more == ()
        assert row.input_queue is not None
        assert row.process_queue is not None
        assert row.backlog == row.input_queue + row.process_queue


@pytest.mark.skipif(not Path(CONNTRACK).exists(), reason="connection tracking is not loaded")
def test_conntrack(empty_netns: Namespace) -> None:
    """The namespace's count, the host's limits; each column of this kernel is known."""
    table = empty_netns.call(_conntrack)
    sysctl = Path("/proc/sys/net/netfilter")
    assert table.count == 0
    assert table.max == int((sysctl / "nf_conntrack_max").read_text())
    assert table.buckets == int((sysctl / "nf_conntrack_buckets").read_text())
    assert table.errors == ()
    assert len(table.cpus) == len(Path(CONNTRACK).read_bytes().splitlines()) - 1
    assert all(cpu.more == () for cpu in table.cpus)
    assert table.total("drop") == 0


def test_the_table_knows_every_counter_of_this_kernel() -> None:
    """Each counter that the files of this kernel hold has a class and a meaning."""
    files = ProcRoot()
    found = {*read_counters(files)[0], *read_more_counters(files)[0]}
    for table, row in (("nf_conntrack", ".0"), ("arp_cache", ""), ("ndisc_cache", "")):
        path = Path("/proc/net/stat", table)
        if path.exists():
            found |= {f"{table}{row}.{name}" for name in path.read_text().split("\n")[0].split() if name != "entries"}
    sctp = Path("/proc/net/sctp/snmp")
    if sctp.exists():
        found |= set(parse_snmp6(sctp.read_bytes()))
    assert len(found) > 300
    assert sorted(name for name in found if known_counter(name) is None) == []
