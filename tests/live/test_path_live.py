"""`sockdiag path` where packets are really lost: the stage and the number, against the kernel's own counters."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import path_probes as probes
from tests.live.scenarios import counted, datagrams

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

V4, V6, DGRAM, RAW = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM, socket.SOCK_RAW
LOOPBACK = ("127.0.0.1", 9)


class Result:
    """What path said of a load.

    Attributes:
        lost: losses by stage, where there were any.
        unknown: stages whose loss is unknown.
        stages: all of a stage.
        grown: what the kernel counted.
        value: what the load returned.
    """

    def __init__(self, namespace: Namespace, load: Any, *arguments: Any) -> None:
        document, self.grown, self.value = namespace.call(probes.looked_at, load, *arguments)
        assert document["gaps"] == []
        assert document["interval_s"] > 0
        self.stages = {stage["stage"]: stage for stage in document["stages"]}
        self.lost = {name: stage["loss"] for name, stage in self.stages.items() if stage["loss"]}
        self.unknown = {name for name, stage in self.stages.items() if stage["loss"] is None}

    def reasons(self, stage: str) -> dict[str, int]:
        """Return what a stage's loss is made of."""
        return {c["name"]: c["loss"] for c in self.stages[stage]["counters"] if c["loss"]}


@pytest.mark.parametrize(
    ("family", "address", "mib"),
    [(V4, "127.0.0.1", "Udp."), (V6, "::1", "Udp6"), (V6, "::ffff:127.0.0.1", "Udp.")],
    ids=["IPv4", "IPv6", "IPv4 to a dual-stack socket"],
)
def test_udp_receive_buffer(empty_netns: Namespace, family: int, address: str, mib: str) -> None:
    """A reader that does not read; the datagrams of both families have their own counters."""
    port = empty_netns.call(probes.keep, family, DGRAM, rcvbuf=4096)
    result = Result(empty_netns, probes.send, family, (address, port), 50)
    assert 0 < result.grown[f"{mib}RcvbufErrors"] < 50
    assert result.lost == {"udp_receive_queue": result.grown[f"{mib}RcvbufErrors"]}
    assert result.reasons("udp_receive_queue") == {f"{mib.strip('.')}.RcvbufErrors": result.grown[f"{mib}RcvbufErrors"]}
    assert result.unknown == {"netfilter"}
    assert result.stages["write"]["packets"] == 50
    assert result.stages["read"]["packets"] == 0


@pytest.mark.parametrize("times", range(3))
def test_losses_under_load_are_told_once(empty_netns: Namespace, times: int) -> None:
    """Drops go on while sockets and counters are read: what the one shows more than the other is no further loss."""
    empty_netns.call(datagrams.udp_overflow)
    empty_netns.call(datagrams.udp6_overflow)
    text = empty_netns.run(
        [sys.executable, "-m", "sockdiag", "path", "--json", "--interval", "0.5"], stderr=subprocess.DEVNULL
    ).stdout
    stages = {stage["stage"]: stage for stage in json.loads(text)["stages"]}
    lost = {c["name"]: c["loss"] for c in stages["udp_receive_queue"]["counters"] if c["loss"]}
    assert lost.keys() == {"Udp.RcvbufErrors", "Udp6.RcvbufErrors"}
    assert stages["udp_receive_queue"]["loss"] == sum(lost.values())


def test_links_as_text(empty_netns: Namespace) -> None:
    """Devices that carry nothing and neighbours that do not answer are shown without --json too."""
    empty_netns.call(counted.neighbour_is_silent)
    empty_netns.run(["ip", "link", "set", "lo", "down"])
    text = empty_netns.run(
        [sys.executable, "-m", "sockdiag", "path", "--interval", "0.1"], stderr=subprocess.DEVNULL
    ).stdout
    links = text.partition("\nLINKS\n")[2].partition("\n\n")[0]
    assert "10.9.0.2 on void0: " in links
    assert "off: lo" in links


def test_udp_no_port(empty_netns: Namespace) -> None:
    """Nobody is bound to the port."""
    result = Result(empty_netns, probes.send, V4, LOOPBACK, 7)
    assert result.grown["Udp.NoPorts"] == 7
    assert result.lost == {"udp_in": 7}
    assert result.reasons("udp_in") == {"Udp.NoPorts": 7}


def test_udp_checksum(empty_netns: Namespace) -> None:
    """A wrong checksum counts in InErrors, too; it is a loss of the protocol and not of the queue."""
    empty_netns.call(probes.tun)
    port = empty_netns.call(probes.bound_here)
    result = Result(empty_netns, probes.wrong_checksums, port, 6)
    assert (result.grown["Udp.InCsumErrors"], result.grown["Udp.InErrors"]) == (6, 6)
    assert result.lost == {"udp_in": 6}


def test_listener(empty_netns: Namespace) -> None:
    """An overflow counts in ListenOverflows and in ListenDrops; it is one loss."""
    result = Result(empty_netns, probes.overflow_listener, 8)
    assert result.grown["TcpExt.ListenDrops"] == result.grown["TcpExt.ListenOverflows"] > 0
    assert result.lost == {"listener": result.grown["TcpExt.ListenDrops"]}
    assert result.reasons("listener") == {"TcpExt.ListenOverflows": result.grown["TcpExt.ListenOverflows"]}
    assert result.stages["listener"]["packets"] == result.grown["Tcp.PassiveOpens"]


def test_raw_socket(empty_netns: Namespace) -> None:
    """No MIB counts it: the socket alone does."""
    empty_netns.call(probes.keep, V4, RAW, 253, rcvbuf=4096)
    result = Result(empty_netns, probes.send_raw, 40)
    (row,) = empty_netns.proc("raw").splitlines()[1:]
    drops = int(row.split()[-1])
    assert 0 < drops < 40
    assert result.lost == {"other_receive_queues": drops}
    assert result.reasons("other_receive_queues") == {"sockets.raw.drops": drops}
    assert {name for name in result.grown if "rror" in name or "rop" in name or "iscard" in name} == set()


@pytest.mark.parametrize(("forward", "counter"), [(False, "Ip.InAddrErrors"), (True, "IpExt.InNoRoutes")])
def test_no_route_in(empty_netns: Namespace, forward: bool, counter: str) -> None:
    """A packet for another host."""
    empty_netns.call(probes.tun, forward=forward)
    result = Result(empty_netns, probes.arrive, [probes.packet(bytes(8), to=probes.NOWHERE)] * 5)
    assert result.grown[counter] == 5
    assert result.lost == {"ipv4_in": 5}
    assert result.reasons("ipv4_in") == {counter: 5}
    assert result.stages["nic_rx"]["packets"] >= 5


def test_headers(empty_netns: Namespace) -> None:
    """Bad checksums count twice; unknown protocols are apart."""
    empty_netns.call(probes.tun)
    good = probes.packet(bytes(8), protocol=253)
    broken = good[:10] + b"\x12\x34" + good[12:]
    result = Result(empty_netns, probes.arrive, [broken] * 4 + [good] * 3)
    assert (result.grown["Ip.InHdrErrors"], result.grown["IpExt.InCsumErrors"], result.grown["Ip.InUnknownProtos"]) == (
        4,
        4,
        3,
    )
    assert result.lost == {"ipv4_in": 7}
    assert result.reasons("ipv4_in") == {"IpExt.InCsumErrors": 4, "Ip.InUnknownProtos": 3}


def test_reassembly(empty_netns: Namespace) -> None:
    """Fragments that nothing follows: a timeout is a failure, and one loss."""
    empty_netns.call(probes.tun)
    empty_netns.call(probes.netdev.sysctl, "net/ipv4/ipfrag_time", 1)
    result = Result(empty_netns, probes.give_up_fragments, 4)
    assert (result.grown["Ip.ReasmFails"], result.grown["Ip.ReasmTimeout"]) == (4, 4)
    assert result.lost == {"ipv4_in": 4}


def test_no_route_out(empty_netns: Namespace) -> None:
    """The sender is told."""
    result = Result(empty_netns, probes.send, V4, (probes.NOWHERE, 9), 5)
    assert (result.value, result.grown["Ip.OutNoRoutes"]) == (5, 5)
    assert result.lost == {"ipv4_out": 5}


def test_qdisc(empty_netns: Namespace) -> None:
    """One datagram is counted as dropped by the queueing discipline, by IP and by UDP; it was lost once."""
    empty_netns.call(probes.tun)
    empty_netns.call(probes.qdisc, "tbf", "rate", "8kbit", "burst", "1600", "limit", "3000")
    result = Result(empty_netns, probes.send, V4, (probes.THERE, 9), 20, 1000)
    dropped = result.grown["tun0.drops"]
    assert dropped == result.grown["Ip.OutDiscards"] == result.grown["Udp.SndbufErrors"] > 0
    assert result.lost == {"qdisc": dropped}
    assert result.reasons("qdisc") == {"qdisc.tun0:tbf.drops": dropped}
    levels = {c["name"]: c["value"] for c in result.stages["qdisc"]["counters"] if c["role"] == "level"}
    assert levels["qdisc.tun0:tbf.backlog_bytes"] > 0


def test_qdisc_with_classes(empty_netns: Namespace) -> None:
    """A root counts what its classes' own disciplines drop: only roots are added up."""
    empty_netns.call(probes.tun)
    empty_netns.call(probes.qdisc, "handle", "1:", "htb", "default", "1")
    empty_netns.run(
        [
            "tc",
            "class",
            "add",
            "dev",
            "tun0",
            "parent",
            "1:",
            "classid",
            "1:1",
            "htb",
            "rate",
            "8kbit",
            "burst",
            "1600",
            "quantum",
            "1500",
        ]
    )
    empty_netns.run(["tc", "qdisc", "add", "dev", "tun0", "parent", "1:1", "pfifo", "limit", "3"])
    result = Result(empty_netns, probes.send, V4, (probes.THERE, 9), 20, 1000)
    assert result.lost == {"qdisc": result.grown["tun0.drops"]}
    assert [c["name"] for c in result.stages["qdisc"]["counters"] if c["loss"]] == ["qdisc.tun0:htb.drops"]


def test_ingress(empty_netns: Namespace) -> None:
    """A filter that drops what comes in; without one there is no such stage."""
    empty_netns.call(probes.tun)
    assert "qdisc_ingress" not in Result(empty_netns, probes.arrive, []).stages
    empty_netns.call(probes.filter_ingress)
    result = Result(empty_netns, probes.arrive, [probes.packet(bytes(8))] * 6)
    assert "Ip.InReceives" not in result.grown
    assert result.lost == {"qdisc_ingress": 6}


def test_send_buffer(empty_netns: Namespace) -> None:
    """Datagrams wait in the queueing discipline; the sender's buffer is full before it is. IP counts that, too."""
    empty_netns.call(probes.tun)
    empty_netns.call(probes.qdisc, "tbf", "rate", "8kbit", "burst", "1600", "limit", "1000000")
    result = Result(empty_netns, probes.refused_by_sndbuf, 20)
    assert result.grown["Udp.SndbufErrors"] == result.value > 0
    assert result.grown["Ip.OutDiscards"] == result.value
    assert result.lost == {"write": result.value}


def test_device_out(empty_netns: Namespace) -> None:
    """Nobody reads at the far end of the device: its ring is full and the driver drops."""
    empty_netns.call(probes.tun)
    empty_netns.run(["ip", "link", "set", "tun0", "txqueuelen", "5"])
    empty_netns.run(["tc", "qdisc", "replace", "dev", "tun0", "root", "noqueue"])
    result = Result(empty_netns, probes.send, V4, (probes.THERE, 9), 30)
    assert result.grown["tun0.tx_drop"] > 0
    assert result.lost == {"nic_tx": result.grown["tun0.tx_drop"]}


def test_healthy(empty_netns: Namespace) -> None:
    """A transfer over TCP and UDP loses nothing anywhere."""
    result = Result(empty_netns, probes.transfer, 20 << 20, 200)
    assert result.value == (20 << 20, 200)
    assert result.lost == {}
    assert result.unknown - {"tcp_out"} == {"netfilter"}
    assert ("tcp_out" in result.unknown) == ("Tcp.RetransSegs" in result.grown)
    assert result.stages["read"]["packets"] == 200
    assert result.stages["ipv4_in"]["packets"] == result.grown["Ip.InReceives"]
    assert result.stages["ipv6_in"]["packets"] == result.grown["Ip6InReceives"] == 200


def test_flow_control_is_no_loss(empty_netns: Namespace) -> None:
    """A reader that does not read closes its window: the sender waits, nothing is lost."""
    result = Result(empty_netns, probes.slow_reader)
    assert result.grown["TcpExt.TCPToZeroWindowAdv"] > 0
    assert result.lost == {}
    waiting = {c["name"]: c["value"] for c in result.stages["read"]["counters"] if c["role"] == "level"}
    assert waiting["sockets.tcp.recv_q_bytes"] > 0


def test_ring_is_unknown(empty_netns: Namespace) -> None:
    """What a ring had no room for is told to its owner only."""
    empty_netns.call(probes.ring)
    result = Result(empty_netns, probes.send, V4, LOOPBACK, 3)
    assert result.unknown == {"netfilter", "other_receive_queues"}
    assert "packet sockets (1)" in result.stages["other_receive_queues"]["unseen"][0]


def test_namespace_by_path(empty_netns: Namespace) -> None:
    """--netns looks at the devices, queueing disciplines and sockets of that namespace; a single sample is history."""
    empty_netns.call(probes.tun)
    empty_netns.call(probes.qdisc, "tbf", "rate", "8kbit", "burst", "1600", "limit", "3000")
    empty_netns.call(probes.send, V4, LOOPBACK, 4)
    words = [sys.executable, "-m", "sockdiag", "path", "--netns", empty_netns.path, "--interval", "0"]
    document = json.loads(subprocess.run([*words, "--json"], check=True, capture_output=True).stdout)
    assert document["interval_s"] is None
    assert document["scope"]["netns"][0]["inode"] == empty_netns.inode
    stages = {stage["stage"]: stage for stage in document["stages"]}
    assert {stage["loss"] for stage in stages.values()} == {None}
    lost = {name: stage["loss_total"] for name, stage in stages.items() if stage["loss_total"]}
    # What the processors lost since the machine started is the host's, whatever ran on it.
    lost.pop("softnet", None)
    assert lost == {"udp_in": 4}
    assert "qdisc.tun0:tbf.drops" in {c["name"] for c in stages["qdisc"]["counters"]}
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "history" in text
    assert "Udp.NoPorts 4" in text
