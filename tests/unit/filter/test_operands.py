"""Operands of the ss language, each form of them."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, AF_VSOCK, inet_pton

import pytest

from sockdiag.filter.context import FilterContext
from sockdiag.filter.operands import HostOperand, HostParser, OperandError, device_index, parse_device, parse_mark, word

SERVICES = {("ssh", "tcp"): 22, ("syslog", "udp"): 514, ("shell", "tcp"): 514, ("both", "tcp"): 7, ("both", "udp"): 9}
HOSTS = {
    ("two", AF_INET): ["10.0.0.1", "10.0.0.2"],
    ("dual", AF_INET): ["10.0.0.3"],
    ("dual", AF_INET6): ["fd00::3"],
    ("six", AF_INET6): ["fd00::4"],
}
CONTEXT = FilterContext(
    service=lambda name, protocol: SERVICES.get((name, protocol)),
    hosts=lambda name, family: [inet_pton(family, text) for text in HOSTS.get((name, family), [])],
    interface={"lo": 1, "eth0": 2, "5": 9}.get,
)


def v4(text: str, length: int = 32, port: int = -1) -> HostOperand:
    return HostOperand(AF_INET, inet_pton(AF_INET, text), length, port)


def v6(text: str, length: int = 128, port: int = -1) -> HostOperand:
    return HostOperand(AF_INET6, inet_pton(AF_INET6, text), length, port)


def parse(
    text: str,
    family: int = AF_UNSPEC,
    *,
    is_port: bool = False,
    services: tuple[str, ...] = ("udp", "tcp"),
    wide: bool = True,
) -> tuple[HostOperand, ...]:
    return HostParser(CONTEXT, services, wide=wide).parse(text, family, is_port=is_port)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.1", v4("10.0.0.1")),
        ("10", v4("10.0.0.0")),
        ("10.77", v4("10.77.0.0")),
        ("127.1", v4("127.1.0.0")),
        ("0x7f.1", v4("127.1.0.0")),
        ("012.0.0.1", v4("10.0.0.1")),
        ("10/8", v4("10.0.0.0", 8)),
        ("10.0/0x10", v4("10.0.0.0", 16)),
        ("10/255.0.0.0", v4("10.0.0.0", 8)),
        ("10/0", v4("10.0.0.0", 0)),
        ("10/255.0", v4("10.0.0.0", 8)),
        ("10/0.0.0.0", v4("10.0.0.0", 0)),
        ("10/+8", v4("10.0.0.0", 8)),
        ("10.0.0.1:22", v4("10.0.0.1", port=22)),
        ("10/8:22", v4("10.0.0.0", 8, 22)),
        ("10.0.0.1:", v4("10.0.0.1")),
        ("10.0.0.1:*", v4("10.0.0.1")),
        ("10.0.0.1:ssh", v4("10.0.0.1", port=22)),
        ("[10.0.0.1]:22", v4("10.0.0.1", port=22)),
        ("[10.0.0.1]22", v4("10.0.0.1", port=22)),
        ("[::1]", v6("::1")),
        ("[::1]:80", v6("::1", port=80)),
        ("fd77::/16", v6("fd77::", 16)),
        ("[fd77::/16]", v6("fd77::", 16)),
        ("fd77::/16:5", v6("fd77::", 16, 5)),
        ("[fd77::]:80", v6("fd77::", port=80)),
        ("[::ffff:10.0.0.1]", v6("::ffff:10.0.0.1")),
        (":::22", v6("::", port=22)),
        ("[::1/255.0.0.0]", v6("::1", 8)),
        ("*", HostOperand(AF_UNSPEC)),
        ("", HostOperand(AF_UNSPEC)),
        ("[]", HostOperand(AF_UNSPEC)),
        ("*:22", HostOperand(AF_UNSPEC, port=22)),
        (":22", HostOperand(AF_UNSPEC, port=22)),
        ("*22", HostOperand(AF_UNSPEC, port=22)),
        ("**", HostOperand(AF_UNSPEC)),
        ("any", HostOperand(AF_UNSPEC)),
        ("all", HostOperand(AF_UNSPEC)),
        ("default:22", HostOperand(AF_UNSPEC, port=22)),
        ("[*]:22", HostOperand(AF_UNSPEC, port=22)),
        ("six", v6("fd00::4")),
    ],
)
def test_hosts(text: str, host: HostOperand) -> None:
    """Addresses, prefixes, ports behind them."""
    assert parse(text) == (host,)


def test_names_have_several_addresses() -> None:
    """All addresses of a name are alternatives; those of IPv4 come first, and a family asked for excludes the other."""
    assert parse("two:5") == (v4("10.0.0.1", port=5), v4("10.0.0.2", port=5))
    assert parse("dual") == (v4("10.0.0.3"), v6("fd00::3"))
    assert parse("dual", AF_INET6) == (v6("fd00::3"),)
    assert parse("dual", AF_INET) == (v4("10.0.0.3"),)


@pytest.mark.parametrize(
    ("text", "family", "host"),
    [
        ("any", AF_INET, HostOperand(AF_INET)),
        ("any:5", AF_INET6, HostOperand(AF_INET6, port=5)),
        ("*", AF_INET6, HostOperand(AF_UNSPEC)),
        ("/tmp/*", AF_UNIX, HostOperand(AF_UNIX, length=48, pattern="/tmp/*")),
        ("é", AF_UNIX, HostOperand(AF_UNIX, length=16, pattern="Ã©")),
        ("", AF_UNIX, HostOperand(AF_UNIX)),
        ("ip", AF_PACKET, HostOperand(AF_PACKET, word(0x800), 32)),
        ("IPv4:lo", AF_PACKET, HostOperand(AF_PACKET, word(0x800), 32, 1)),
        ("0x88cc:2", AF_PACKET, HostOperand(AF_PACKET, word(0x88CC), 32, 2)),
        ("*", AF_PACKET, HostOperand(AF_PACKET)),
        (":eth0", AF_PACKET, HostOperand(AF_PACKET, port=2)),
        ("all:*", AF_PACKET, HostOperand(AF_PACKET, word(3), 32)),
        ("ip:5", AF_PACKET, HostOperand(AF_PACKET, word(0x800), 32, 5)),
        (":if9", AF_PACKET, HostOperand(AF_PACKET, port=9)),
        ("rtnl", AF_NETLINK, HostOperand(AF_NETLINK, word(0), 32)),
        ("genl:kernel", AF_NETLINK, HostOperand(AF_NETLINK, word(16), 32, 0)),
        ("rtnl:0x10", AF_NETLINK, HostOperand(AF_NETLINK, word(0), 32, 16)),
        ("255", AF_NETLINK, HostOperand(AF_NETLINK, word(255), 32)),
        ("*:-3", AF_NETLINK, HostOperand(AF_NETLINK, port=-3)),
        ("", AF_NETLINK, HostOperand(AF_NETLINK)),
        ("5", AF_VSOCK, HostOperand(AF_VSOCK)),
        ("*:*", AF_VSOCK, HostOperand(AF_VSOCK)),
    ],
)
def test_hosts_of_families(text: str, family: int, host: HostOperand) -> None:
    """What a family prefix makes of an operand."""
    assert parse(text, family) == (host,)


@pytest.mark.parametrize(("wide", "port"), [(True, 22 - (1 << 32)), (False, 22)])
def test_port_of_vsock(wide: bool, port: int) -> None:
    """7.1 stores the port where no socket's port is equal to it."""
    assert parse("*:22", AF_VSOCK, wide=wide) == (HostOperand(AF_VSOCK, port=port),)
    assert parse("22", AF_VSOCK, is_port=True, wide=wide) == (HostOperand(AF_VSOCK, port=port),)


def prefix_expected(text: str) -> str:
    return f'Error: an inet prefix is expected rather than "{text}".'


def no_port(text: str) -> str:
    return f'Error: "{text}" does not look like a port.'


@pytest.mark.parametrize(
    ("text", "family", "message"),
    [
        ("1.2.3.4.5", 0, prefix_expected("1.2.3.4.5")),
        ("300.1.1.1", 0, prefix_expected("300.1.1.1")),
        ("10/33", 0, prefix_expected("10/33")),
        ("10/", 0, prefix_expected("10/")),
        ("10.", 0, prefix_expected("10.")),
        ("10/255.0.255.0", 0, prefix_expected("10/255.0.255.0")),
        ("10/8x", 0, prefix_expected("10/8x")),
        ("fd00::/129", 0, prefix_expected("fd00::/129")),
        ("::1", 0, prefix_expected(":")),
        ("any/8", 0, prefix_expected("any/8")),
        ("nosuch", 0, prefix_expected("nosuch")),
        ("0x0a000001", 0, prefix_expected("0x0a000001")),
        ("10.0.0.1", AF_INET6, prefix_expected("10.0.0.1")),
        ("[fd00::1]", AF_INET, prefix_expected("fd00::1")),
        ("two", AF_INET6, prefix_expected("two")),
        ("/8", 0, prefix_expected("/8")),
        ("ANY", 0, prefix_expected("ANY")),
        ("[::1]/128", 0, no_port("/128")),
        ("foo:bar", 0, no_port("bar")),
        ("*x", 0, no_port("x")),
        ("[::1]x", 0, no_port("x")),
        ("*.*", 0, no_port(".*")),
        ("[::1", 0, ""),
        ("[", 0, ""),
        ("10.0.0.1:SSH", 0, no_port("SSH")),
        ("*:both", 0, 'Error: ambiguous port "both".'),
        ("zz", AF_PACKET, ""),
        ("65536", AF_PACKET, ""),
        ("ip:zz", AF_PACKET, ""),
        ("-1", AF_PACKET, ""),
        ("zz", AF_NETLINK, ""),
        ("256", AF_NETLINK, ""),
        ("rtnl:x", AF_NETLINK, ""),
        ("GENL", AF_NETLINK, ""),
        ("ROUTE", AF_NETLINK, ""),
        ("x", AF_VSOCK, ""),
        ("4294967296", AF_VSOCK, ""),
        ("1:x", AF_VSOCK, ""),
        ("1:", AF_VSOCK, ""),
    ],
)
def test_refused_hosts(text: str, family: int, message: str) -> None:
    """What is no host, and what ss says of it before "Cannot parse dst/src address."."""
    with pytest.raises(OperandError) as caught:
        parse(text, family)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("22", 22),
        (":22", 22),
        ("0x16", 22),
        ("026", 22),
        ("+22", 22),
        ("65558", 65558),
        ("*", -1),
        (":*", -1),
        (":", -1),
        ("", -1),
        ("*22", -1),
        ("[22]", 22),
        ("[]", -1),
        ("ssh", 22),
        (":syslog", 514),
        ("-1", -1),
        ("4294967318", 4294967318),
    ],
)
def test_ports(text: str, port: int) -> None:
    """Numbers of any size, services, and any."""
    assert parse(text, is_port=True) == (HostOperand(AF_UNSPEC, port=port),)


@pytest.mark.parametrize(
    ("text", "said"),
    [("22x", "22x"), ("08", "08"), ("::22", ":22"), ("[::1]:22", ":1"), ("10.0.0.1:22", "10.0.0.1:22")],
)
def test_refused_ports(text: str, said: str) -> None:
    """What is neither a number nor a service."""
    with pytest.raises(OperandError) as caught:
        parse(text, is_port=True)
    assert str(caught.value) == no_port(said)


def test_services_are_those_of_the_selected_tables() -> None:
    """A service is looked up for each protocol that is selected."""
    assert parse("syslog", is_port=True, services=("udp",))[0].port == 514
    assert parse("both", is_port=True, services=("tcp",))[0].port == 7
    for services in (("tcp",), ()):
        with pytest.raises(OperandError):
            parse("syslog", is_port=True, services=services)


def test_width_of_ports() -> None:
    """6.1 refuses a port that is no int, 7.1 one that is no long."""
    assert parse("2147483647", is_port=True, wide=False)[0].port == 2147483647
    for text, wide in (("2147483648", False), ("9223372036854775808", True)):
        with pytest.raises(OperandError):
            parse(text, is_port=True, wide=wide)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("lo", 1),
        ("eth0", 2),
        ("5", 9),
        ("0", 0),
        ("7", 7),
        ("0x7", 7),
        ("+7", 7),
        ("if7", 7),
        ("if07", 7),
        ("if+7", 7),
        ("if7x", 7),
        ("if-1", 4294967295),
        ("if4294967297", 1),
        ("4294967295", 4294967295),
        ("if 3", 3),
    ],
)
def test_devices(text: str, index: int) -> None:
    """Names, indexes, and ifN whether it exists or not."""
    assert parse_device(text, CONTEXT) == index


@pytest.mark.parametrize("text", ["nosuch", "if0", "if", "ifx", "08", "1x", "4294967296", "-1", "", "if4294967296"])
def test_refused_devices(text: str) -> None:
    """What is neither a name nor an index."""
    assert device_index(text, CONTEXT) == 0
    with pytest.raises(OperandError):
        parse_device(text, CONTEXT)


@pytest.mark.parametrize(
    ("text", "mark", "mask"),
    [
        ("1", 1, 0xFFFFFFFF),
        ("5/1", 5, 1),
        ("0xff/0xf", 0xFF, 0xF),
        ("010", 8, 0xFFFFFFFF),
        ("5x", 5, 0xFFFFFFFF),
        ("08", 0, 0xFFFFFFFF),
        ("-1", 0xFFFFFFFF, 0xFFFFFFFF),
        ("0x1ffffffff", 0xFFFFFFFF, 0xFFFFFFFF),
        ("0x", 0, 0xFFFFFFFF),
        ("0x/3", 0, 3),
        ("0/0/5", 0, 0),
        ("1/ 2", 1, 2),
        (" 3", 3, 0xFFFFFFFF),
        ("99999999999999999999", 0xFFFFFFFF, 0xFFFFFFFF),
    ],
)
def test_marks(text: str, mark: int, mask: int) -> None:
    """A mark and its mask, as ``%i`` reads them."""
    assert parse_mark(text) == (mark, mask)


@pytest.mark.parametrize("text", ["", "zz", "/", "/1", "1/", "1/zz", "0//", "5x/1", "1 /2"])
def test_refused_marks(text: str) -> None:
    """No number where one is needed."""
    with pytest.raises(OperandError):
        parse_mark(text)


def test_hosts_compare_by_value() -> None:
    """Equal operands are equal, and hash alike."""
    assert parse("10/8:22") == parse("10.0.0.0/8:22")
    assert hash(v4("10.0.0.1")) == hash(v4("10.0.0.1"))
    assert v4("10.0.0.1") != v4("10.0.0.2")
    assert repr(v4("10.0.0.1", 8, 22)) == "2:0a000001/8:22"
    assert repr(HostOperand(AF_UNIX, pattern="/x")) == "unix:/x"
