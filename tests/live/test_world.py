"""The world is what its factories say, by the kernel's own tables and by ss. Nothing of sockdiag is used here."""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.world import observe, ss, worker
from tests.live.world.facts import FACTORIES, label
from tests.live.world.release import kernel_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import World
    from tests.live.world.facts import Fact
    from tests.live.world.namespace import Namespace

worker.load_factories()
CALLS = [label(factory.name, arguments) for factory in FACTORIES.values() for arguments in factory.variants]
INET_TABLES = ("tcp", "udp", "udplite", "raw", "icmp")


def inet_row(world: World, fact: Fact) -> observe.InetRow:
    """Find the one row of /proc that is a fact's socket: by inode, or by its ends where it has none."""
    rows = observe.inet_rows(fact.netid, world.namespace.pid)
    key = (fact.family, fact.state, fact.local, fact.peer, fact.inode)
    (row,) = (row for row in rows if (row.family, row.state, row.local, row.peer, row.inode) == key)
    return row


def test_all_tcp_states_are_in_the_world(world: World) -> None:
    """Each state that the kernel reports is there, for IPv4 and IPv6."""
    shown = {(row.family, row.state) for row in observe.inet_rows("tcp", world.namespace.pid)}
    visible = set(observe.TCP_STATES) - {"", "CLOSE"}
    assert shown == {(family, state) for family in ("AF_INET", "AF_INET6") for state in visible}


@pytest.mark.parametrize("netid", INET_TABLES)
def test_inet_table_holds_the_facts_and_nothing_else(world: World, netid: str) -> None:
    rows = observe.inet_rows(netid, world.namespace.pid)
    shown = Counter((row.family, row.state, row.local, row.peer, row.inode) for row in rows)
    facts = world.listed(netid, "proc")
    assert shown == Counter((fact.family, fact.state, fact.local, fact.peer, fact.inode) for fact in facts)


@pytest.mark.parametrize(("option", "netid"), [("-t", "tcp"), ("-u", "udp"), ("-w", "raw"), ("-M", "mptcp")])
def test_ss_lists_the_facts_and_nothing_else(world: World, option: str, netid: str) -> None:
    facts = [fact for fact in world.facts if fact.netid == netid and set(fact.where) & {"proc", "netlink"}]
    v6only = world.namespace.call(observe.v6only, [fact.fd for fact in facts if fact.family == "AF_INET6"])
    # Where raw sockets have no sock_diag handler ss reads /proc, which does not know v6only.
    known = dict.fromkeys(v6only, 0) if netid == "raw" else v6only
    shown = Counter((row.state, row.local, row.peer) for row in ss.inet_rows(world.namespace, option))
    assert shown == Counter(ss.fact_ends(fact, known.get(fact.fd, 1)) for fact in facts)


@pytest.mark.parametrize("call", CALLS)
def test_factory(world: World, call: str) -> None:
    """What a factory says of each of its sockets is what the kernel says."""
    for fact in world.of(call):
        if fact.fd >= 0:
            assert os.readlink(f"/proc/{fact.pid}/fd/{fact.fd}") == f"socket:[{fact.inode}]"
        if "proc" not in fact.where:
            assert all(fact.inode not in inodes(world, netid) for netid in ("tcp", "udp", "raw", "netlink"))
        elif fact.netid in INET_TABLES:
            check_inet(world, fact)
        else:
            {"unix": check_unix, "netlink": check_netlink, "packet": check_packet}[fact.netid](world, fact)


def inodes(world: World, netid: str) -> set[int]:
    """Return the inodes that a table of /proc lists, of files."""
    if netid == "netlink":
        return {int(row["Inode"]) for row in observe.table("netlink", world.namespace.pid)}
    # A subflow is listed in tcp under the inode of its MPTCP socket.
    subflows = {fact.inode for fact in world.facts if fact.netid == "mptcp"}
    return {row.inode for row in observe.inet_rows(netid, world.namespace.pid)} - subflows


def check_inet(world: World, fact: Fact) -> None:
    row = inet_row(world, fact)
    expect = fact.expect
    assert row.timer == expect.get("timer", row.timer)
    assert row.drops == expect.get("drops", row.drops)
    # /proc shows no limit of a listener
    assert row.send_q == (0 if fact.state == "LISTEN" else expect.get("send_q", row.send_q))
    assert row.recv_q == expect.get("recv_q", row.recv_q)
    if "heard" in expect or ("dropped" in expect and fact.netid == "raw"):
        assert row.recv_q > 0
    if "dropped" in expect and fact.netid == "raw":
        assert row.drops
    if "corked" in expect:
        assert row.send_q > 500
    if fact.factory.startswith("udp_queued"):
        assert row.recv_q == 0 or row.recv_q >= 3 * 500


def check_unix(world: World, fact: Fact) -> None:
    pid = world.namespace.pid
    if fact.inode == 0:  # a connection that waits: with the listener's name
        waiting = [row for row in observe.unix_rows(pid) if row.inode == 0 and row.name == fact.local]
        assert [(row.type, row.state) for row in waiting] == [(fact.type, 2)] * 2
        return
    name = fact.local.replace(b"\0", b"@")
    body = world.namespace.proc("unix")
    (line,) = re.findall(rb"^([0-9a-f]{16}: [^\n]* +%d)(?: |\n)" % fact.inode, body, re.MULTILINE)
    assert line + (b" " + name if name else b"") + b"\n" in body
    token = line.split()
    assert int(token[4], 16) == fact.type
    assert int(token[3], 16) == (0x10000 if fact.state == "LISTEN" else 0)
    # struct socket: SS_CONNECTED 3 or SS_UNCONNECTED 1, which a listener and a connected datagram sender stay
    if fact.type != socket.SOCK_DGRAM:
        assert int(token[5], 16) == (3 if fact.state == "ESTABLISHED" else 1)


def check_netlink(world: World, fact: Fact) -> None:
    (row,) = (row for row in observe.table("netlink", world.namespace.pid) if int(row["Inode"]) == fact.inode)
    assert int(row["Eth"]) == fact.protocol
    assert int(row["Pid"]) == fact.local
    expect = fact.expect
    assert int(row["Groups"], 16) == expect.get("groups", 0)
    if "rmem" in expect:
        assert int(row["Rmem"]) == expect["rmem"]
    if "heard" in expect:
        assert int(row["Rmem"]) > 0
    assert bool(int(row["Drops"])) == expect.get("dropped", False)


def check_packet(world: World, fact: Fact) -> None:
    (row,) = (row for row in observe.table("packet", world.namespace.pid) if int(row["Inode"]) == fact.inode)
    assert int(row["Type"]) == fact.type
    assert (int(row["Proto"], 16), int(row["Iface"])) == fact.local
    assert int(row["R"]) == fact.expect.get("running", 1)
    if fact.expect.get("heard"):
        assert int(row["Rmem"]) > 0
    else:
        assert int(row["Rmem"]) == 0


def ss_details(namespace: Namespace, *options: str) -> dict[int, str]:
    """Return the line that ss prints for each inode."""
    lines = namespace.ss("-HnaeO", *options)
    return {int(found[1]): line for line in lines if (found := re.search(r"\bino:(\d+)\b", line))}


@pytest.mark.parametrize(("option", "netid"), [("-t", "tcp"), ("-u", "udp"), ("-M", "mptcp"), ("-0", "packet")])
def test_cookie_is_that_of_ss(world: World, option: str, netid: str) -> None:
    """SO_COOKIE, taken by the holder, is what ss finds by inode."""
    details = ss_details(world.namespace, option)
    facts = [fact for fact in world.listed(netid, "netlink") if fact.cookie]
    assert facts
    for fact in facts:
        assert details[fact.inode].split(" sk:")[1].split()[0] == f"{fact.cookie:x}", fact.name


def test_options_are_those_of_ss(world: World) -> None:
    """Mark, TOS, traffic class, congestion control, MD5 keys, ULP and fixed buffers are set in the kernel."""
    details = {**ss_details(world.namespace, "-u", "-m"), **ss_details(world.namespace, "-t", "-m", "-i", "--tos")}
    wanted: dict[str, Callable[[Any], str]] = {
        "mark": lambda value: f"fwmark:{value:#x}",
        "tos": lambda value: f"tos:{value:#x}",
        "tclass": lambda value: f"tclass:{value:#x}",
        "congestion": lambda value: f" {value} ",
        "md5": lambda _value: " md5keys:",  # the key itself ss 6.1 writes before the table
        "rcvbuf": lambda value: f",rb{value},",
        "sndbuf": lambda value: f",tb{value},",
        "v6only": lambda value: f"v6only:{value}",
        "ulp": lambda value: f"tcp-ulp-{value}",
    }
    seen = set()
    for fact in world.facts:
        for option, value in fact.expect.items():
            if option in wanted:
                assert wanted[option](value) in details[fact.inode], fact.name
                seen.add(option)
    assert seen | {"ulp"} == set(wanted)  # kTLS is seldom built


def test_subflows_say_mptcp(world: World) -> None:
    """The TCP sockets below an MPTCP socket carry its ULP."""
    details = ss_details(world.namespace, "-t", "-i")
    subflows = [fact for fact in world.facts if fact.netid == "tcp" and fact.protocol == 262]
    assert all("tcp-ulp-mptcp" in details[fact.inode] for fact in subflows)
    assert len(subflows) == 6 or "mptcp_listen(AF_INET)" in world.unavailable


def test_listeners_that_dropped_counted_it(world: World) -> None:
    """A refused SYN counts in sk_drops of the listener, as a dropped datagram does in that of its socket."""
    dropped = [fact for fact in world.facts if fact.netid == "tcp" and fact.expect.get("dropped")]
    assert dropped
    for fact in dropped:
        assert world.namespace.call(observe.meminfo, fact.fd)[8] > 0


def test_udp_receiver_that_dropped_is_full(world: World) -> None:
    """A datagram of the size sent does not fit, and what was dropped is what did not arrive."""
    for fact in world.facts:
        if fact.factory.startswith("udp_dropped") and fact.role == "receiver":
            rmem, rcvbuf, *_rest, drops = world.namespace.call(observe.meminfo, fact.fd)
            count = 50 - fact.expect["drops"]
            assert drops == fact.expect["drops"]
            assert rmem + rmem // count > rcvbuf


def test_bound_inactive_needs_its_own_mask_bit(world: World) -> None:
    """Sockets that are bound and idle are in no table of /proc, and in netlink by bit 13 alone."""
    if not kernel_since(6, 8):
        pytest.skip("the kernel has no BOUND_INACTIVE before 6.8")
    bound = Counter((fact.family, fact.local) for fact in world.facts if "netlink-bound" in fact.where)
    assert Counter(world.namespace.call(observe.tcp_dump, 1 << 13)) == bound


def test_unix_queues_are_those_of_ss(world: World) -> None:
    """A listener tells its waiting connections and its limit, a receiver its unread bytes."""
    rows = {}
    for line in "\n".join(world.namespace.ss("-Hna", "-x")).split("\nu_"):
        found = re.search(r"^\S+ \S+ +(\d+) +(\d+) .* (\d+) +\* \d+ *$", line, re.DOTALL)
        assert found
        rows[int(found[3])] = (int(found[1]), int(found[2]))
    for fact in world.listed("unix", "netlink"):
        expect = fact.expect
        if "recv_q" in expect:
            assert rows[fact.inode] == (expect["recv_q"], expect["send_q"]), fact.name
        if "unread" in expect:
            assert rows[fact.inode][0] == expect["unread"], fact.name
        if "charged" in expect:
            assert rows[fact.inode][1] > 0, fact.name


def test_unix_peers_are_those_of_ss(world: World) -> None:
    text = "\n".join(world.namespace.ss("-Hna", "-x"))
    peers = {int(one): int(other) for one, other in re.findall(r" (\d+) +\* (\d+) *$", text, re.MULTILINE)}
    held = {fact.inode for fact in world.facts}
    for fact in world.listed("unix", "netlink"):
        # ss looks a peer up among what it lists, and shows 0 for one without a file
        if fact.inode and fact.expect["peer_inode"] in held:
            assert peers[fact.inode] == fact.expect["peer_inode"], fact.name


def test_ring_fanout_and_filter_are_those_of_ss(world: World) -> None:
    details = ss_details(world.namespace, "-0")
    for fact in world.listed("packet", "netlink"):
        if "ring" in fact.expect:
            size, blocks, frame = fact.expect["ring"]
            assert f"ring_rx(blk_size:{size},blk_nr:{blocks},frm_size:{frame}," in details[fact.inode]
        if "fanout" in fact.expect:
            assert f"fanout(id:{fact.expect['fanout']},type:hash)" in details[fact.inode]
    filters = sum("bpf filter (1):  0x06 0 0 0" in line for line in world.namespace.ss("-HnabO", "-0"))
    # A ring and a fanout group were made of silent sockets too.
    assert filters == sum(
        "rmem" in fact.expect and "running" not in fact.expect for fact in world.facts if fact.netid == "packet"
    )


def test_factory_cleans_up(empty_netns: Namespace) -> None:
    """Closing a handle leaves no socket behind; the folder of unix paths is gone."""
    handle = empty_netns.make("unix_connection", type=socket.SOCK_STREAM, abstract=False)
    path = Path(os.fsdecode(handle["listener"].local))
    assert path.is_socket()
    assert len(observe.unix_rows(empty_netns.pid)) == 3
    handle.close()
    assert not path.parent.exists()
    assert observe.unix_rows(empty_netns.pid) == []


def test_namespace_is_not_the_callers(empty_netns: Namespace) -> None:
    """The caller stays where it was; the new namespace has no sockets, and both address families."""
    assert empty_netns.inode != os.stat("/proc/self/ns/net").st_ino
    assert empty_netns.ss("-Hnta") == []
    assert empty_netns.run(["cat", "/proc/net/if_inet6"]).stdout.split()[-1] == "lo"


def test_namespace_ends_with_its_process(empty_netns: Namespace) -> None:
    empty_netns.make("tcp_listen", family=socket.AF_INET, backlog=5)
    pid = empty_netns.pid
    empty_netns.close()
    assert not Path(f"/proc/{pid}").exists()
