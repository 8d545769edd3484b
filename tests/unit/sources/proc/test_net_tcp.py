"""Rows of /proc/net/tcp and tcp6: every column right, every column wrong, layouts of other kernels."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.tcp_states import STATE_NAMES
from sockdiag.model.address import Endpoint
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.sources.proc.inet import parse_tcp, read_tcp
from sockdiag.sources.reading import MAX_ERRORS
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.proc_rows import (
    DATAGRAM6_HEADING,
    ESTABLISHED,
    LISTEN,
    TCP6_HEADING,
    TCP_HEADING,
    TIME_WAIT,
    changed,
    messages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDPOINT = "8 hexadecimal digits, ':' and 4 more"
PAIR = "8 hexadecimal digits, ':' and 8 more"
TIMER = "2 hexadecimal digits, ':' and 8 or more"
DIGITS, HEX = "a decimal number", "a hexadecimal number"


def one(row: bytes, heading: bytes = TCP_HEADING, name: str = "tcp", **options: str | int) -> Socket:
    reading = parse_tcp(heading + row, name, **options)  # type: ignore[arg-type]
    assert reading.errors == ()
    (socket,) = reading.sockets
    return socket


def test_established() -> None:
    assert one(ESTABLISHED) == Socket(
        netid="tcp",
        family="AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="ESTABLISHED",
        local=Endpoint("127.0.0.1", 49384),
        peer=Endpoint("192.0.2.1", 37997),
        recv_q=4096,
        send_q=31,
        uid=65534,
        inode=1071354,
        timer=Timer("retransmit", 380, 3),
        proc=ProcAttrs(
            pointer=0x153A4D0E,
            refs=4,
            retransmits=3,
            probes=2,
            rto_ms=400,
            ato_ms=80,
            quick=16,
            pingpong=True,
            snd_cwnd=12,
            snd_ssthresh=7,
        ),
        source="proc",
    )


def test_listener_has_no_limit() -> None:
    """The kernel prints 0 for the limit of the accept queue, which is not its value; queues count connections."""
    assert one(LISTEN) == Socket(
        netid="tcp",
        family="AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="LISTEN",
        local=Endpoint("127.0.0.1", 58983),
        peer=Endpoint("0.0.0.0", 0),
        recv_q=2,
        send_q=None,
        recv_q_unit="connections",
        uid=0,
        inode=1071316,
        proc=ProcAttrs(
            pointer=0xA265150A,
            refs=3,
            retransmits=0,
            probes=0,
            rto_ms=1000,
            ato_ms=0,
            quick=0,
            pingpong=False,
            snd_cwnd=10,
            snd_ssthresh=None,
            fastopen_qlen=16,
        ),
        source="proc",
    )


def test_listener_before_fast_open() -> None:
    """-1 is the slow start threshold of a kernel without the limit: unknown, not a limit of -1."""
    proc = one(changed(LISTEN, 16, b"-1")).proc
    assert proc is not None
    assert (proc.snd_ssthresh, proc.fastopen_qlen) == (None, None)


def test_time_wait_ends_after_the_pointer() -> None:
    assert one(TIME_WAIT) == Socket(
        netid="tcp",
        family="AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="TIME_WAIT",
        local=Endpoint("127.0.0.1", 51588),
        peer=Endpoint("127.0.0.1", 38651),
        recv_q=0,
        send_q=0,
        uid=None,
        inode=0,
        timer=Timer("timewait", 59380, 0),
        proc=ProcAttrs(pointer=0xA42FA0D2, refs=3, retransmits=0, probes=0),
        source="proc",
    )


@pytest.mark.parametrize(("number", "word"), [*enumerate(STATE_NAMES[:14]), (14, "UNKNOWN(14)"), (255, "UNKNOWN(255)")])
def test_every_state(number: int, word: str) -> None:
    word = "UNKNOWN(0)" if number == 0 else word
    socket = one(changed(ESTABLISHED, 3, b"%02X" % number))
    assert socket.state == word
    assert socket.recv_q_unit == ("connections" if word == "LISTEN" else "bytes")
    assert (socket.send_q is None) == (word == "LISTEN")


@pytest.mark.parametrize(
    ("column", "timer"),
    [
        (b"00:00000000", None),
        (b"01:00000026", Timer("retransmit", 380, 3)),
        (b"02:000AE5F8", Timer("keepalive", 7142320, 2)),
        (b"03:00001732", Timer("timewait", 59380, 2)),
        (b"04:00000001", Timer("persist", 10, 2)),
        (b"05:00000000", Timer("delack", 0, 2)),
        (b"06:00000001", Timer("unknown(6)", 10, 2)),
        # A timer that fired late, as kernels before jiffies_delta_to_clock_t() print it.
        (b"01:1999999999999998", Timer("retransmit", 0, 3)),
        (b"01:FFFFFFFFFFFFFFF6", Timer("retransmit", 0, 3)),
        (b"01:19999998", Timer("retransmit", 0, 3)),
        (b"02:0CCCCCCC", Timer("keepalive", 2147483640, 2)),
    ],
)
def test_timers(column: bytes, timer: Timer | None) -> None:
    """The column retrnsmt counts for the retransmission timer, timeout (probes) for the others."""
    assert one(changed(ESTABLISHED, 5, column)).timer == timer


def test_ticks_of_another_system() -> None:
    """USER_HZ is 1024 on some: 0x26 ticks are 37.1 ms, rounded up; a rto of 40 is 39.06 ms."""
    socket = one(ESTABLISHED, user_hz=1024)
    assert socket.timer == Timer("retransmit", 38, 3)
    assert socket.proc is not None
    assert (socket.proc.rto_ms, socket.proc.ato_ms) == (40, 8)


@pytest.mark.parametrize(
    ("state", "inode", "uid", "known"),
    [
        (b"01", b"5", b"0", 0),
        (b"01", b"0", b"0", None),
        (b"04", b"0", b"1000", 1000),
        (b"03", b"0", b"1000", None),
        (b"03", b"5", b"1000", 1000),
        (b"01", b"5", b"-2", 4294967294),
    ],
    ids=["root", "not accepted", "orphan of 6.18", "request", "fast open", "nobody before 3.5"],
)
def test_owner(state: bytes, inode: bytes, uid: bytes, known: int | None) -> None:
    """0 of a socket without a file is not root; of a request the kernel prints the listener's owner."""
    row = changed(changed(changed(ESTABLISHED, 3, state), 9, inode), 7, uid)
    assert one(row).uid == known
    assert one(row).inode == int(inode)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (b"00000000a265150a", 0xA265150A),
        (b"ffff8800b4549400", 0xFFFF8800B4549400),
        (b"eaedadc0", 0xEAEDADC0),
        (b"0000000000000000", None),
        (b"(____ptrval____)", None),
        (b"(ptrval)", None),
    ],
)
def test_pointers(text: bytes, pointer: int | None) -> None:
    """Address, hash, of 32 bits, hidden by kptr_restrict, and before the hash's key is there."""
    proc = one(changed(ESTABLISHED, 11, text)).proc
    assert proc is not None
    assert proc.pointer == pointer


def test_negative_rx_queue() -> None:
    """Older kernels print -1 after a FIN was read."""
    assert one(changed(ESTABLISHED, 4, b"7FFFFFFF:FFFFFFFF")).recv_q == 0
    assert one(changed(ESTABLISHED, 4, b"7FFFFFFF:7FFFFFFF"))[7:9] == (0x7FFFFFFF, 0x7FFFFFFF)  # type: ignore[index]


def test_ipv6_addresses_are_four_words() -> None:
    row = changed(
        changed(ESTABLISHED, 1, b"B80D0120000000000000000001000000:01BB"), 2, b"0000000000000000FFFF00000100007F:C001"
    )
    socket = one(row, TCP6_HEADING, "tcp6")
    assert socket.family == "AF_INET6"
    assert socket.local == Endpoint("2001:db8::1", 443)
    assert socket.peer == Endpoint("::ffff:127.0.0.1", 49153)


def test_addresses_of_a_big_endian_system() -> None:
    row = changed(changed(ESTABLISHED, 1, b"7F000001:C0E8"), 2, b"C0000201:946D")
    assert one(row, byteorder="big")[5:7] == (Endpoint("127.0.0.1", 49384), Endpoint("192.0.2.1", 37997))  # type: ignore[index]
    row = changed(row, 1, b"20010DB8000000000000000000000001:01BB")
    row = changed(row, 2, b"00000000000000000000FFFF7F000001:C001")
    socket = one(row, TCP6_HEADING, "tcp6", byteorder="big")
    assert (socket.local.address, socket.peer.address) == ("2001:db8::1", "::ffff:127.0.0.1")


def test_states_that_are_not_wanted_are_left_out() -> None:
    body = TCP_HEADING + LISTEN + ESTABLISHED + TIME_WAIT
    assert [s.state for s in parse_tcp(body, states=1 << 10 | 1 << 6).sockets] == ["LISTEN", "TIME_WAIT"]
    assert parse_tcp(body, states=0).sockets == []


def test_what_follows_the_last_column_is_kept() -> None:
    row = ESTABLISHED.rstrip() + b"  some  opt text   \n"
    proc = one(row).proc
    assert proc is not None
    assert (proc.snd_ssthresh, proc.extra) == (7, b"some  opt text")
    proc = one(TIME_WAIT.rstrip() + b" vendor 7\n").proc
    assert proc is not None
    assert (proc.rto_ms, proc.extra) == (None, b"vendor 7")


def test_short_row_of_any_state() -> None:
    """Mini-sockets show the state of the socket that they stand for, FIN_WAIT2 among them."""
    for state in (b"01", b"03", b"05", b"07"):
        proc = one(changed(TIME_WAIT, 3, state)).proc
        assert proc == ProcAttrs(pointer=0xA42FA0D2, refs=3, retransmits=0, probes=0)


def test_vendor_columns_that_the_heading_names() -> None:
    """A column between known ones is found by the heading, and what is unnamed follows inode as ever."""
    heading = TCP_HEADING.replace(b"uid  timeout", b"vendor uid  timeout").rstrip() + b"\n"
    tokens = ESTABLISHED.split()
    row = b" ".join([*tokens[:7], b"what", *tokens[7:]]) + b"\n"
    socket = one(row, heading)
    assert socket.proc is not None
    assert socket.proc.extra == b"what"
    assert socket._replace(proc=None) == one(ESTABLISHED)._replace(proc=None)
    assert socket.proc._replace(extra=None) == one(ESTABLISHED).proc
    short = b" ".join(row.split()[:12]) + b"\n"
    assert messages(parse_tcp(heading + short)) == [
        f"/proc/net/tcp:2: pointer: expected a row of 12 columns, got {short.strip()[:80]!r}"
    ]


def test_named_drops_column() -> None:
    """A table whose heading names ref, pointer and drops has these, and not those of other tcp tables."""
    row = (
        b" 1315: 00000000000000000000000000000000:14EB 00000000000000000000000000000000:0000 0A 00000000:00000001 "
        b"00:00000000 00000000   981        0 21040 2 0000000013726323 9\n"
    )
    socket = one(row, DATAGRAM6_HEADING, "tcp6")
    assert socket.skmem == SkMem(drops=9)
    assert socket.proc == ProcAttrs(pointer=0x13726323, refs=2)
    assert (socket.recv_q, socket.send_q, socket.recv_q_unit) == (1, None, "connections")


@pytest.mark.parametrize(
    ("column", "token", "name", "expected"),
    [
        (0, b"20", "sl", "a number and ':'"),
        (0, b"x:", "sl", "a number and ':'"),
        (0, b":", "sl", "a number and ':'"),
        (1, b"0100007F", "local_address", ENDPOINT),
        (1, b"0100007G:C0E8", "local_address", ENDPOINT),
        (1, b"0100007FC0E8:", "local_address", ENDPOINT),
        (1, b"0100007F:C0E", "local_address", ENDPOINT),
        (1, b"0100007F:C0E8F", "local_address", ENDPOINT),
        (1, b"0100007F:0xE8", "local_address", ENDPOINT),
        (1, b"0100007F:C_E8", "local_address", ENDPOINT),
        (1, b"0100007F:-0E8", "local_address", ENDPOINT),
        (1, b"00000000000000000000000001000000:01BB", "local_address", ENDPOINT),
        (2, b"+100007F:C0E8", "rem_address", ENDPOINT),
        (3, b"ESTAB", "st", HEX),
        (3, b"-1", "st", HEX),
        (4, b"00000000", "tx_queue:rx_queue", PAIR),
        (4, b"0000000G:00000000", "tx_queue:rx_queue", PAIR),
        (4, b"00000000:0000000G", "tx_queue:rx_queue", PAIR),
        (4, b"00000000-00000000", "tx_queue:rx_queue", PAIR),
        (5, b"0", "tr:tm->when", TIMER),
        (5, b"01:0000000x", "tr:tm->when", TIMER),
        (5, b"0x:00000000", "tr:tm->when", TIMER),
        (5, b"01000000001", "tr:tm->when", TIMER),
        (5, b"01:0000001", "tr:tm->when", TIMER),
        (6, b"0000000-", "retrnsmt", HEX),
        (7, b"root", "uid", DIGITS),
        (8, b"-1", "timeout", DIGITS),
        (9, b"-5", "inode", DIGITS),
        (9, b"1_0", "inode", DIGITS),
        (9, b"9" * 30, "inode", DIGITS),
        (10, b"2x", "ref", DIGITS),
        (11, b"(null", "pointer", HEX),
        (11, b"a265150g", "pointer", HEX),
        (12, b"0x28", "rto", DIGITS),
        (13, b"8.0", "ato", DIGITS),
        (14, b"-", "quick", DIGITS),
        (15, b"DEAD", "cwnd", DIGITS),
        (16, b"2d", "ssthresh", DIGITS),
    ],
)
def test_one_wrong_column_costs_that_row_only(column: int, token: bytes, name: str, expected: str) -> None:
    reading = parse_tcp(TCP_HEADING + LISTEN + changed(ESTABLISHED, column, token) + TIME_WAIT)
    assert [s.state for s in reading.sockets] == ["LISTEN", "TIME_WAIT"]
    assert messages(reading) == [f"/proc/net/tcp:3: {name}: expected {expected}, got {token!r}"]
    (error,) = reading.errors
    assert isinstance(error, ParseError)
    assert (error.path, error.line, error.column, error.expected, error.text) == (
        "/proc/net/tcp",
        3,
        name,
        expected,
        token,
    )


@pytest.mark.parametrize("length", range(1, 17))
def test_missing_columns(length: int) -> None:
    """Every length but that of a short row and of a full one is a broken row; the first missing column is named."""
    row = b" ".join(ESTABLISHED.split()[:length])
    reading = parse_tcp(TCP_HEADING + row + b"\n")
    if length == 12:
        assert len(reading.sockets) == 1
        return
    columns = "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer"
    name = [*columns.split(), "rto", "ato", "quick", "cwnd", "ssthresh"][length]
    expected = f"a row of {12 if length < 12 else 17} columns"
    assert reading.sockets == []
    assert messages(reading) == [f"/proc/net/tcp:2: {name}: expected {expected}, got {row[:80]!r}"]


@pytest.mark.parametrize(
    ("word", "other"),
    [
        (b"sl", b"s"),
        (b"local_address", b"local"),
        (b"rem_address", b"peer"),
        (b"st", b"state"),
        (b"tx_queue", b"tx"),
        (b"rx_queue", b"rx"),
        (b"tr ", b"t "),
        (b"tm->when", b"when"),
        (b"retrnsmt", b"retr"),
        (b"uid", b"user"),
        (b"timeout", b"probes"),
        (b"inode", b"ino"),
        (b"tx_queue rx_queue", b"rx_queue tx_queue"),
    ],
)
def test_unknown_heading_costs_the_table(word: bytes, other: bytes) -> None:
    heading = TCP_HEADING.replace(word, other, 1)
    reading = parse_tcp(heading + ESTABLISHED)
    assert reading.sockets == []
    expected = "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"
    assert messages(reading) == [f"/proc/net/tcp:1: heading: expected {expected}, got {heading[:-1][:80]!r}"]


def test_capitals_in_the_heading() -> None:
    assert one(ESTABLISHED, TCP_HEADING.replace(b"inode", b"Inode")) == one(ESTABLISHED)


def test_empty_file() -> None:
    """Every kernel prints a heading: no byte at all is no table without sockets."""
    assert len(parse_tcp(b"").errors) == 1
    assert parse_tcp(TCP_HEADING) == ([], ())
    assert len(parse_tcp(b"\n").errors) == 1


@pytest.mark.parametrize("cut", range(1, len(ESTABLISHED)))
def test_file_that_ends_within_a_row(cut: int) -> None:
    """However much of it is there: a number may have been cut, so the row is not taken for right."""
    reading = parse_tcp(TCP_HEADING + LISTEN + ESTABLISHED[:cut])
    assert [s.state for s in reading.sockets] == ["LISTEN"]
    assert messages(reading) == [f"/proc/net/tcp:3: row: expected a newline at its end, got {ESTABLISHED[:cut][:80]!r}"]


def test_file_that_ends_within_the_heading() -> None:
    reading = parse_tcp(TCP_HEADING[:40])
    assert reading.sockets == []
    assert messages(reading) == [f"/proc/net/tcp:1: row: expected a newline at its end, got {TCP_HEADING[:40]!r}"]


def test_blank_lines_and_carriage_returns_of_a_copy() -> None:
    body = (TCP_HEADING + LISTEN + b"\n" + ESTABLISHED).replace(b"\n", b"\r\n")
    reading = parse_tcp(body)
    assert reading.errors == ()
    assert reading.sockets == [one(LISTEN), one(ESTABLISHED)]


def test_errors_are_bounded() -> None:
    """The first ones say what is wrong, the last how many more there are."""
    body = TCP_HEADING + b"broken\n" * (MAX_ERRORS + 7) + LISTEN
    reading = parse_tcp(body)
    assert len(reading.sockets) == 1
    assert len(reading.errors) == MAX_ERRORS + 1
    assert messages(reading)[0] == "/proc/net/tcp:2: sl: expected a number and ':', got b'broken'"
    assert messages(reading)[-1] == "/proc/net/tcp:13: row: expected well-formed rows, got '7 more malformed ones'"


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        parse_tcp(TCP_HEADING + LISTEN + b"broken\n")
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_read_both_files(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/tcp").write_bytes(TCP_HEADING + LISTEN + ESTABLISHED)
    files = open_root(str(tmp_path))
    reading = read_tcp(files)
    assert [s.family for s in reading.sockets] == ["AF_INET", "AF_INET"]
    (error,) = reading.errors
    assert isinstance(error, SourceUnavailable)
    assert error.source == "/proc/net/tcp6"
    (tmp_path / "proc/net/tcp6").write_bytes(TCP6_HEADING + b"broken\n")
    assert messages(read_tcp(files)) == ["/proc/net/tcp6:2: sl: expected a number and ':', got b'broken'"]
    assert read_tcp(files, ["tcp"], 1 << 10).sockets == [one(LISTEN)]
    assert read_tcp(files, ["tcp"], user_hz=1000).sockets[1].timer == Timer("retransmit", 38, 3)


class _Torn(ProcRoot):
    def chunks(self, path: str) -> Iterator[bytes]:
        yield TCP_HEADING + LISTEN
        yield ESTABLISHED[:50]
        raise SourceTruncated(path, "read failed half way")


def test_rows_before_a_failed_read_are_kept() -> None:
    reading = read_tcp(_Torn(), ["tcp"])
    assert reading.sockets == [one(LISTEN)]
    assert [type(error) for error in reading.errors] == [SourceTruncated, ParseError]
