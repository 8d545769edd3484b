"""Queueing disciplines as the project reads them, as pyroute2 does, and as ``tc`` prints them."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPRoute

from sockdiag.model.qdisc import Qdisc
from sockdiag.sources.netlink.rtnetlink_qdisc import read_qdiscs
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

# What waits is sent meanwhile.
FLOWING = {"packets": None, "backlog_bytes": None}


def prepare() -> None:
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


def make_and_read() -> tuple[list[Qdisc], list[Qdisc]]:
    prepare()
    return by_pyroute2(), read_qdiscs(interface_names(ProcRoot()))


def make_and_list() -> tuple[list[Any], list[Qdisc]]:
    prepare()
    listed = subprocess.run(["tc", "-s", "-j", "qdisc", "show"], check=True, capture_output=True).stdout
    return json.loads(listed), read_qdiscs(interface_names(ProcRoot()))


def by_pyroute2() -> list[Qdisc]:
    with IPRoute() as route:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
        return [described(message, names) for message in route.get_qdiscs()]


def described(message: Any, names: dict[int, str]) -> Qdisc:
    stats = message.get_attr("TCA_STATS2")
    queue, basic = stats.get_attr("TCA_STATS_QUEUE"), stats.get_attr("TCA_STATS_BASIC")
    return Qdisc(
        names[message["index"]],
        message.get_attr("TCA_KIND"),
        basic["packets"],
        queue["drops"],
        queue["backlog"],
        message["handle"],
        message["parent"],
    )


def test_pyroute2_agrees(empty_netns: Namespace) -> None:
    """Every discipline, its packets, its drops and what waits in it."""
    theirs, ours = empty_netns.call(make_and_read)
    assert [q._replace(**FLOWING) for q in ours] == [q._replace(**FLOWING) for q in theirs]
    root = next(q for q in ours if q.device == "lo" and q.is_root)
    assert (root.kind, root.handle) == ("tbf", 0x10000)
    assert root.drops
    assert root.packets is not None
    assert any(q.is_ingress for q in ours)
    assert len([q for q in ours if q.device == "second"]) >= 2


@pytest.mark.needs("tc")
def test_tc_agrees(empty_netns: Namespace) -> None:
    """``tc`` lists the same disciplines with the same drops."""
    listed, ours = empty_netns.call(make_and_list)
    assert [(row["dev"], row["kind"], row["drops"], bool(row.get("root"))) for row in listed] == [
        (q.device, q.kind, q.drops, q.parent == 0xFFFFFFFF) for q in ours
    ]
