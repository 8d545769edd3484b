"""What ``sockdiag limits`` says of a sysctl is what sockets then do: each in a network namespace of its own."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.analysis.limits.effects import so_rcvbuf, so_sndbuf
from sockdiag.analysis.limits.rows import limits
from sockdiag.analysis.memory import protocol_memory
from sockdiag.model.sysctl import release_version
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.proc.net_protocols import read_protocols
from sockdiag.sources.proc.net_sockstat import read_sockstat
from sockdiag.sources.proc.sys_net import read_page_size, read_sysctls
from sockdiag.sources.system.proc_root import ProcRoot
from tests.live import limit_probes as probes

if TYPE_CHECKING:
    from sockdiag.model.sysctl import Limit, Sysctls
    from tests.live.world.namespace import Namespace

# A kernel timer counts from the tick before it was set, so each may fire one tick early; a tick is 10 ms at most.
TICK_S = 0.01


def _read() -> Sysctls:
    return read_sysctls(ProcRoot())


def limit(namespace: Namespace, name: str, **sysctls: object) -> Limit:
    """Set sysctls (``__`` for a dot) in a namespace and return the row of one that is read there."""
    for key, value in sysctls.items():
        namespace.call(probes.sysctl, key.replace("__", "."), value)
    read = namespace.call(_read)
    rows = limits(read, read_page_size(ProcRoot()), release_version(os.uname().release))
    return next(row for row in rows if row.name == name)


def number(row: Limit) -> int:
    """Return the effect where it is one number."""
    assert isinstance(row.effective, int)
    return row.effective


def test_start_of_tcp_buffers(empty_netns: Namespace) -> None:
    """A new TCP socket has the middle numbers of tcp_rmem and tcp_wmem, all others the defaults of net.core."""
    receive = limit(empty_netns, "net.ipv4.tcp_rmem", net__ipv4__tcp_rmem="4096 150000 300000")
    send = limit(empty_netns, "net.ipv4.tcp_wmem", net__ipv4__tcp_wmem="4096 20000 400000")
    assert (receive.effective, send.effective) == ((150000, 300000), (20000, 400000))
    others = (
        number(limit(empty_netns, "net.core.rmem_default")),
        number(limit(empty_netns, "net.core.wmem_default")),
    )
    found = empty_netns.call(probes.buffers)
    for kind, sizes in found.items():
        assert sizes == ((150000, 20000) if kind in ("tcp", "tcp6") else others), kind


@pytest.mark.parametrize(
    ("name", "option", "rule"),
    [
        ("net.core.rmem_max", socket.SO_RCVBUF, so_rcvbuf),
        ("net.core.wmem_max", socket.SO_SNDBUF, so_sndbuf),
    ],
)
def test_asked_buffers(empty_netns: Namespace, name: str, option: int, rule: Any) -> None:
    """What is asked is cut and doubled: below, at and above the cap, and at the floor, for sockets of each kind."""
    row = limit(empty_netns, name)
    assert isinstance(row.value, int)
    values = [0, 1, 1152, 1153, 2304, 2305, 100001, row.value - 1, row.value, row.value + 1, 2**31 - 1]
    expected = [rule(value, row.value) for value in values]
    found = empty_netns.call(probes.asked, option, values)
    assert found == dict.fromkeys(probes.KINDS, expected)
    assert max(expected) == row.effective


def test_auto_tuning(empty_netns: Namespace) -> None:
    """Buffers grow by themselves, to the last number and no further; the caps of net.core do not matter."""
    receive = limit(empty_netns, "net.ipv4.tcp_rmem", net__ipv4__tcp_rmem="4096 131072 400000")
    send = limit(empty_netns, "net.ipv4.tcp_wmem", net__ipv4__tcp_wmem="4096 16384 300000")
    rcvbufs, sndbufs = empty_netns.call(probes.stream)
    assert receive.effective == (rcvbufs[0], 400000)
    assert rcvbufs[0] < max(rcvbufs) <= 400000
    assert send.effective == (16384, 300000)
    assert 16384 < max(sndbufs) <= 300000


def test_auto_tuning_off(empty_netns: Namespace) -> None:
    """Without tcp_moderate_rcvbuf, or once SO_RCVBUF is set, the receive buffer stays."""
    rcvbufs, _ = empty_netns.call(probes.stream, 100000)
    assert set(rcvbufs) == {200000}
    row = limit(empty_netns, "net.ipv4.tcp_rmem", net__ipv4__tcp_moderate_rcvbuf=0)
    rcvbufs, _ = empty_netns.call(probes.stream)
    assert set(rcvbufs) == {row.effective}


def test_somaxconn(empty_netns: Namespace) -> None:
    """The backlog is cut and the accept queue holds one more."""
    row = limit(empty_netns, "net.core.somaxconn", net__core__somaxconn=5)
    assert empty_netns.call(probes.accept_queue, 12) == (row.value, row.effective) == (5, 6)
    assert empty_netns.call(probes.accept_queue, 3) == (3, 4)


def test_unix_datagrams(empty_netns: Namespace) -> None:
    """A unix socket takes one datagram more than max_dgram_qlen."""
    row = limit(empty_netns, "net.unix.max_dgram_qlen", net__unix__max_dgram_qlen=7)
    assert empty_netns.call(probes.unix_datagrams) == row.effective == 8


def test_ports(empty_netns: Namespace) -> None:
    """The range less the reserved ports, for each destination again, and for bind(2) once for each protocol."""
    row = limit(
        empty_netns,
        "net.ipv4.ip_local_port_range",
        net__ipv4__ip_local_port_range="40000 40019",
        net__ipv4__ip_local_reserved_ports="39990-40000,40003,40010-40011,50000",
    )
    expected = sorted(set(range(40000, 40020)) - {40000, 40003, 40010, 40011})
    assert row.effective == len(expected) == 16
    assert limit(empty_netns, "net.ipv4.ip_local_reserved_ports").effective == 4
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        assert sorted(empty_netns.call(probes.bindable_ports, kind)) == expected
    assert [sorted(ports) for ports in empty_netns.call(probes.ports_for, 2)] == [expected, expected]


def test_reserved_ports_as_printed(empty_netns: Namespace) -> None:
    """The row's text is the file's."""
    row = limit(
        empty_netns, "net.ipv4.ip_local_reserved_ports", net__ipv4__ip_local_reserved_ports="7,9000-9100,8080,8081"
    )
    printed = empty_netns.run(["cat", row.source]).stdout.strip()
    assert row.value == printed == "7,8080-8081,9000-9100"


@pytest.mark.parametrize(("retries", "linear"), [(1, 0), (1, 1)])
def test_syn_retries(empty_netns: Namespace, retries: int, linear: int) -> None:
    """connect(2) gives up after the time told, and not one retry later."""
    row = limit(
        empty_netns,
        "net.ipv4.tcp_syn_retries",
        net__ipv4__tcp_syn_retries=retries,
        net__ipv4__tcp_syn_linear_timeouts=linear,
    )
    expected = number(row) / 1000
    assert expected == linear + 1 + 2
    assert expected - (retries + linear + 1) * TICK_S <= empty_netns.call(probes.connect_to_nobody) < expected + 4


def test_synack_retries(empty_netns: Namespace) -> None:
    """A request leaves the SYN queue after the time told, and not one retry later."""
    row = limit(empty_netns, "net.ipv4.tcp_synack_retries", net__ipv4__tcp_synack_retries=1)
    expected = number(row) / 1000
    assert expected == 1 + 2
    # The first one makes the device behind which nobody answers.
    empty_netns.make("tcp_syn_sent", family=socket.AF_INET).close()
    handle = empty_netns.make("tcp_syn_recv", family=socket.AF_INET, count=1)
    # The request was made before its factory returned: by how much is not known, so there is no lower bound but the
    # first interval.
    seconds = empty_netns.call(probes.until_no_request)
    assert 1 <= seconds < expected + 4
    handle.close()


def test_keepalive(empty_netns: Namespace) -> None:
    """A vanished peer is noticed after the time told, and not one probe later."""
    row = limit(
        empty_netns,
        "net.ipv4.tcp_keepalive_time",
        net__ipv4__tcp_keepalive_time=1,
        net__ipv4__tcp_keepalive_intvl=1,
        net__ipv4__tcp_keepalive_probes=2,
    )
    expected = number(row) / 1000
    assert expected == 3
    assert expected - 3 * TICK_S <= empty_netns.call(probes.keepalive_to_nobody) < expected + 1


def latest(expected: float) -> float:
    """Return the time by which a connection ends that is given up at the first timeout after *expected*.

    That time counts from the first retransmission, which follows a loss probe and a first timeout, each at most R:
    200 ms, the round trip and its variance, on loopback less than 300 ms. The timeouts then double, so that the last one,
    which begins before *expected* is over, is no longer than all before it and 2 R.
    """
    return 2 * expected + 4 * 0.3


def test_retries2(empty_netns: Namespace) -> None:
    """A connection whose data nobody acknowledges lives as long as told at the least."""
    row = limit(empty_netns, "net.ipv4.tcp_retries2", net__ipv4__tcp_retries2=2)
    expected = number(row) / 1000
    assert expected == pytest.approx(0.2 + 0.4 + 0.8)
    assert expected - 3 * TICK_S <= empty_netns.call(probes.data_to_nobody) < latest(expected)


def test_orphan_retries(empty_netns: Namespace) -> None:
    """The same for a socket that was closed."""
    row = limit(empty_netns, "net.ipv4.tcp_orphan_retries", net__ipv4__tcp_orphan_retries=2)
    expected = number(row) / 1000
    seconds = empty_netns.call(probes.orphan, b"x")
    assert expected - 3 * TICK_S <= seconds < latest(expected)


def test_fin_timeout(empty_netns: Namespace) -> None:
    """An orphan waits in FIN_WAIT2 for the time told."""
    row = limit(empty_netns, "net.ipv4.tcp_fin_timeout", net__ipv4__tcp_fin_timeout=2)
    expected = number(row) / 1000
    seconds = empty_netns.call(probes.orphan, b"")
    # Timers beyond a second are batched: the timer wheel rounds up by at most an eighth.
    assert expected - TICK_S <= seconds < expected * 9 / 8 + 0.5


def test_time_wait_buckets(empty_netns: Namespace) -> None:
    """Beyond the limit sockets skip TIME_WAIT and are counted."""
    row = limit(empty_netns, "net.ipv4.tcp_max_tw_buckets", net__ipv4__tcp_max_tw_buckets=3)
    assert empty_netns.call(probes.time_waits, 8) == (row.effective, 5) == (3, 5)


def test_window_scaling(empty_netns: Namespace) -> None:
    """Without it no window is larger than 65535 bytes."""
    scaled, window = empty_netns.call(probes.window_scaling)
    assert scaled
    row = limit(empty_netns, "net.ipv4.tcp_window_scaling", net__ipv4__tcp_window_scaling=0)
    assert "65535" in row.note
    scaled, window = empty_netns.call(probes.window_scaling)
    assert not scaled
    assert window <= 65535


def test_notsent_lowat(empty_netns: Namespace) -> None:
    """A socket takes more while less than that is unsent: it refuses only when it has reached it."""
    row = limit(empty_netns, "net.ipv4.tcp_notsent_lowat")
    assert row.note.startswith("Off")
    most = empty_netns.call(probes.unsent)
    row = limit(empty_netns, "net.ipv4.tcp_notsent_lowat", net__ipv4__tcp_notsent_lowat=20000)
    assert number(row) <= empty_netns.call(probes.unsent) < most


def test_option_memory(empty_netns: Namespace) -> None:
    """What is larger than optmem_max is refused with the errors told."""
    row = limit(empty_netns, "net.core.optmem_max", net__core__optmem_max=8192)
    assert row.effective == 8192
    assert empty_netns.call(probes.options, 9000) == (errno.ENOMEM, errno.ENOBUFS)
    assert empty_netns.call(probes.options, 2000)[0] is None


def test_memberships(empty_netns: Namespace) -> None:
    """A socket is in as many groups as told."""
    row = limit(empty_netns, "net.ipv4.igmp_max_memberships", net__ipv4__igmp_max_memberships=3)
    assert empty_netns.call(probes.memberships, number(row)) is None
    assert empty_netns.call(probes.memberships, number(row) + 1) == errno.ENOBUFS


def test_unprivileged_ports(empty_netns: Namespace) -> None:
    """Nobody may bind to the first port told, and not to the one below."""
    row = limit(empty_netns, "net.ipv4.ip_unprivileged_port_start", net__ipv4__ip_unprivileged_port_start=500)
    assert empty_netns.call(probes.unprivileged_bind, number(row)) is None
    assert empty_netns.call(probes.unprivileged_bind, number(row) - 1) == errno.EACCES


@pytest.mark.parametrize(("protocol", "asked"), [("tcp", 1000), ("udp", 200)])
def test_hash_of_a_child(empty_netns: Namespace, protocol: str, asked: int) -> None:
    """A namespace made from here has a hash of the size told; this one shares the host's."""
    name = {"tcp": "net.ipv4.tcp_child_ehash_entries", "udp": "net.ipv4.udp_child_hash_entries"}[protocol]
    file = {"tcp": "tcp_ehash_entries", "udp": "udp_hash_entries"}[protocol]
    row = limit(empty_netns, name, **{name.replace(".", "__"): asked})
    child = empty_netns.run(["unshare", "--net", "cat", f"/proc/sys/net/ipv4/{file}"]).stdout
    assert row.effective == int(child)
    own = limit(empty_netns, f"net.ipv4.{file}")
    assert own.value == -number(own)
    assert own.effective == int(Path(f"/proc/sys/net/ipv4/{file}").read_text())


def test_what_a_namespace_does_not_show(empty_netns: Namespace) -> None:
    """Exactly the limits that are declared as the initial namespace's are unknown, in one gap, and so is what they bound."""
    here, there = _read(), empty_netns.call(_read)
    assert set(here.values) - set(there.values) == {s.name for s in SYSCTLS.values() if s.initial_only} & set(
        here.values
    )
    assert here.gaps() == ()
    (gap,) = there.gaps()
    assert "net.ipv4.tcp_mem, net.ipv4.udp_mem" in gap.reason
    page, cpus = probes.page_and_cpus()
    files = ProcRoot()
    for read, visible in ((here, True), (there, False)):
        tcp, udp, *_ = protocol_memory(read_sockstat(files), read_protocols(files), read, page, len(cpus))
        for memory in (tcp, udp):
            assert memory.pages is not None
            assert memory.bytes == memory.pages * page
            assert (memory.ratio is not None, memory.uncertainty_pages is not None, memory.note == "") == (visible,) * 3
    row = limit(empty_netns, "net.ipv4.tcp_mem")
    assert (row.value, row.effective) == (None, None)
    assert row.note.endswith("Unknown: not visible in this network namespace.")


def test_scope(empty_netns: Namespace) -> None:
    """What is declared as the host's has one value everywhere and cannot be set here; all else has one of its own."""
    there = empty_netns.call(_read)
    for sysctl in SYSCTLS.values():
        if not sysctl.path.startswith("/proc/sys/net") or sysctl.name not in there:
            continue
        mode = int(empty_netns.run(["stat", "-c", "%a", sysctl.path]).stdout, 8)
        # What tells a state of the namespace cannot be set either.
        told = sysctl.name in (
            "net.ipv4.tcp_ehash_entries",
            "net.ipv4.udp_hash_entries",
            "net.netfilter.nf_conntrack_count",
        )
        assert (mode == 0o444) == (sysctl.scope == "host" or told), sysctl.name


def test_page_size() -> None:
    """The size of a page is the system's."""
    assert read_page_size(ProcRoot()) == probes.page_and_cpus()[0]


def test_protocols_are_compared_with_the_limits_of_the_host(empty_netns: Namespace) -> None:
    """`memory` in another namespace shows the limits of the initial one, where that can be entered."""
    here = Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()
    shown = json.loads(
        empty_netns.run([sys.executable, "-m", "sockdiag", "memory", "--json"], stderr=subprocess.DEVNULL).stdout
    )
    assert [row["limit_pages"] for row in shown["protocols"] if row["protocol"] == "TCP"] == [int(here[2])]
