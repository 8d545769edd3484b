"""Numbers in a capture are data: whatever they are, every command answers soon, or says in one line why it cannot."""

from __future__ import annotations

import json
import random
import re
import shutil
import struct
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.analysis.limits.times import handshake_ms, retransmission_ms
from sockdiag.errors import ParseError, SourceError, strerror
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.capture.transport import CaptureTransport, capture_time
from sockdiag.sources.proc.net_route import parse_route, parse_route6
from sockdiag.sources.proc.sys_net import parse_sysctl
from sockdiag.sources.proc.table import number, pointer
from sockdiag.sources.system.captured_root import CapturedRoot, parse_stats
from sockdiag.sources.system.transport import Request
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORLD = FIXTURES / "6.18-world"
COMMANDS = (
    ("list", "--json"),
    ("list", "-o", "+processes,cgroup,timer,skmem.drops"),
    ("states", "--json"),
    ("memory",),
    ("risk", "--all"),
    ("listeners",),
    ("limits", "--json"),
    ("path",),
    ("protocols",),
    ("doctor",),
    ("metrics",),
    ("check", "--strict"),
    ("port", "80"),
    (),
)
NUMBERS = (
    b"-1",
    b"0",
    b"4294967296",
    b"21474836480",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"9" * 5000,
    b"1e300",
    b"nan",
    b"0x10",
    b"1_0",
    b"+5",
    "٣".encode(),
    b"\xff",
    b"\0",
    b"\\000",
)
SOON_S = 10.0


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    shutil.copytree(WORLD, tmp_path / "capture", symlinks=True)
    return tmp_path / "capture"


def answers(root: Path, commands: object = COMMANDS) -> Iterator[tuple[str, str]]:
    """Run commands on a capture, each of which must end soon and as documented; yield output and messages."""
    for words in commands:  # type: ignore[attr-defined]
        began = time.process_time()
        answer = invoke(*words, "--root", str(root))
        assert time.process_time() - began < SOON_S, words
        shown = answer.err + (answer.text if words[:1] == ("check",) else "")
        assert "internal error" not in shown, (words, shown)
        assert answer.status in (range(4) if words[:1] == ("check",) else (0, 1)), (words, shown)
        yield answer.text, answer.err


def test_numbers_in_files_of_proc(capture: Path) -> None:
    chance = random.Random(14)
    files = sorted(p for p in (capture / "proc").rglob("*") if p.is_file() and not p.is_symlink())
    for _round in range(12):
        for path in chance.sample(files, 40):
            body = path.read_bytes()
            places = list(re.finditer(rb"[0-9a-fA-F]+", body))
            if places and len(body) < 200_000:
                place = chance.choice(places)
                path.write_bytes(body[: place.start()] + chance.choice(NUMBERS) + body[place.end() :])
        for _answer in answers(capture, chance.sample(COMMANDS, 4)):
            pass


def test_numbers_in_netlink_messages(capture: Path) -> None:
    chance = random.Random(14)
    files = sorted((capture / "netlink").iterdir())
    for _round in range(12):
        for path in chance.sample(files, len(files) // 2):
            body = bytearray(path.read_bytes())
            for _change in range(chance.choice((1, 2, 8))):
                if not body:
                    continue
                at = chance.randrange(len(body)) & ~3
                if chance.random() < 0.3:
                    error = chance.choice((-(1 << 31), (1 << 31) - 1, -1, 5, -5000))
                    body[at:at] = struct.pack("=IHHIIi", 20, chance.choice((2, 3)), 2, 0, 0, error)
                else:
                    body[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\0\0\0\x80", b"\1\0\0\0"))
            path.write_bytes(body)
        for _answer in answers(capture, chance.sample(COMMANDS, 4)):
            pass


@pytest.mark.parametrize("value", [b"21474836480", b"4294967295", b"-2147483648", b"9" * 20])
def test_retries_take_no_time_of_ours(capture: Path, value: bytes) -> None:
    """Loops that counted them ran for as long as the number said."""
    names = [s for s in SYSCTLS.values() if "retries" in s.name or s.name.endswith("tcp_syn_linear_timeouts")]
    assert len(names) >= 5
    for sysctl in names:
        (capture / sysctl.path[1:]).write_bytes(value + b"\n")
    for text, _err in answers(capture, [("limits", "--json"), ("limits",), ("doctor",)]):
        if text.startswith("{"):
            rows = {row["name"]: row["value"] for row in json.loads(text)["limits"]}
            known = -(1 << 31) <= int(value) < 1 << 32
            assert {rows[s.name] for s in names} == {int(value) if known else None}


def test_times_are_computed_as_the_kernel_counts_them() -> None:
    def counted(interval: int, retries: int, most: int) -> int:
        total = 0
        for _ in range(max(retries, 0) + 1):
            total += min(interval, most)
            interval = min(interval * 2, most)
        return total

    for retries in (*range(-1, 40), 255, 100_000):
        for most in (1, 150, 1000, 120_000, 1 << 40):
            assert handshake_ms(retries, 3, most) == 3000 + counted(1000, retries, most)
            assert retransmission_ms(retries, most) == counted(200, retries, most)


@pytest.mark.parametrize("name", ["net.ipv4.tcp_syn_retries", "net.core.somaxconn", "net.ipv4.tcp_rmem"])
def test_sysctls_have_ranges(name: str) -> None:
    sysctl = SYSCTLS[name]
    for value in (b"4294967296", b"-2147483649", b"18446744073709551616"):
        body = b" ".join([value] * sysctl.numbers)
        with pytest.raises(ParseError, match=r"expected (-2147483648 to 4294967295|a number|3 numbers), got"):
            parse_sysctl(sysctl, body)
    assert parse_sysctl(SYSCTLS["net.ipv4.tcp_mem"], b"1 2 18446744073709551615") == (1, 2, (1 << 64) - 1)


def test_numbers_of_64_bits() -> None:
    assert number(b"18446744073709551615") == (1 << 64) - 1
    assert number(b"-9223372036854775808") == -(1 << 63)
    for token in (b"18446744073709551616", b"-9223372036854775809", b"9" * 20, b"1_0", b"", b"-", b"1-1", b"9" * 9999):
        assert number(token) is None
    assert number(b"ffffffffffffffff", 16) == (1 << 64) - 1
    assert number(b"1" + b"0" * 16, 16) is None
    assert number(b"128", most=127) is None
    with pytest.raises(ValueError):
        pointer(b"f" * 5000)


@pytest.mark.parametrize(
    "line",
    [
        b"0" * 32 + b" 81 " + b"0" * 32 + b" 00 " + b"0" * 32 + b" 00000400 00000001 00000000 00000001 eth0",
        b"0" * 5000 + b" 80 " + b"0" * 32 + b" 00 " + b"0" * 32 + b" 00000400 00000001 00000000 00000001 eth0",
        b"0" * 32 + b" 80 " + b"0" * 32 + b" 00 " + b"0" * 30 + b" 00000400 00000001 00000000 00000001 eth0",
    ],
)
def test_routes_have_ranges(line: bytes) -> None:
    """A prefix of 129 bits shifted by a negative number."""
    with pytest.raises(ParseError):
        parse_route6(line + b"\n")
    with pytest.raises(ParseError):
        parse_route(b"heading\neth0 100000000 00000000 0003 0 0 0 00000000 0 0 0\n")


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("error", [-(1 << 31), (1 << 31) - 1, -5000, -4095])
def test_errors_of_captured_answers(capture: Path, kind: int, error: int) -> None:
    message = struct.pack("=IHHIIi", 36, kind, 2, 0, 0, error) + bytes(16)
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(message)
    with pytest.raises(SourceError) as caught:
        list(CaptureTransport(str(capture)).dump(Request("inet_diag_tcp", b"\2" + bytes(55))))
    assert caught.value.errno == -error
    for _answer in answers(capture, [("list", "--netid", "tcp")]):
        pass


def test_text_of_an_error_is_that_of_the_c_library() -> None:
    assert strerror(2) == "No such file or directory"
    assert strerror(5000) == "Unknown error 5000"
    assert strerror(1 << 31) == "Unknown error -2147483648"
    assert strerror(10**30)


def test_noted_errors_and_inodes_have_ranges(capture: Path) -> None:
    noted = b"-\t99999999999\t/proc/net/tcp\n-\t0\t/proc/1\n18446744073709551616\t4096\t/proc/2\n"
    assert [(s.inode, s.errno) for s in parse_stats(noted).values()] == [(None, None), (None, 0), (None, None)]
    (capture / "stat.tsv").write_bytes(noted)
    (capture / "proc/net/tcp").unlink()
    for _answer in answers(capture, [("list", "--source", "proc")]):
        pass


@pytest.mark.parametrize("at", ["1e300", "nan", "inf", "-1", "253402300800", "9" * 400])
def test_time_of_a_capture_has_a_range(capture: Path, at: str) -> None:
    (capture / "meta.toml").write_text(f"captured_at = {at}\n")
    assert capture_time(str(capture)) is None
    for text, _err in answers(capture, [("list", "--json")]):
        assert json.loads(text)["generated_at"].endswith("Z")


def test_processes_and_links_have_ranges(tmp_path: Path) -> None:
    for name in ("1", "4194304", "99999999", "9" * 200):
        (tmp_path / "proc" / name / "fd").mkdir(parents=True)
    (tmp_path / "proc/1/status").write_bytes(b"Uid:\t0\t" + b"9" * 5000 + b"\t0\t0\n")
    (tmp_path / "proc/1/fd/3").symlink_to("socket:[" + "9" * 3000 + "]")
    (tmp_path / "proc/1/fd/" / ("9" * 200)).symlink_to("socket:[1]")
    (tmp_path / "proc/1/ns").symlink_to("net:[" + "9" * 3000 + "]")
    files = CapturedRoot(str(tmp_path))
    assert files.pids() == [1, 4194304]
    for look in (files.owner, files.inode):
        with pytest.raises(SourceError):
            look("/proc/1" if look == files.owner else "/proc/1/ns")
    for _answer in answers(tmp_path, [("list", "--processes"), ("port", "80"), ("doctor",)]):
        pass


def test_names_with_nul_lead_nowhere(capture: Path) -> None:
    """A mount point of a capture becomes part of a path, which must not end at a NUL or raise."""
    mounts = next(iter(capture.glob("proc/*/mountinfo")), capture / "proc/1/mountinfo")
    mounts.parent.mkdir(exist_ok=True)
    mounts.write_bytes(
        b"1 2 0:1 / /sys/fs\0cgroup rw - cgroup2 cgroup2 rw\n30 2 0:2 / /a\\000b rw - cgroup cgroup rw,memory\n"
    )
    for _answer in answers(capture, [("list", "-o", "cgroup"), ("doctor",), ("memory",)]):
        pass
    with pytest.raises(SourceError):
        CapturedRoot(str(capture)).read("/proc/a\0b")
