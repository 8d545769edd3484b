"""Queueing disciplines as the quick reader and pyroute2 read them."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

from sockdiag.sources.netlink.rtnetlink_qdisc import read_qdiscs
from sockdiag.sources.netlink.rtnetlink_tc import read_queues
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from sockdiag.model.qdisc import Qdisc
    from tests.live.world.namespace import Namespace


def make_and_read() -> tuple[list[Qdisc], list[Qdisc]]:
    for line in (
        "ip link set lo up",
        "ip tuntap add dev second mode tun multi_queue",
        "ip link set second up",
        "tc qdisc add dev lo root handle 1: tbf rate 8kbit burst 2kb limit 3kb",
        "tc qdisc add dev lo clsact",
        "tc qdisc replace dev second root handle 7: mq",
    ):
        subprocess.run(line.split(), check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(50):
            sender.sendto(bytes(1000), ("127.0.0.1", 9))
    return read_qdiscs(), read_queues(interface_names(ProcRoot()))


def test_both_readers_agree(empty_netns: Namespace) -> None:
    """Every discipline, its packets, its drops and what waits in it."""
    by_pyroute2, quick = empty_netns.call(make_and_read)
    # What waits is sent meanwhile.
    flowing = {"packets": None, "backlog_bytes": None}
    assert [q._replace(**flowing) for q in quick] == [q._replace(**flowing) for q in by_pyroute2]
    root = next(q for q in quick if q.device == "lo" and q.is_root)
    assert (root.kind, root.handle) == ("tbf", 0x10000)
    assert root.drops
    assert root.packets is not None
    assert any(q.is_ingress for q in quick)
    assert len([q for q in quick if q.device == "second"]) >= 2
