"""A port: how it is written, what its sockets do, and the rules of bind(2)."""

from __future__ import annotations

import pytest

from sockdiag.analysis.bind_conflict import EADDRINUSE, OK, BindRequest, BoundSocket, conflicts, packed
from sockdiag.analysis.port_published import proxied
from sockdiag.analysis.port_target import PORT_TABLES, parse_port
from sockdiag.analysis.port_use import Asker, SeenPort, bind_answers, holders, port_range, role, uses
from sockdiag.errors import UsageError
from sockdiag.model.address import Endpoint
from sockdiag.model.local_addresses import LocalAddresses
from sockdiag.model.port import PortHolder
from sockdiag.model.process import Process
from sockdiag.model.socket import Owner, Socket, Timer

SERVICES = {("http", "tcp"): 80, ("http", "udp"): 80, ("syslog", "udp"): 514, ("x", "tcp"): 1, ("x", "udp"): 2}
BOTH = ("tcp", "udp")


def parsed(text: str) -> tuple[int, tuple[str, ...], str | None]:
    target = parse_port(text, lambda name, protocol: SERVICES.get((name, protocol)), lambda _port: None)
    return target.port, target.tables, target.address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080", (8080, PORT_TABLES, None)),
        (":8080", (8080, PORT_TABLES, None)),
        ("*:8080", (8080, PORT_TABLES, None)),
        ("tcp/8080", (8080, ("tcp",), None)),
        (":8080/udp", (8080, ("udp",), None)),
        ("http", (80, PORT_TABLES, None)),
        (":http", (80, PORT_TABLES, None)),
        ("http/sctp", (80, ("sctp",), None)),
        ("syslog", (514, ("udp",), None)),
        ("x/udp", (2, ("udp",), None)),
        ("127.0.0.1:80", (80, PORT_TABLES, "127.0.0.1")),
        ("[::1]:80/tcp", (80, ("tcp",), "::1")),
    ],
)
def test_ports_that_are_understood(text: str, expected: object) -> None:
    """In every form that tools print."""
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "1 to 65535"),
        ("65536", "1 to 65535"),
        ("9" * 5000, "1 to 65535"),
        ("٨٠", "a port is"),
        ("", "a port is"),
        (":", "a port is"),
        ("8o8o", "a port is"),
        ("nonsense", "no service 'nonsense'"),
        ("x", "tcp/1 and udp/2"),
        ("foo/80", "there is no protocol 'foo'"),
        ("raw/80", "there is no protocol 'raw'"),
        ("host:80", "'host' is not an address"),
    ],
)
def test_ports_that_are_not(text: str, says: str) -> None:
    """Each with its reason."""
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert says in str(caught.value)


ANY4, ANY6, LO4, LO6 = (packed(text) or b"" for text in ("0.0.0.0", "::", "127.0.0.1", "::1"))


def answer(wanted: bytes, *taken: BoundSocket, netid: str = "tcp", **options: bool) -> str | None:
    return conflicts(BindRequest(netid, wanted, uid=0, **options), taken)[0]


def listener(address: bytes, **options: object) -> BoundSocket:
    return BoundSocket("tcp", address, listening=True, **{"v6only": False, "uid": 0, **options})  # type: ignore[arg-type]


def test_what_is_unknown_makes_the_answer_unknown() -> None:
    """But only where it decides."""
    assert answer(LO4, listener(ANY6, v6only=None)) is None
    assert answer(ANY6, listener(ANY6, v6only=None)) == EADDRINUSE
    assert answer(LO6, listener(ANY4)) == OK
    left = BoundSocket("tcp", LO4, connected=True, time_wait=True)
    assert answer(ANY4, left) == EADDRINUSE
    assert answer(ANY4, left, reuseaddr=True) is None
    assert answer(ANY4, left._replace(reuseaddr=True), reuseaddr=True) == OK
    assert answer(ANY4, left, listener(ANY4), reuseaddr=True) == EADDRINUSE
    assert answer(ANY4, left, netid="udp") == OK


def test_users_share_a_port_by_themselves_only() -> None:
    """SO_REUSEPORT of another user does not help, and an unknown user may be another."""
    for uid, expected in ((0, OK), (1, EADDRINUSE), (None, None)):
        assert answer(ANY4, listener(ANY4, reuseport=True, uid=uid), reuseport=True) == expected
        mine = BoundSocket("udp", ANY4, reuseport=True, uid=uid)
        assert answer(ANY4, mine, netid="udp", reuseport=True) == expected


def sock(state: str, peer: int, *, local: int = 80, netid: str = "tcp", inode: int | None = 7) -> Socket:
    ends = Endpoint("10.0.0.1", local), Endpoint("10.0.0.2", peer) if peer else Endpoint("0.0.0.0", 0)
    return Socket(netid, "AF_INET", state=state, local=ends[0], peer=ends[1], inode=inode, uid=0)


def seen(*sockets: Socket, owners: dict[int, tuple[Owner, ...]] | None = None, unseen: str = "") -> SeenPort:
    values = {"net.ipv4.ip_local_port_range": (32768, 60999), "net.ipv4.ip_unprivileged_port_start": 1024}
    return SeenPort(
        "4026531840",
        list(sockets),
        owners or {},
        unseen,
        values,
        ("AF_INET", "AF_INET6"),
        LocalAddresses(),
        v6only=False,
        own=True,
    )


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (sock("LISTEN", 0), "listening"),
        (sock("CLOSE", 0, netid="udp"), "listening"),
        (sock("CLOSE", 0), "bound"),
        (sock("ESTABLISHED", 9), "connected"),
        (sock("ESTABLISHED", 9, inode=0), "connected"),
        (sock("SYN_RECV", 9, inode=0), "connected"),
        (sock("CLOSE_WAIT", 9), "connected"),
        (sock("TIME_WAIT", 9, inode=0), "left"),
        (sock("FIN_WAIT1", 9, inode=0), "left"),
        (sock("FIN_WAIT2", 9), "connected"),
        (sock("ESTABLISHED", 80, local=9), "outgoing"),
    ],
)
def test_roles(socket: Socket, expected: str) -> None:
    """What a socket does on the port follows from its state, its ends and whether a process holds it."""
    assert role(socket, 80) == expected


def test_connections_are_counted_once() -> None:
    """Both ends of one on this host have the port."""
    client = sock("ESTABLISHED", 80, local=9)._replace(
        local=Endpoint("10.0.0.2", 9), peer=Endpoint("10.0.0.1", 80), inode=8
    )
    rows = uses(seen(sock("LISTEN", 0), sock("ESTABLISHED", 9), sock("ESTABLISHED", 10), client), 80)
    assert [(row.role, row.sockets) for row in rows] == [("listening", 1), ("connected", 2)]
    assert rows[1].peer == Endpoint("10.0.0.2", None)


def test_reasons_why_nobody_is_shown() -> None:
    """A reason for each; unknown is not nobody."""
    (visible,) = uses(seen(sock("LISTEN", 0)), 80)
    assert visible.processes == ()
    assert "the kernel holds it" in str(visible.note)
    (hidden,) = uses(seen(sock("LISTEN", 0), unseen="processes of other users are hidden"), 80)
    assert hidden.processes is None
    assert hidden.note == "Its process cannot be seen: processes of other users are hidden."
    (nfs,) = uses(seen(sock("LISTEN", 0, local=2049)), 2049)
    assert "the NFS server" in str(nfs.note)
    (left,) = uses(seen(sock("TIME_WAIT", 9, inode=0)), 80)
    assert left.processes == ()


def test_holders_that_listen_come_first() -> None:
    """Then those with the most sockets."""
    owners = {7: (Owner(5, b"a", 3), Owner(4, b"b", 3)), 8: (Owner(9, b"c", 1),)}
    found = holders([seen(sock("LISTEN", 0), sock("ESTABLISHED", 9, inode=8), owners=owners)], 80)
    assert [(one.pid, one.listens, one.fds) for one in found] == [(4, True, (3,)), (5, True, (3,)), (9, False, (1,))]


def test_ranges() -> None:
    """Unknown where the sysctl is."""
    assert port_range(seen(), 80)[1:] == (True, False, None)
    assert port_range(seen(), 40000)[1:] == (False, True, None)


def test_privileged_ports() -> None:
    """The capability is asked for before the port; in a capture it is unknown."""

    def answers(capable: bool | None, *sockets: Socket) -> set[str | None]:
        target = parse_port("80", lambda _n, _p: None, lambda _p: None)
        rows = bind_answers(seen(*sockets), target, Asker(0, capable), lambda _s: {}, lambda _seen, _s: "x")
        return {row.answer for row in rows if row.netid == "tcp"}

    assert answers(False) == {"EACCES"}
    assert answers(False, sock("LISTEN", 0)) == {"EACCES"}
    assert answers(True) == {"OK"}
    assert answers(None) == {None}
    assert answers(None, sock("LISTEN", 0)) == {"EADDRINUSE", None}


def test_a_timewait_socket_in_another_state() -> None:
    """FIN_WAIT2 is held by a timewait socket once its process has closed it."""
    target = parse_port("80", lambda _n, _p: None, lambda _p: None)
    one = sock("FIN_WAIT2", 9, inode=0)._replace(timer=Timer("timewait", 1000))
    rows = bind_answers(seen(one), target, Asker(0, True), lambda _s: {}, lambda _seen, _s: "x")
    assert [row.answer for row in rows if row.netid == "tcp"] == ["EADDRINUSE", None, None] * 2


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"docker-proxy -proto tcp -host-port 80 -container-ip 172.17.0.2 -container-port 8080", ["172.17.0.2:8080"]),
        (b"docker-proxy -container-ip \x1b[m -container-port 8080", []),
        (b"docker-proxy -container-ip 172.17.0.2 -container-port", []),
        (b"docker-proxy -container-ip 172.17.0.2 -container-port 99999999", []),
        (b"", []),
        (None, []),
    ],
)
def test_proxies(command: bytes | None, expected: list[str]) -> None:
    """A process may call itself what it likes."""
    holder = PortHolder(5, b"docker-proxy", (3,), process=Process(command))
    found = proxied([holder, holder._replace(comm=b"nginx")], None)
    assert [f"{one.to.address}:{one.to.port}" for one in found] == expected
