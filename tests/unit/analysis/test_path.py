"""The stages of a packet's way: the table, and that no loss is told twice."""

from __future__ import annotations

import pytest

from sockdiag.analysis.path import PathSample, PathStage, path
from sockdiag.analysis.path_table import LIMIT, LOSS, OPTIONAL, SIGN, STEPS, Item
from sockdiag.analysis.socket_queues import SocketQueues
from sockdiag.model.batch import Batch
from sockdiag.model.counter_table import LOSS as LOST
from sockdiag.model.counter_table import NOISE, REFUSAL, class_of, meaning_of
from sockdiag.model.counter_table import SIGN as POINTER
from sockdiag.model.counters import GAUGES, MIBS, Counters, mib_of
from sockdiag.model.link_attrs import PacketAttrs, PacketRing
from sockdiag.model.record import HOST, NETNS
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket

ITEMS = [(step, item) for step in STEPS for item in step.items]
BY_NAME = {item.name: (step, item) for step, item in ITEMS}
# A kernel that has each counter, one row for each *.
ZERO = {
    item.name.replace("*", "0"): 0
    for _step, item in ITEMS
    if item.name.partition(".")[0] in MIBS and item.role != LIMIT and not item.name.endswith("backlog_bytes")
}


def sample(at: float = 0.0, sockets: SocketQueues | None = None, **changes: int) -> PathSample:
    """Return a look; names have ``__`` for the dots."""
    values = {**ZERO, **{name.replace("__", "."): value for name, value in changes.items()}}
    return PathSample(at, Counters(values), sockets or queues())


def counters(**changes: int) -> Counters:
    """Return counters, the others zero; names have ``__`` for the dots."""
    return Counters({**ZERO, **{name.replace("__", "."): value for name, value in changes.items()}})


def queues(*drops: tuple[str, int, int | None], rings: int = 0) -> SocketQueues:
    """Return sums of sockets, each (table, cookie, drops)."""
    found = SocketQueues()
    found.start(("tcp", "udp", "udplite", "raw", "icmp", "packet", "netlink"))
    for table, cookie, count in drops:
        found.add(Batch.of([Socket(table, "AF_INET", cookie=cookie, recv_q=0, skmem=SkMem(drops=count))]))
    found.rings = rings
    return found


def changed(seconds: float = 2.0, **changes: int) -> dict[str, PathStage]:
    """Return the stages by name, where counters grew."""
    return {stage.stage: stage for stage in path(sample(), sample(seconds, **changes))}


def losses(stages: dict[str, PathStage]) -> dict[str, int]:
    """Return what was lost, by stage."""
    return {name: stage.loss for name, stage in stages.items() if stage.loss}


def test_roles_follow_from_the_table_of_counters() -> None:
    """What the path calls a loss the table calls a loss, a refusal or noise; a sign is one, or a connection reset later."""
    for _step, item in ITEMS:
        kind = class_of(item.name)
        if item.role in (LIMIT, "level") or not kind:
            assert item.meaning, item.name
        elif item.role == LOSS:
            assert kind in (LOST, REFUSAL, NOISE), item.name
        elif item.role == SIGN:
            assert kind == POINTER or item.name == "TcpExt.TCPAbortOnMemory", item.name
        else:
            assert kind == "traffic", item.name


def test_table_is_sound() -> None:
    """A counter is of one stage, within another of the same, and its meaning is told in one place."""
    assert len(BY_NAME) == len(ITEMS)
    assert len({step.stage for step in STEPS}) == len(STEPS)
    assert [step.direction for step in STEPS] == sorted(step.direction for step in STEPS), "in comes before out"
    for step, item in ITEMS:
        names = [other.name for other in step.items if other.role == LOSS]
        assert not item.within or (item.role == LOSS and item.within in names), item.name
        for name in item.less:
            assert BY_NAME[name][0] is not step, name
            assert BY_NAME[name][1].role == LOSS, name
        assert bool(item.meaning) != bool(meaning_of(item.name.replace("*", "0"))), item.name
        assert item.name not in GAUGES
        prefix = item.name.partition(".")[0]
        assert prefix in MIBS or prefix in OPTIONAL, item.name
        for name in step.suspects:
            assert BY_NAME[name][1].role == SIGN


def test_no_stage_mixes_scopes() -> None:
    """Numbers that are added or subtracted are of one scope."""
    for step in STEPS:
        counted = [item for item in step.items if item.role == LOSS]
        scopes = {mib_of(item.name).scope for item in counted}
        assert len(scopes) <= 1, step.stage
        assert {mib_of(name).scope for item in counted for name in item.less} <= scopes, step.stage
    stages = path(None, sample())
    assert [stage.stage for stage in stages if stage.scope == HOST] == ["softnet"]
    for stage in stages:
        assert {c.scope for c in stage.counters if c.role not in (LIMIT, "level")} <= {stage.scope}


@pytest.mark.parametrize(
    ("step", "item"), [(s, i) for s, i in ITEMS if i.role == LOSS], ids=lambda x: getattr(x, "name", "")
)
def test_each_counter_alone(step: object, item: Item) -> None:
    """A counter that grows alone is a loss of its stage, in full; sockets' are tested below."""
    if item.name.startswith("sockets."):
        return
    name = item.name.replace("*", "0")
    stages = changed(**{name.replace(".", "__"): 7})
    assert losses(stages) == {step.stage: 7}  # type: ignore[attr-defined]
    stage = stages[step.stage]  # type: ignore[attr-defined]
    assert stage.loss_per_s == 3.5
    assert [(c.name, c.loss, c.delta, c.per_s) for c in stage.counters if c.loss] == [(name, 7, 7, 3.5)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"TcpExt__ListenDrops": 9, "TcpExt__ListenOverflows": 6}, {"listener": 9}),
        ({"TcpExt__ListenDrops": 9, "TcpExt__ListenOverflows": 6, "TcpExt__TCPReqQFullDrop": 3}, {"listener": 9}),
        ({"Udp__InErrors": 9, "Udp__RcvbufErrors": 7, "Udp__MemErrors": 2}, {"udp_receive_queue": 9}),
        ({"Udp__InErrors": 9, "Udp__RcvbufErrors": 4, "Udp__InCsumErrors": 5}, {"udp_receive_queue": 4, "udp_in": 5}),
        ({"Udp6__InErrors": 5, "Udp6__InCsumErrors": 5}, {"udp_in": 5}),
        ({"Tcp__InErrs": 3, "Tcp__InCsumErrors": 3}, {"tcp_in": 3}),
        ({"Ip__InHdrErrors": 3, "IpExt__InCsumErrors": 2}, {"ipv4_in": 3}),
        ({"Ip__ReasmFails": 4, "Ip__ReasmTimeout": 4}, {"ipv4_in": 4}),
        ({"Ip6__InTooBigErrors": 4, "Ip6__FragFails": 4}, {"ipv6_out": 4}),
        ({"softnet_stat__0__dropped": 5, "softnet_stat__0__flow_limit": 5}, {"softnet": 5}),
        ({"TcpExt__RcvPruned": 3, "TcpExt__TCPRcvQDrop": 2, "TcpExt__TCPOFODrop": 3}, {"tcp_receive_queue": 5}),
        ({"dev__0__tx_errs": 3, "dev__0__tx_carrier": 3}, {"nic_tx": 3}),
        ({"nf_conntrack__0__drop": 2, "nf_conntrack__0__insert_failed": 2}, {"netfilter": 2}),
        # One packet that the queueing discipline refused, or the driver.
        ({"Udp__SndbufErrors": 8, "Ip__OutDiscards": 8, "qdisc__0__drops": 8}, {"qdisc": 8}),
        ({"Udp__SndbufErrors": 8, "Ip__OutDiscards": 8, "dev__0__tx_drop": 8}, {"nic_tx": 8}),
        ({"Udp6__SndbufErrors": 8, "Ip6__OutDiscards": 8}, {"write": 8}),
        ({"Udp__SndbufErrors": 9, "Ip__OutDiscards": 9, "qdisc__0__drops": 6}, {"write": 3, "qdisc": 6}),
        ({"Ip__OutDiscards": 4}, {"ipv4_out": 4}),
        ({"Ip__OutDiscards": 2, "Ip__FragFails": 2}, {"ipv4_out": 2}),
        # TCP's retransmissions tell nobody of their drops.
        ({"qdisc__0__drops": 8, "Ip__OutDiscards": 3, "Udp__SndbufErrors": 3}, {"qdisc": 8}),
    ],
)
def test_losses_are_told_once(changes: dict[str, int], expected: dict[str, int]) -> None:
    """What the kernel counts several times is one loss."""
    stages = changed(**changes)
    assert losses(stages) == expected
    for stage in stages.values():
        assert stage.loss is None or stage.loss == sum(counter.loss or 0 for counter in stage.counters)
        assert stage.loss_total is None or stage.loss_total == sum(
            counter.loss_total or 0 for counter in stage.counters
        )


def test_nothing_lost() -> None:
    """Traffic without loss is 0 at each stage, but where losses have no counter."""
    stages = changed(
        4.0, Ip__InReceives=10, Ip__InDelivers=10, Tcp__InSegs=8, Udp__InDatagrams=2, softnet_stat__0__time_squeeze=1
    )
    assert {name for name, stage in stages.items() if stage.loss != 0} == {"netfilter"}
    assert stages["netfilter"].loss is None
    assert stages["netfilter"].loss_total is None
    assert "NETFILTER_DROP" in stages["netfilter"].unseen[0]
    assert (stages["ipv4_in"].packets, stages["tcp_in"].packets, stages["read"].packets) == (10, 8, 2)
    assert stages["udp_in"].packets is None, "the kernel counts no arriving datagrams"
    assert not any(stage.loss_is_minimum for stage in stages.values())


def test_one_look_is_history() -> None:
    """Totals are told, losses of now and rates are not."""
    stages = {
        stage.stage: stage for stage in path(None, sample(Udp__RcvbufErrors=5, Udp__InErrors=5, Ip__InReceives=9))
    }
    for stage in stages.values():
        assert (stage.loss, stage.loss_per_s, stage.packets, stage.loss_is_minimum) == (None, None, None, False)
        assert all(c.delta is None and c.per_s is None for c in stage.counters)
        assert all(c.loss is None for c in stage.counters if c.role == LOSS)
    assert {name: stage.loss_total for name, stage in stages.items() if stage.loss_total} == {"udp_receive_queue": 5}
    assert stages["ipv4_in"].packets_total == 9


def test_known_losses_of_a_stage_with_unknown_ones_are_a_minimum() -> None:
    """A counted loss stands, and that there may be more is said."""
    stage = changed(nf_conntrack__0__drop=3)["netfilter"]
    assert (stage.loss, stage.loss_is_minimum) == (3, True)


def test_retransmission_is_no_loss_here() -> None:
    """Whether and where a segment was lost that is sent again, this host does not know."""
    assert changed(Tcp__OutSegs=100)["tcp_out"].loss == 0
    stage = changed(Tcp__OutSegs=100, Tcp__RetransSegs=4)["tcp_out"]
    assert (stage.packets, stage.loss, stage.loss_is_minimum) == (100, None, False)
    assert stage.unseen


def test_sockets_drops() -> None:
    """By socket: growth of those that were there, all of the new ones, nothing of those that went."""
    before = queues(("udp", 1, 10), ("udp", 2, 5), ("raw", 3, 0), ("netlink", 4, 2**32 - 1))
    after = queues(("udp", 1, 14), ("udp", 9, 3), ("raw", 3, 6), ("netlink", 4, 2))
    stages = {s.stage: s for s in path(sample(sockets=before), sample(1.0, after))}
    assert losses(stages) == {"udp_receive_queue": 7, "other_receive_queues": 9}
    drops = {c.name: (c.value, c.delta) for c in stages["other_receive_queues"].counters}
    assert drops == {
        "sockets.raw.drops": (6, 6),
        "sockets.icmp.drops": (0, 0),
        "sockets.packet.drops": (0, 0),
        "sockets.netlink.drops": (2, 3),
    }


def test_socket_drops_and_mib_are_one_loss() -> None:
    """A datagram that is refused counts at the socket and in the MIB; on 6.18 those without memory at the socket alone."""
    before, after = queues(("udp", 1, 0)), queues(("udp", 1, 12))
    stages = {
        s.stage: s for s in path(sample(sockets=before), sample(1.0, after, Udp__InErrors=8, Udp__RcvbufErrors=8))
    }
    assert losses(stages) == {"udp_receive_queue": 12}
    assert {c.name: c.loss for c in stages["udp_receive_queue"].counters if c.loss} == {
        "sockets.udp.drops": 4,
        "Udp.RcvbufErrors": 8,
    }


def test_a_surplus_that_the_load_explains_is_no_other_loss() -> None:
    """Drops go on while tables are read: sockets that show more than the counters did before are no further loss."""
    before = PathSample(
        0.0,
        counters(Udp__InErrors=1100, Udp__RcvbufErrors=1100),
        queues(("udp", 1, 1050)),
        first=counters(Udp__InErrors=1000),
    )
    after = PathSample(
        1.0,
        counters(Udp__InErrors=9000, Udp__RcvbufErrors=9000),
        queues(("udp", 1, 9040)),
        first=counters(Udp__InErrors=8900),
    )
    # 7990 at the sockets, 7900 between the later readings, at most 8000 between the first and the last.
    assert losses({s.stage: s for s in path(before, after)}) == {"udp_receive_queue": 7900}
    filtered = PathSample(1.0, after.counters, queues(("udp", 1, 9550)), first=after.first)
    assert losses({s.stage: s for s in path(before, filtered)}) == {"udp_receive_queue": 8400}


def test_an_echo_that_the_load_explains_is_no_other_loss() -> None:
    """IP counts what a queueing discipline refuses, and is read later than it."""
    before = PathSample(
        0.0, counters(Ip__OutDiscards=100, qdisc__0__drops=95), queues(), first=counters(Ip__OutDiscards=90)
    )
    after = PathSample(
        1.0, counters(Ip__OutDiscards=520, qdisc__0__drops=505), queues(), first=counters(Ip__OutDiscards=500)
    )
    assert losses({s.stage: s for s in path(before, after)}) == {"qdisc": 410}


def test_unknown_drops_are_not_zero() -> None:
    """A packet socket seen in /proc only, and one with a ring."""
    unknown = queues(("packet", 1, None))
    (stage,) = (s for s in path(sample(sockets=unknown), sample(1.0, unknown)) if s.stage == "other_receive_queues")
    assert (stage.loss, stage.loss_total) == (None, None)
    ring = queues(rings=1)
    (stage,) = (s for s in path(sample(sockets=ring), sample(1.0, ring)) if s.stage == "other_receive_queues")
    assert (stage.loss, stage.loss_total) == (None, None)
    assert "ring" in stage.unseen[0]


def test_rings_and_queues_of_batches() -> None:
    """Rings, waiting bytes and waiting connections."""
    found = SocketQueues()
    ring = PacketAttrs(rx_ring=PacketRing(4096, 1, 2048, 2, 0, 0, 0))
    found.add(Batch.of([Socket("packet", "AF_INET", recv_q=5, skmem=SkMem(drops=1), packet=ring)]))
    found.add(
        Batch.of(
            [
                Socket("tcp", "AF_INET", state="LISTEN", recv_q=3),
                Socket("tcp", "AF_INET", state="ESTABLISHED", recv_q=100),
            ]
        )
    )
    assert (found.rings, found.recv_q_bytes, found.accept_queue) == (1, {"packet": 5, "tcp": 100}, {"tcp": 3})
    (stage,) = (s for s in path(None, PathSample(0.0, Counters(ZERO), found)) if s.stage == "read")
    levels = {c.name: c.value for c in stage.counters if c.role == "level"}
    assert levels == {"sockets.packet.recv_q_bytes": 5, "sockets.tcp.recv_q_bytes": 100, "sockets.tcp.accept_queue": 3}


@pytest.mark.parametrize(
    ("missing", "stages"),
    [
        ("TcpExt", {"listener", "tcp_backlog", "tcp_receive_queue", "ipv4_in", "tcp_in"}),
        ("softnet_stat", {"softnet"}),
        ("dev", {"nic_rx", "nic_tx"}),
        ("Ip6", set()),
        ("nf_conntrack", set()),
    ],
)
def test_unread_sources(missing: str, stages: set[str]) -> None:
    """Without a source the stages that need it are unknown; what a kernel may lack is not missing."""
    values = Counters({name: value for name, value in ZERO.items() if name.partition(".")[0] != missing})
    found = path(PathSample(0.0, values, queues()), PathSample(1.0, values, queues()))
    assert {stage.stage for stage in found if stage.loss is None} == stages | {"netfilter"}
    assert {stage.stage for stage in found if stage.loss_total is None} == stages | {"netfilter"}
    assert ("ipv6_in" in {stage.stage for stage in found}) == (missing != "Ip6")


def test_unread_qdiscs_and_tables() -> None:
    """What the caller could not read is unknown."""
    values = Counters({name: value for name, value in ZERO.items() if not name.startswith("qdisc")})
    sockets = SocketQueues()
    sockets.start(("tcp", "udp", "udplite", "icmp", "packet", "netlink"))
    unread = frozenset(("qdisc", "qdisc_ingress", "sockets.raw"))
    samples = [PathSample(at, values, sockets, unread=unread) for at in (0.0, 1.0)]
    found = {stage.stage: stage for stage in path(samples[0], samples[1])}
    assert {name for name, stage in found.items() if stage.loss is None} == {
        "netfilter",
        "qdisc",
        "qdisc_ingress",
        "other_receive_queues",
    }
    known = [PathSample(at, values, queues()) for at in (0.0, 1.0)]
    found = {stage.stage: stage for stage in path(known[0], known[1])}
    assert "qdisc_ingress" not in found
    assert found["qdisc"].loss == 0


def test_reset_counter() -> None:
    """A counter that went backwards is unknown; what the others lost is a minimum."""
    before, after = sample(dev__0__rx_drop=9), sample(1.0, dev__0__rx_drop=2, dev__0__rx_errs=4)
    (stage,) = (s for s in path(before, after) if s.stage == "nic_rx")
    assert (stage.loss, stage.loss_is_minimum) == (4, True)
    assert {c.name: (c.delta, c.loss) for c in stage.counters if c.name.endswith("rx_drop")} == {
        "dev.0.rx_drop": (None, None)
    }
    (stage,) = (s for s in path(before, sample(1.0, dev__0__rx_drop=2)) if s.stage == "nic_rx")
    assert stage.loss is None


def test_rows_have_names_with_dots() -> None:
    """A VLAN's name has a dot; its parts stay within its own counters."""
    values = {**ZERO, "dev.eth0.7.rx_errs": 3, "dev.eth0.7.rx_fifo": 2, "dev.eth0.7.rx_drop": 0}
    (stage,) = (s for s in path(None, PathSample(0.0, Counters(values), queues())) if s.stage == "nic_rx")
    assert stage.loss_total == 3
    assert {c.name: c.within for c in stage.counters if c.value} == {
        "dev.eth0.7.rx_errs": None,
        "dev.eth0.7.rx_fifo": "dev.eth0.7.rx_errs",
    }
    assert {c.scope for c in stage.counters} == {NETNS}


def test_drops_of_raw_sockets_are_not_also_of_an_unknown_protocol() -> None:
    """What a raw socket had no room for is told at the socket; more of an unknown protocol than that is told at IP."""
    before = sample(sockets=queues(("raw", 1, 5)), Ip__InUnknownProtos=5)
    after = sample(2.0, queues(("raw", 1, 9)), Ip__InUnknownProtos=11)
    assert losses({stage.stage: stage for stage in path(before, after)}) == {"ipv4_in": 2, "other_receive_queues": 4}
