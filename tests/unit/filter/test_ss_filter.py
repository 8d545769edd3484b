"""The ss reading: splitting, precedence, refusals, effects on the families."""

from __future__ import annotations

from dataclasses import dataclass
from socket import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, AF_VSOCK, inet_pton

import pytest

from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilter, SsFilterError, parse_ss

SYNTAX = 'ss: bison bellows (while parsing filter): "syntax error!" Sorry.'


def cgroup_id(path: str) -> int:
    if path == "/system.slice":
        return 77
    raise LookupError("Failed to get cgroup2 ID: No such file or directory")


def hosts(name: str, family: int) -> list[bytes]:
    known = ("10.0.0.1", "10.0.0.2") if (name, family) == ("two", AF_INET) else ()
    return [inet_pton(AF_INET, text) for text in known]


CONTEXT = FilterContext(
    service=lambda name, protocol: {("ssh", "tcp"): 22}.get((name, protocol)),
    hosts=hosts,
    interface={"lo": 1}.get,
    cgroup_id=cgroup_id,
    port_range=lambda: (32768, 60999),
)


@dataclass
class Row:
    """A row as ss sees it."""

    family: int = AF_INET
    local: bytes | None = b"\x0a\0\0\1"
    remote: bytes | None = b"\x0a\0\0\2"
    lport: int = 22
    rport: int = 40000
    iface: int = 0
    mark: int = 0
    cgroup_id: int = 0
    number: int = 0


def parse(text: str, **more: object) -> SsFilter:
    return parse_ss([text], CONTEXT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", "None"),
        ("sport = 22 or sport = 80 and dport = 5", "((sport or sport) and dport)"),
        ("sport = 22 and sport = 80 or dport = 5", "((sport and sport) or dport)"),
        ("sport 22 sport 80 or dport 5 dport 6", "(((sport and sport) or dport) and dport)"),
        ("sport 22 or ( sport 80 dport 5 )", "(sport or (sport and dport))"),
        ("not sport 22 or dport 5", "(not sport or dport)"),
        ("! ( sport 22 | dport 5 )", "not (sport or dport)"),
        ("not not sport 22", "not not sport"),
        ("sport > 22", "not sport<="),
        ("sport lt 22", "not sport>="),
        ("sport != 22", "not sport"),
        ("sport ge 22", "sport>="),
        ("dev != lo", "not dev"),
        ("fwmark ne 1", "not fwmark"),
        ("autobound autobound", "(autobound and autobound)"),
        ("sport 22 && dport 5 & dev lo and src 10/8", "(sport and dport and dev and src)"),
        ("sport 22 || dport 5 | dev lo or src 10/8", "(sport or dport or dev or src)"),
    ],
)
def test_trees(text: str, tree: str) -> None:
    """``and``, ``or`` and juxtaposition from left to right; ``not`` takes one item."""
    assert shape(parse(text).tree) == tree


def shape(node: object) -> str:
    name = type(node).__name__
    if name == "Not":
        return f"not {shape(node.part)}"  # type: ignore[attr-defined]
    if name in ("And", "Or"):
        return "(" + f" {name.lower()} ".join(map(shape, node.parts)) + ")"  # type: ignore[attr-defined]
    return "None" if node is None else node.field + node.op.removeprefix("=")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "( )",
        "(",
        ")",
        "not",
        "and",
        "or sport 22",
        "sport 22 or",
        "sport 22 or or dport 5",
        "sport",
        "sport =",
        "sport = =",
        "( sport 22",
        "sport 22 )",
        "10.0.0.1",
        "=",
        "src != 10.0.0.1",
        "src > 10.0.0.1",
        "dev > lo",
        "fwmark >= 1",
        "cgroup < /system.slice",
        "autobound 10.0.0.1",
        "autobound = 10.0.0.1",
        "sport 22 80",
        "dev",
        "src dst 10.0.0.1",
        "\\",
    ],
)
def test_syntax_errors(text: str) -> None:
    """One message for all of them; the usage text follows."""
    with pytest.raises(SsFilterError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.exit_code, caught.value.usage) == (SYNTAX, 255, True)


ADDRESS = "Cannot parse dst/src address."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src nosuch", f'Error: an inet prefix is expected rather than "nosuch".\n{ADDRESS}'),
        ("foo", f'Error: an inet prefix is expected rather than "foo".\n{ADDRESS}'),
        ("(sport 22)", f'Error: an inet prefix is expected rather than "(sport".\n{ADDRESS}'),
        ("!sport 22", f'Error: an inet prefix is expected rather than "!sport".\n{ADDRESS}'),
        ("sport=22", f'Error: an inet prefix is expected rather than "sport=22".\n{ADDRESS}'),
        ("NOT sport 22", f'Error: an inet prefix is expected rather than "NOT".\n{ADDRESS}'),
        ("sport 22 state listening", f'Error: "state" does not look like a port.\n{ADDRESS}'),
        ("sport x", f'Error: "x" does not look like a port.\n{ADDRESS}'),
        ("src [::1", ADDRESS),
        ("src link:zz", ADDRESS),
        ("dev nosuch", "Cannot parse device."),
        ("dev lo nosuch", "Cannot parse device."),
        ("fwmark x/1", "Cannot parse mark x/1."),
        ("cgroup nope", "Failed to get cgroup2 ID: No such file or directory\nCannot parse cgroup nope."),
    ],
)
def test_refused_operands(text: str, message: str) -> None:
    """An operand is read when it is met, so it is refused even where the syntax is wrong, too."""
    with pytest.raises(SsFilterError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.exit_code, caught.value.usage) == (message, 1, False)


def test_syntax_before_operand() -> None:
    """What is wrong before an operand is read, is said first."""
    with pytest.raises(SsFilterError) as caught:
        parse("( ) nosuch")
    assert caught.value.exit_code == 255


@pytest.mark.parametrize(
    ("words", "file_text", "tree"),
    [
        ([], b"sport = 22\n", "sport"),
        (["sport 22 or"], b"dport 5", "(sport or dport)"),
        ([], b"# sport 22\n0 sport 22\n", "None"),
        ([], b"sport\n\n=\n22", "sport"),
        ([], b"sport 22\0 ignored\nor dport 5", "(sport or dport)"),
        ([], b"src unix:a\\ b\n", "src"),
        ([" ", ""], b"\n", "None"),
        ([], b"#" * 1021 + b"\nsport 22", "sport"),
    ],
)
def test_filter_file(words: list[str], file_text: bytes, tree: str) -> None:
    """A file goes on where the words end; lines that begin with # or 0 are comments."""
    assert shape(parse_ss(words, CONTEXT, file_text=file_text).tree) == tree


@pytest.mark.parametrize(
    ("file_text", "message"),
    [
        (b"x" * 1022 + b"\n", "Too long line in filter"),
        (b"#" * 1023, "Too long line in filter"),
        (b"\0sport 22\n", "Invalid line"),
        (b"sport 22\n" + b"#" * 2000, "Too long line in filter"),
    ],
)
def test_bad_filter_file(file_text: bytes, message: str) -> None:
    """Lines that do not fit ss's buffer, or begin with NUL."""
    with pytest.raises(SsFilterError) as caught:
        parse_ss([], CONTEXT, file_text=file_text)
    assert (caught.value.message, caught.value.exit_code, caught.value.usage) == (message, 255, False)


def test_line_behind_an_error_is_not_read() -> None:
    """Lines are read when they are needed."""
    with pytest.raises(SsFilterError) as caught:
        parse_ss([], CONTEXT, file_text=b"dev nosuch\n" + b"x" * 2000)
    assert caught.value.message == "Cannot parse device."


@pytest.mark.parametrize(
    ("text", "preferred", "families", "now"),
    [
        ("src 10.0.0.1", AF_UNSPEC, None, AF_UNSPEC),
        ("src inet:10.0.0.1", AF_UNSPEC, 1 << AF_INET, AF_INET),
        ("sport inet6:22", AF_UNSPEC, 1 << AF_INET6, AF_INET6),
        ("src unix:x or src inet:10.0.0.1", AF_UNSPEC, 1 << AF_INET, AF_INET),
        ("src 10.0.0.1", AF_INET, 1 << AF_INET, AF_INET),
        ("src anything", AF_UNIX, 1 << AF_UNIX, AF_UNIX),
        ("src link:ip or src lo", AF_UNSPEC, None, None),
        ("autobound", AF_INET6, None, AF_INET6),
        ("src netlink:rtnl src vsock:1", AF_UNSPEC, 1 << AF_VSOCK, AF_VSOCK),
        ("dev lo fwmark 1", AF_INET, None, AF_INET),
    ],
)
def test_families(text: str, preferred: int, families: int | None, now: int | None) -> None:
    """A family prefix, or the preferred family, leaves only that family, and is that of the following operands."""
    if now is None:
        with pytest.raises(SsFilterError):
            parse(text, preferred=preferred)
        return
    parsed = parse(text, preferred=preferred)
    assert (parsed.families, parsed.preferred) == (families, now)


def test_prefix_reads_the_following_operands() -> None:
    """After ``unix:`` an address is a pattern."""
    assert parse("src unix:/a or src 127.0.0.1").match(Row(AF_UNIX, b"127.0.0.1", None))


@pytest.mark.parametrize(("version", "exit_code"), [((6, 1), 1), ((7, 1), 0)])
def test_width_of_ports(version: tuple[int, int], exit_code: int) -> None:
    """A port of 4294967318 is an error in 6.1, and never matches in 7.1; 7.1's kernel sees 22."""
    if exit_code:
        with pytest.raises(SsFilterError):
            parse("sport = 4294967318", version=version)
        return
    parsed = parse("sport = 4294967318", version=version)
    assert not parsed.match(Row())
    assert parsed.kernel_match(Row())
    assert not parsed.settled


def row6(local: str, **more: int) -> Row:
    return Row(AF_INET6, inet_pton(AF_INET6, local), bytes(16), **more)


@pytest.mark.parametrize(
    ("text", "row", "own", "kernel"),
    [
        ("src 10.0.0.1", Row(), True, True),
        ("src 10/8:22", Row(), True, True),
        ("src 10/8:23", Row(), False, False),
        ("dst 10.0.0.2", Row(), True, True),
        ("src 10.0.0.1", row6("::ffff:10.0.0.1"), True, True),
        ("src [::ffff:10.0.0.1]", Row(), False, False),
        ("src 0.0.0.0/0", row6("fd00::1"), True, False),
        ("src inet:any", row6("fd00::1"), True, False),
        ("src inet:any", row6("::ffff:1.2.3.4"), True, True),
        ("src [a00:1::]", Row(), True, False),
        ("src a00:1::/32", Row(), True, False),
        ("src 10.0.0.1", row6("a00:1::5"), True, False),
        ("src ::/0", Row(), True, False),
        ("src *", row6("fd00::1"), True, True),
        ("src two", Row(), True, True),
        ("src two", Row(local=b"\x0a\0\0\2"), True, False),
        ("sport le 65558", Row(lport=23), True, False),
        ("sport le 65558", Row(lport=22), True, True),
        ("sport = 65558", Row(lport=22), False, False),
        ("sport > *", Row(), True, False),
        ("sport != *", Row(), False, False),
        ("sport <= *", Row(), False, True),
        ("dev lo", Row(iface=1), True, True),
        ("dev 0", Row(), True, True),
        ("fwmark 5/7", Row(mark=0xD), True, True),
        ("fwmark 0xff/0xf", Row(mark=0xFF), False, False),
        ("cgroup /system.slice", Row(cgroup_id=77), True, True),
        ("cgroup /system.slice", Row(), False, False),
        ("autobound", Row(lport=40000), True, True),
        ("autobound", Row(lport=22), False, True),
        ("src unix:*", Row(), False, True),
        ("src link:ip", Row(), False, True),
    ],
)
def test_ip_rows(text: str, row: Row, own: bool, kernel: bool) -> None:
    """What ss itself makes of an IP row, and what the kernel makes of the bytecode that ss sends."""
    parsed = parse(text)
    assert parsed.match(row) is own
    assert parsed.kernel_match(row) is kernel


@pytest.mark.parametrize(
    ("text", "row", "answer"),
    [
        ("src /tmp/*", Row(AF_UNIX, b"/tmp/x", None), True),
        ("src /TMP/X", Row(AF_UNIX, b"/tmp/x", None), True),
        ("src @abs@x", Row(AF_UNIX, b"@abs@x", None), True),
        ("src *", Row(AF_UNIX, None, None), True),
        ("src \\", Row(AF_UNIX, None, None), True),
        ("src ?*", Row(AF_UNIX, None, None), False),
        ("dst x", Row(AF_UNIX, b"x", None), False),
        ("dst x", Row(AF_UNIX, None, b"x"), True),
        ("sport = 5", Row(AF_UNIX, b"5", None, lport=99), True),
        ("sport ge 5", Row(AF_UNIX, b"5", None, lport=99), True),
        ("sport le 5", Row(AF_UNIX, b"5", None, lport=99), False),
        ("src *\xe9", Row(AF_UNIX, b"/\xc3\xa9", None), True),
        ("autobound", Row(AF_UNIX, None, None), True),
        ("autobound", Row(AF_UNIX, b"@0aF1z", None), False),
        ("autobound", Row(AF_UNIX, b"@0af12", None), True),
        ("autobound", Row(AF_UNIX, b"/tmp/x", None), False),
    ],
)
def test_unix_rows(text: str, row: Row, answer: bool) -> None:
    """Patterns of names; without a family prefix too, where unix is the preferred family."""
    assert parse(text, preferred=AF_UNIX).match(row) is answer


@pytest.mark.parametrize(
    ("text", "family", "row", "answer"),
    [
        ("src ip:lo", AF_PACKET, Row(AF_PACKET, None, None, 1, 0, 1, number=0x800), True),
        ("src ip:if2", AF_PACKET, Row(AF_PACKET, None, None, 1, 0, 1, number=0x800), False),
        ("src arp", AF_PACKET, Row(AF_PACKET, None, None, 0, 0, number=0x800), False),
        ("dst ip", AF_PACKET, Row(AF_PACKET, None, None, 0, 0, number=0x800), False),
        ("autobound", AF_PACKET, Row(AF_PACKET, None, None, 0, 0), True),
        ("autobound", AF_PACKET, Row(AF_PACKET, None, None, 0, 0, number=3), False),
        ("src rtnl:777", AF_NETLINK, Row(AF_NETLINK, None, None, 777, -1), True),
        ("src genl", AF_NETLINK, Row(AF_NETLINK, None, None, 777, -1), False),
        ("sport = kernel", AF_NETLINK, Row(AF_NETLINK, None, None, 0, -1), True),
        ("dst rtnl", AF_NETLINK, Row(AF_NETLINK, None, None, 1, -1, number=16), True),
        ("autobound", AF_NETLINK, Row(AF_NETLINK, None, None, -3, -1), True),
        ("src 1:22", AF_VSOCK, Row(AF_VSOCK, bytes(4), bytes(4), 22, 0), False),
        ("src 1", AF_VSOCK, Row(AF_VSOCK, bytes(4), bytes(4), 22, 0), True),
        ("sport ge 4000", AF_VSOCK, Row(AF_VSOCK, bytes(4), bytes(4), 22, 0), True),
        ("autobound", AF_VSOCK, Row(AF_VSOCK, bytes(4), bytes(4), 1024, 0), True),
        ("src 0", AF_INET, Row(AF_NETLINK, None, None, 5, -1), True),
        ("src 0", AF_INET, Row(AF_UNIX, None, None, 5, 0), True),
        ("src 0", AF_INET, Row(AF_UNIX, b"x", None, 5, 0), False),
        ("sport = 5", AF_INET, Row(AF_UNIX, b"x", None, 5, 0), True),
    ],
)
def test_rows_of_other_families(text: str, family: int, row: Row, answer: bool) -> None:
    """Protocol and port of packet, netlink and vsock sockets; IP operands compare words there."""
    assert parse(text, preferred=family).match(row) is answer


def test_vsock_port_in_6_1() -> None:
    """The older program compares it as it should."""
    row = Row(AF_VSOCK, bytes(4), bytes(4), 22, 0)
    assert parse("src 1:22", preferred=AF_VSOCK, version=(6, 1)).match(row)


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("sport = 22 and not dport > 80", True),
        ("src 10/8 or src [::1]:5", True),
        ("not src 10/8", False),
        ("dev lo", False),
        ("autobound", False),
        ("fwmark 1 cgroup /system.slice", True),
        ("sport le 65558", False),
        ("sport = 65558", True),
        ("src two", True),
        ("not ( not src 10/8 )", True),
        ("src link:ip", False),
        ("", True),
        ("not src :22", True),
    ],
)
def test_settled(text: str, settled: bool) -> None:
    """Whether the kernel's answer needs no second look."""
    assert parse(text).settled is settled
