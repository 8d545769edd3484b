"""The ss reading of a filter against the ss that is installed: the same rows, or the same refusal."""

from __future__ import annotations

import functools
import os
import random
import re
import subprocess
from socket import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC
from typing import TYPE_CHECKING

import pytest

from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilterError, parse_ss
from sockdiag.filter.ss_view import SsView
from sockdiag.kernel.netlink import NETLINK_PROTOCOLS
from tests.live.filters import dumps, expressions, population
from tests.live.world import model
from tests.live.world.namespace import netns
from tests.recorded import SS1_DUMP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sockdiag.model.socket import Socket
    from tests.live.world.namespace import Namespace

INET = 1 << AF_INET | 1 << AF_INET6
CRASHED = -11
ATTEMPTS = 10


@functools.cache
def installed() -> tuple[int, int]:
    """Return the version of the ss that is installed."""
    found = re.search(
        r"iproute2-(\d+)\.(\d+)", subprocess.run(["ss", "-V"], capture_output=True, text=True, check=True).stdout
    )
    assert found
    return int(found[1]), int(found[2])


def no_cgroup(path: str) -> int:
    """Stand for a machine on which no path names a cgroup."""
    raise LookupError(
        "Failed to get cgroup2 ID: No such file or directory" if path.strip("/") else "Invalid cgroup2 path"
    )


HERE = FilterContext(port_range=population.port_range, cgroup_id=no_cgroup)


def ask_us(
    rows: Sequence[dumps.Row], words: Sequence[str], *, preferred: int = AF_UNSPEC, file_text: bytes | None = None
) -> tuple[int, list[int], str]:
    """Return what ss would: exit status, rows, message."""
    try:
        parsed = parse_ss(words, HERE, services=("tcp",), version=installed(), preferred=preferred, file_text=file_text)
    except SsFilterError as error:
        return error.exit_code, [], error.message
    if not (INET if parsed.families is None else parsed.families) & INET:
        return 0, [], ""
    return 0, [index for index, row in enumerate(rows) if parsed.match(row)], ""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dumps.Row]]:
    rows = dumps.make_rows(3, 160)
    path = tmp_path_factory.mktemp("dump") / "rows"
    dumps.write(rows, path)
    return path, rows


ODD_HOSTS = (
    "1.2.3.4.5",
    "300.1.1.1",
    "[::1",
    "[::1]/128",
    "::1",
    "x:y",
    "10.0.0.1/33",
    "10.0.0.1/",
    "/8",
    "22",
    "[]",
    "[]:22",
    "10.0.0.1:",
    "10.0.0.1:*",
    "10.0.0.1:ssh",
    "10.0.0.1:nosuch",
    "*22",
    "**",
    "*.*",
    "167772161",
    "0x0a000001",
    "10.",
    "10..1",
    "-",
    "]",
    "[]]",
    "[[::1]]",
    "any/8",
    "10/8x",
    "10/255.0.255.0",
    "10/0x8",
    "fd00::/255.0.0.0",
    ":::22",
    "link:ip",
    "link:*",
    "link:ip:lo",
    "link:zz",
    "netlink:rtnl",
    "netlink:*",
    "netlink:300",
    "netlink:rtnl:kernel",
    "netlink:rtnl:x",
    "vsock:1",
    "vsock:1:22",
    "vsock:x",
    "vsock:1:",
    "unix:*",
    "unix:/x",
    "inet:inet:10",
    "tipc:1",
    "INET:1",
    "inet6:10/8",
    "inet:fd00::1",
)
ODD_PORTS = (
    "ssh",
    ":domain",
    "nosuch",
    "2147483648",
    "99999999999999999999",
    "08",
    "0x",
    "+22",
    "unix:22",
    "link:lo",
    "link:1",
    "link:zz",
    "netlink:kernel",
    "netlink:5",
    "vsock:22",
    "vsock:-1",
    "[22]",
    "[::1]:22",
    "[22",
    "::22",
    "*9",
    "22x",
)
ODD_DEVICES = ("nosuch", "if0", "if01", "if+7", "if-1", "if4294967297", "lo:", "08", "0x7", "+7", "1x", "4294967296")
ODD_MARKS = (
    "010",
    "08",
    "1/",
    "zz",
    "5x",
    "5x/1",
    "0x/0",
    "0x",
    "4294967295",
    "99999999999",
    "/1",
    "1/zz",
    "0//",
    "0/0/5",
)
ODD_WORDS = (
    "(",
    ")",
    "not",
    "and",
    "or",
    "=",
    ">",
    "22",
    "foo",
    "!",
    "autobound",
    "10.0.0.1",
    "sport",
    "\\",
    "sport\\ 22",
    "\\(",
    "dev",
    "ne",
)


def odd_words(chance: random.Random) -> list[str]:
    """Return a filter in which something may be wrong."""
    words = expressions.ss_words(chance)
    for _ in range(chance.choice([1, 1, 2])):
        odd = chance.choice(
            [
                ["src", *chance.choice([[], ["="], ["!="]]), chance.choice(ODD_HOSTS)],
                ["dst", chance.choice(ODD_HOSTS)],
                [
                    chance.choice(["sport", "dport"]),
                    *chance.choice([[], [">"], ["="], ["!="]]),
                    chance.choice(ODD_PORTS),
                ],
                ["dev", chance.choice(ODD_DEVICES)],
                ["fwmark", chance.choice(ODD_MARKS)],
                ["cgroup", "nope"],
                [chance.choice(ODD_WORDS)],
            ]
        )
        at = chance.randrange(len(words) + 1)
        words[at:at] = odd
    return words


@pytest.mark.parametrize("seed", range(4))
def test_recorded_rows(recorded: tuple[Path, list[dumps.Row]], seed: int) -> None:
    """Filters without errors, over rows of a file, which no kernel has sifted."""
    path, rows = recorded
    chance = random.Random(seed)
    for _ in range(250):
        words = expressions.ss_words(chance)
        theirs = dumps.ask_ss(path, *words)
        assert ask_us(rows, words) == theirs, words


@pytest.mark.parametrize("seed", range(4))
def test_odd_operands_and_syntax_errors(recorded: tuple[Path, list[dumps.Row]], seed: int) -> None:
    """Exit status, message and rows of filters in which something is wrong."""
    path, rows = recorded
    chance = random.Random(seed)
    for _ in range(250):
        words = odd_words(chance)
        theirs = dumps.ask_ss(path, "--", *words)
        # A unix operand makes ss crash on an IP row.
        if theirs[0] != CRASHED:
            assert ask_us(rows, words) == theirs, words


@pytest.mark.parametrize(("option", "family"), [("-4", AF_INET), ("-6", AF_INET6), ("-x", AF_UNIX)])
def test_preferred_family(recorded: tuple[Path, list[dumps.Row]], option: str, family: int) -> None:
    """What a family option makes of operands without a prefix."""
    path, rows = recorded
    chance = random.Random(family)
    for _ in range(60):
        words = odd_words(chance)
        status, shown, message = dumps.ask_ss(path, "--", *words, options=(option, "-Htnae"))
        if status in (0, CRASHED):
            continue
        # Rows depend on the selection of families, which is not the filter's; refusals do not.
        assert ask_us(rows, words, preferred=family) == (status, shown, message), words


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"sport = 22",
        b"sport = 22\n",
        b"# sport = 22\nsport = 80\n",
        b"0 = 22\nsport = 80\n",
        b" # sport\n",
        b"sport\n=\n22\n",
        b"\tsport =\t22 \n\nor sport = 80",
        b"\0\n",
        b"sport = 22\0 or\nor sport 80",
        b"x" * 1022 + b"\n",
        b"#" * 1022 + b"\n",
        b"x" * 1023 + b"\n",
        b"x" * 1023,
        b"#" * 1024 + b"\n",
        b"#" * 3000,
        b"sport 22 " * 110 + b"\n",
        b"( sport = 22\n",
        b"sport = 22 \\",
        b"sport = 2\\2\\\n",
        b"foo\n" + b"#" * 1024,
        b"#" * 1021 + b"\nsport = 80",
        b"state listening\n",
        b"sport = 22\r\n",
    ],
)
@pytest.mark.parametrize("words", [(), ("sport = 443", "or"), ("(", "sport", "443", ")")])
def test_filter_file(recorded: tuple[Path, list[dumps.Row]], text: bytes, words: tuple[str, ...]) -> None:
    """Lines of a filter file, after the words of the command line."""
    path, rows = recorded
    theirs = dumps.ask_ss(path, *words, options=("-Htnae", "-F", "-"), stdin=text)
    status, shown, message = ask_us(rows, words, file_text=text)
    assert (status, shown, message) == theirs


@pytest.mark.parametrize(
    "words",
    [
        ["sport = 22"],
        ["sport = 22 or", "sport = 80"],
        ["sport\t=\t22"],
        ["  "],
        ["", "sport", "22"],
        ["sport\n=\n22"],
        ["sport = \\22"],
        ["sport = 22\\ "],
        ["s\\port = 22"],
        ["\\(", "sport", "22"],
        ["sport", "22 "],
        ["sport = 22\\"],
        ["sport 22 \\"],
        ["src \\"],
        ["src", "a\\\\b"],
        ["( sport 22", ")"],
        ["!", "sport 22"],
        ["!sport 22"],
    ],
)
def test_splitting(recorded: tuple[Path, list[dumps.Row]], words: list[str]) -> None:
    """Each word of the command line is split at blanks and tabs; a backslash takes the next character as it is."""
    path, rows = recorded
    assert ask_us(rows, words) == dumps.ask_ss(path, *words)


# Combinations of comparisons that iproute2's own test of its filters makes, over the dump that it makes them with.
@pytest.mark.parametrize(
    "words",
    [
        "dport = 22",
        "dport 22",
        "( dport = 22 )",
        "src = 0.0.0.0",
        "src 0.0.0.0",
        "src 0.0.0.0 sport = 22",
        "src 0.0.0.0 and sport = 22",
        "src 10.0.0.1 and sport = 22 and dport = 50312",
        "src 10.0.0.1 and sport = 22 and ( dport = 50312 )",
        "src 10.0.0.1 and ( sport = 22 and dport = 50312 )",
        "( src 10.0.0.1 and sport = 22 ) and dport = 50312",
        "( src 0.0.0.0 or src 10.0.0.1 ) and dst 10.0.0.2",
    ],
)
def test_own_tests_of_iproute2(words: str) -> None:
    """Each selects what ss selects, and one row."""
    if not SS1_DUMP.exists():
        pytest.skip("the corpus of iproute2 is not here")
    rows = [
        dumps.Row(AF_INET, bytes(4), bytes(4), 22, 0, 0, 0, 0),
        dumps.Row(AF_INET, b"\x0a\0\0\1", b"\x0a\0\0\1", 22, 36266, 0, 0, 0),
        dumps.Row(AF_INET, b"\x0a\0\0\1", b"\x0a\0\0\1", 36266, 22, 0, 0, 0),
        dumps.Row(AF_INET, b"\x0a\0\0\1", b"\x0a\0\0\2", 22, 50312, 0, 0, 0),
    ]
    texts = [
        "0.0.0.0:22 0.0.0.0:*",
        "10.0.0.1:22 10.0.0.1:36266",
        "10.0.0.1:36266 10.0.0.1:22",
        "10.0.0.1:22 10.0.0.2:50312",
    ]
    done = subprocess.run(
        ["ss", "-Htna", *words.split()],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TCPDIAG_FILE": str(SS1_DUMP)},
    )
    shown = [" ".join(line.split()[3:5]) for line in done.stdout.splitlines()]
    status, found, _message = ask_us(rows, words.split())
    assert status == 0
    assert [texts[index] for index in found] == shown
    assert len(shown) == 1


@pytest.fixture(scope="module")
def populated() -> Iterator[Namespace]:
    with netns() as namespace:
        namespace.call(population.populate)
        yield namespace


@pytest.mark.parametrize(("option", "table", "service"), [("-t", "tcp", "tcp"), ("-u", "udp", "udp")])
def test_live_rows(populated: Namespace, option: str, table: str, service: str) -> None:
    """What the kernel has sifted for ss and ss has matched again: rows that pass both readings."""
    indexes = populated.call(population.interfaces)
    names = {index: name for name, index in indexes.items()}
    limits = populated.call(population.port_range)
    context = FilterContext(interface=indexes.get, interface_name=names.get, port_range=lambda: limits)
    chance = random.Random(11)
    checked = 0
    sockets = populated.call(population.listed, table)
    views = [(socket.cookie, SsView(socket, context)) for socket in sockets]
    while checked < 120:
        words = expressions.ss_words(chance)
        if "autobound" in words:
            continue
        try:
            parsed = parse_ss(words, context, services=(service,), version=installed())
        except SsFilterError:
            continue
        checked += 1
        for _ in range(ATTEMPTS):
            lines = populated.ss("-Hnae", option, *words)
            again = populated.call(population.listed, table)
            if {(s.cookie, s.state) for s in again} == {(s.cookie, s.state) for s in sockets}:
                break
            sockets = again
            views = [(socket.cookie, SsView(socket, context)) for socket in sockets]
        else:
            pytest.fail("never steady")
        shown = {int(word[3:], 16) for line in lines for word in line.split() if word.startswith("sk:")}
        families = INET if parsed.families is None else parsed.families
        ours = {
            cookie
            for cookie, view in views
            if families >> view.family & 1 and parsed.match(view) and parsed.kernel_match(view)
        }
        assert ours == shown, words


UNIX = (
    "src *",
    "src /tmp/*",
    "src @*",
    "src @?????",
    "src \\",
    "src x*",
    "src *[0-9]*",
    "src *[!a-z]",
    "src /TMP/*",
    "dst *",
    "dst \\",
    "dst x",
    "sport = 5",
    "sport ge 5",
    "sport le 5",
    "sport gt 5",
    "dport = *",
    "autobound",
    "not autobound",
    "dev 0",
    "dev lo",
    "fwmark 0",
    "fwmark 1",
    "src unix:*stream*",
    "not src /*",
    "src /* or src @*",
)
PACKET = (
    "src ip",
    "src IPV4",
    "src *:lo",
    "src :lo",
    "src 0x800",
    "src all",
    "src all:lo",
    "src 3",
    "src 0",
    "src 0:0",
    "src :0",
    "src *",
    "src ipv6",
    "dst ip",
    "dst *",
    "dst 0",
    "sport = 1",
    "sport = lo",
    "sport ge 1",
    "sport lt 1",
    "dport ge 1",
    "dport le 0",
    "autobound",
    "dev lo",
    "dev 0",
    "not dev 0",
    "fwmark 0",
)
NETLINK = (
    "src rtnl",
    "src *",
    "src 0",
    "src genl",
    "src 16",
    "src *:kernel",
    "src :kernel",
    "src rtnl:kernel",
    "sport = kernel",
    "sport ge 1",
    "sport lt 0",
    "sport = *",
    "dport = *",
    "dport = 0",
    "dport le 0",
    "dst rtnl",
    "dst 0",
    "dst 2",
    "dst *",
    "autobound",
    "dev 0",
    "src audit or src genl",
    "not src rtnl",
    "fwmark 0",
    "fwmark 1",
)


FAMILIES = {"unix": (AF_UNIX, ("-x",)), "packet": (AF_PACKET, ("-0",)), "netlink": (AF_NETLINK, ("-f", "netlink"))}


@pytest.fixture(scope="module")
def local() -> Iterator[Namespace]:
    with netns() as namespace:
        namespace.call(population.populate_local)
        yield namespace


def identity(socket: Socket) -> str:
    """Return what ss shows of a socket that no other has."""
    if socket.netid == "netlink":
        number = next(n for n, name in NETLINK_PROTOCOLS.items() if name == socket.protocol)
        portid = socket.local.port or 0
        return f"{number}:{portid - (1 << 32) if portid >> 31 else portid}"
    return str(socket.inode) if socket.netid == "unix" else f"sk:{socket.cookie:x}"


def shown_identity(line: str, table: str) -> str:
    """Return the same of a line of ``ss -Hnae``."""
    words = line.split()
    if table == "netlink":
        return words[3]
    return words[words.index("*", 5) - 1] if table == "unix" else next(word for word in words if word[:3] == "sk:")


@pytest.mark.parametrize(
    ("table", "text"),
    [(table, text) for table, texts in (("unix", UNIX), ("packet", PACKET), ("netlink", NETLINK)) for text in texts],
)
def test_other_families(local: Namespace, table: str, text: str) -> None:
    """Operands of unix, packet and netlink sockets."""
    family, options = FAMILIES[table]
    context = FilterContext(interface=local.call(population.interfaces).get)
    parsed = parse_ss(text.split(), context, preferred=family, services=(), version=installed())
    assert parsed.families in (None, 1 << family)
    # Who asks is seen, too: its netlink sockets come and go.
    sockets = [
        s for s in local.call(model.sockets, table, "netlink")[0] if s.protocol != "SOCK_DIAG" or table != "netlink"
    ]
    known = {identity(s) for s in sockets}
    lines = [line for line in local.ss("-Hnae", *options, *text.split()) if not line.startswith("\t")]
    shown = {shown_identity(line, table) for line in lines}
    assert {identity(s) for s in sockets if parsed.match(SsView(s, context))} == shown & known


def test_other_families_are_told_apart(local: Namespace) -> None:
    """Each of the texts above selects something, or nothing, on purpose: most select some sockets but not all."""
    telling = 0
    for table, texts in (("unix", UNIX), ("packet", PACKET), ("netlink", NETLINK)):
        context = FilterContext(interface=local.call(population.interfaces).get)
        sockets = local.call(model.sockets, table, "netlink")[0]
        for text in texts:
            parsed = parse_ss(text.split(), context, preferred=FAMILIES[table][0], services=(), version=installed())
            telling += 0 < sum(parsed.match(SsView(s, context)) for s in sockets) < len(sockets)
    assert telling > (len(UNIX) + len(PACKET) + len(NETLINK)) // 2
