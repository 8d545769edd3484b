"""The lines of a connection's way out and of its process: what they say, and that names of others are escaped."""

from __future__ import annotations

from sockdiag.model.inspection import Egress
from sockdiag.model.link import Link
from sockdiag.model.process import Ancestor, Process
from sockdiag.model.qdisc import Qdisc
from sockdiag.model.route import LocalAddress, Neighbour, Route, RouteMetrics
from sockdiag.render.document import Style
from sockdiag.render.egress_text import egress_lines
from sockdiag.render.inspect_text import process_lines

PLAIN, COLOUR = Style(80, color=False), Style(80, color=True)

WHOLE = Egress(
    Route(
        1,
        "198.51.100.0/24",
        "192.0.2.254",
        "eth0",
        2,
        "192.0.2.1",
        254,
        "static",
        20,
        RouteMetrics(mtu=1300, congctl="reno", locked=4),
        59_980,
    ),
    mtu=1300,
    link=Link("eth0", 2, "veth", "UP", 0x11043, 1400, tx_packets=7, tx_dropped=1, tx_errors=0),
    qdisc=Qdisc("eth0", "fq_codel", 7, 2, 1514, 0, 0xFFFFFFFF),
    neighbour=Neighbour("192.0.2.254", 0x20, None, 3),
    address=LocalAddress("192.0.2.1", 24, "eth0", 0x80),
)


def test_all_lines() -> None:
    """One line per part."""
    assert "".join(egress_lines(WHOLE, (), PLAIN)) == (
        "  route      unicast 198.51.100.0/24 via 192.0.2.254 dev eth0 src 192.0.2.1 table main proto static metric 20\n"
        "  metrics    mtu 1300, congctl reno, locked mtu, expires in 60 s\n"
        "  mtu        1300 bytes\n"
        "  address    192.0.2.1/24 on eth0, permanent\n"
        "  neighbour  192.0.2.254 at -, FAILED\n"
        "  link       eth0 (veth), UP, mtu 1400, 7 packets sent, 1 dropped, 0 errors\n"
        "  qdisc      fq_codel, 7 packets sent, 2 dropped, 1514 bytes waiting\n"
    )


def test_what_moved_is_marked() -> None:
    """With --follow, the line of what changed since the last look."""
    lines = list(egress_lines(WHOLE, {"qdisc.drops", "route.metrics.mtu", "mtu"}, COLOUR))
    assert [line.startswith("\x1b[1;33m* ") for line in lines] == [True, True, True, False, False, False, True]


def test_unknown_parts_have_no_line() -> None:
    """Of nothing known there is nothing to say."""
    assert list(egress_lines(Egress(refused="ENETUNREACH"), (), PLAIN)) == []
    (line,) = egress_lines(Egress(Route(6)), (), PLAIN)
    assert line == "  route      blackhole\n"


def test_names_are_escaped() -> None:
    """Who makes a device chooses its name."""
    evil = "x\x1b[2J\udcff"
    found = Egress(Route(1, device=evil), link=Link(evil, 2), qdisc=Qdisc(evil, evil))
    text = "".join(egress_lines(found, (), PLAIN))
    assert "\x1b" not in text
    assert text.count("x\\x1b[2J\\xff") == 3


def test_process() -> None:
    """Two lines, whatever is in them; a long command line is cut."""
    whole = Process(
        b"/bin/x -y", "sleeping", "root", "2026-01-01T00:00:00.000Z", (Ancestor(5, b"sh"), Ancestor(1, None))
    )
    assert "".join(process_lines(whole)) == (
        "  command   /bin/x -y\n"
        "  process   sleeping, started 2026-01-01T00:00:00.000Z, real user root, parents sh(5) < 1\n"
    )
    assert list(process_lines(Process())) == []
    assert list(process_lines(Process(b"\x1b[2J\n\xff"))) == ["  command   \\x1b[2J\\x0a\\xff\n"]
    (line,) = process_lines(Process(b"x" * 4096))
    assert line == f"  command   {'x' * 199}…\n"
