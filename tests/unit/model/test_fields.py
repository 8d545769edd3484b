"""The catalogue of fields."""

from __future__ import annotations

import pytest

from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch, Column
from sockdiag.model.fields import ALIASES, catalogue, entries, resolve, resolve_in, suggest
from sockdiag.model.inet_attrs import InetAttrs
from sockdiag.model.link_attrs import PacketAttrs, PacketRing
from sockdiag.model.record import COUNTER, GAUGE, Record
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket, Timer
from sockdiag.model.tcp_info import TcpInfo

SOCKET = Socket(
    "tcp",
    "AF_INET",
    state="LISTEN",
    local=Endpoint("10.0.0.1", 22),
    uid=0,
    recv_q=3,
    skmem=SkMem(50, 200, drops=1),
    timer=Timer("persist", 5, 1),
    processes=(Owner(10, b"a", 3), Owner(11, b"b", 4, container="web")),
    packet=PacketAttrs(rx_ring=PacketRing(1, 2, 3, 4, 5, 6, 7)),
)


def test_names_are_unique_and_resolve() -> None:
    """Each name is found again, and leads to the same declaration and value."""
    names = [entry.name for entry in catalogue()]
    assert len(set(names)) == len(names)
    for entry in catalogue():
        again = resolve(entry.name)
        assert again is not None
        assert again.field is entry.field
        assert again.get(SOCKET) == entry.get(SOCKET)
        assert again.needs == entry.needs


def test_order() -> None:
    """Fields stand in the order of the records, members behind their record, derived ones last."""
    names = [entry.name for entry in catalogue()]
    assert names[:2] == ["netid", "family"]
    assert names[-2:] == ["fill", "user"]
    at = names.index("local")
    assert names[at : at + 4] == ["local", "local.address", "local.port", "local.interface"]
    assert names.index("tcp_info.rtt_us") > names.index("tcp_info")


def test_every_field_is_declared_in_full() -> None:
    """Each has help, a type and a kind; quantities have units, but for gains, which are multiples of 1/256, and seconds."""
    for entry in catalogue():
        assert entry.field.help, entry.name
        assert entry.annotation, entry.name
        if entry.field.kind in (GAUGE, COUNTER) and entry.annotation.removesuffix(" | None") in ("int", "float"):
            assert entry.field.unit or entry.name.endswith(("_gain", "_s")), entry.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("netid", "tcp"),
        ("recv_q", 3),
        ("local.port", 22),
        ("skmem.drops", 1),
        ("peer.address", None),
        ("tcp_info", None),
        ("tcp_info.rtt_us", None),
        ("inet.bbr.min_rtt_us", None),
        ("processes.pid", (10, 11)),
        ("processes.container", (None, "web")),
        ("timer.expires_ms", 5),
        ("packet.rx_ring.block_nr", 2),
        ("packet.memberships.address", None),
        ("fill", 0.25),
    ],
)
def test_values(name: str, value: object) -> None:
    """A field's value in a record; below a tuple, that of each element."""
    entry = resolve(name)
    assert entry is not None
    assert entry.get(SOCKET) == value


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("process", "processes.comm"),
        ("pid", "processes.pid"),
        ("rtt", "tcp_info.rtt_us"),
        ("drops", "skmem.drops"),
        ("tcp_info.rtt", "tcp_info.rtt_us"),
        ("timer.expires", "timer.expires_ms"),
        ("tcp_info.notsent", "tcp_info.notsent_bytes"),
        ("tcp_info.pacing_rate", "tcp_info.pacing_rate_bytes_per_s"),
        ("inet.bbr.min_rtt", "inet.bbr.min_rtt_us"),
        ("sport", "local.port"),
        ("fill", "fill"),
        ("user", "user"),
        ("nosuch", None),
        ("skmem.nosuch", None),
        ("recv_q.x", None),
        ("", None),
        ("skmem.", None),
        (".", None),
    ],
)
def test_resolve(name: str, found: str | None) -> None:
    """Names, aliases, and names without the unit."""
    entry = resolve(name)
    assert (None if entry is None else entry.name) == found


def test_aliases_hide_no_field() -> None:
    """An alias leads to a field, and is none itself."""
    for alias, name in ALIASES.items():
        assert resolve_in(Socket, alias) is None or alias == name, alias
        assert resolve(name) is not None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("recvq", "recv_q"),
        ("Recv-Q", "recv_q"),
        ("rcvbuf", "skmem.rcvbuf"),
        ("cwnd", "tcp_info.snd_cwnd"),
        ("proces", "process"),
        ("skmem.drop", "skmem.drops"),
        ("expires", "timer.expires_ms"),
        ("xyzzy", None),
    ],
)
def test_suggest(name: str, near: str | None) -> None:
    """The nearest name, or none."""
    assert suggest(name) == near


def test_needs_come_from_all_levels() -> None:
    """What a record needs, its fields need."""
    found = {
        name: resolve(name)
        for name in ("skmem.drops", "processes.pid", "inet.ulp.name", "fill", "recv_q", "unix.vfs_ino")
    }
    needs = {name: set(entry.needs) for name, entry in found.items() if entry is not None}
    assert needs == {
        "skmem.drops": {"skmem"},
        "processes.pid": {"owners"},
        "inet.ulp.name": {"inet", "tcp_info"},
        "fill": {"skmem"},
        "recv_q": set(),
        "unix.vfs_ino": {"details"},
    }


def test_other_records() -> None:
    """The fields of any record can be listed and found."""
    assert [entry.name for entry in entries(Timer)] == ["name", "expires_ms", "retransmits"]
    entry = resolve_in(Timer, "expires")
    assert entry is not None
    assert entry.get(Timer("persist", 7)) == 7
    assert isinstance(SOCKET, Record)


@pytest.mark.parametrize(
    ("name", "netid", "state", "source", "absent"),
    [
        ("peer.port", "netlink", "CLOSE", "netlink", True),
        ("peer", "netlink", "ESTABLISHED", "netlink", False),
        ("peer.port", "netlink", None, "proc", False),
        ("protocol", "unix", "LISTEN", "netlink", True),
        ("tcp_info.rtt_us", "udp", "CLOSE", "netlink", True),
        ("tcp_info.rtt_us", "tcp", "ESTABLISHED", "netlink", False),
        ("tcp_info.rtt_us", "tcp", "TIME_WAIT", "netlink", True),
        ("tcp_info.rtt_us", "tcp", "LISTEN", "netlink", True),
        ("skmem.drops", "tcp", "TIME_WAIT", "proc", True),
        ("skmem.drops", "tcp", "LISTEN", "proc", False),
        ("timer.name", "tcp", "LISTEN", "proc", True),
        ("local.interface", "tcp", "LISTEN", "netlink", True),
        ("local.interface", "tcp", "LISTEN", "proc", False),
        ("mark", "unix", "CLOSE", "netlink", True),
        ("mark", "tcp", "LISTEN", "netlink", False),
        ("local.address", "unix", "CLOSE", "proc", True),
        ("local.address", "tcp", "CLOSE", "netlink", False),
        ("peer.address", "unix", "ESTABLISHED", "netlink", False),
        ("peer.address", "unix", "LISTEN", "netlink", True),
        ("uid", "tcp", "FIN_WAIT1", "netlink", False),
        ("recv_q", "tcp", None, "netlink", False),
        ("packet.rx_ring.frame_nr", "packet", "CLOSE", "netlink", True),
        ("packet.rx_ring", "packet", "CLOSE", "proc", False),
    ],
)
def test_absent_or_unknown(name: str, netid: str, state: str | None, source: str, absent: bool) -> None:
    """None is "has none" where such a socket cannot have it, or its source tells of all that have."""
    entry = resolve(name)
    assert entry is not None
    assert entry.is_absent(netid, state, source) is absent


def batch() -> Batch:
    sockets = [SOCKET, SOCKET._replace(inet=InetAttrs(tos=4), timer=None, recv_q=None)]
    columns = {
        "recv_q": Column("", [[3, None]]),
        "local.port": Column("", [[22, 22]]),
        "skmem.rmem_alloc": Column("", [[50, 50]]),
        "skmem.rcvbuf": Column("", [[200, 200]]),
        "timer": Column("", [[SOCKET.timer, None]]),
        "inet": Column("", [[None, InetAttrs(tos=4)]]),
        "processes": Column("", [[SOCKET.processes, SOCKET.processes]]),
    }
    return Batch(2, lambda: sockets, {"netid": "tcp", "state": "LISTEN", "uid": 0}, columns)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("recv_q", [3, None]),
        ("netid", ["tcp", "tcp"]),
        ("local.port", [22, 22]),
        ("skmem.rcvbuf", [200, 200]),
        ("timer.name", ["persist", None]),
        ("inet.tos", [None, 4]),
        ("inet.bbr.min_rtt_us", [None, None]),
        ("processes.pid", [(10, 11), (10, 11)]),
        ("cookie", [None, None]),
        ("fill", [0.25, 0.25]),
        ("skmem", [SOCKET.skmem, SOCKET.skmem]),
        ("local", [SOCKET.local, SOCKET.local]),
        ("skmem.backlog", [None, None]),
        ("tcp_info.rtt_us", [None, None]),
    ],
)
def test_values_of_a_batch(name: str, values: list[object]) -> None:
    """Columns, constants, members of records in columns, and records where columns do not tell."""
    entry = resolve(name)
    assert entry is not None
    assert list(entry.values(batch())) == values
    assert list(entry.values(Batch.of(list(batch().sockets())))) == [entry.get(s) for s in batch().sockets()]


def test_user_names() -> None:
    """The derived user is the name that the caller's function gives, and a number without one; unknown stays unknown."""
    entry = resolve("user", lambda uid: {0: "root"}.get(uid) or str(uid))
    assert entry is not None
    assert entry.get(SOCKET) == "root"
    assert entry.get(SOCKET._replace(uid=4_000_000_001)) == "4000000001"
    assert entry.get(SOCKET._replace(uid=None)) is None
    numeric = resolve("user")
    assert numeric is not None
    assert numeric.get(SOCKET) == "0"
    assert numeric.get(SOCKET._replace(uid=None)) is None


def test_tcp_info_is_not_imported_before_it_is_named() -> None:
    """Names that do not lead into it cost nothing of it."""
    assert TcpInfo.__module__ == "sockdiag.model.tcp_info"
    import subprocess
    import sys

    program = (
        "import sys; from sockdiag.model.fields import resolve; resolve('recv_q'); resolve('fill'); resolve('pid');"
        "print('sockdiag.model.tcp_info' in sys.modules, 're' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
