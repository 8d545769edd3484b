from __future__ import annotations

import errno
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceDenied, SourceError, SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.sources.capture.transport import CaptureTransport, capture_time, captured_system, file_names, open_capture
from sockdiag.sources.system.transport import Request, messages
from tests.unit.sources.netlink_messages import DONE, nlmsg

if TYPE_CHECKING:
    from pathlib import Path

REQ_V2 = struct.Struct("=BBBxI48s")
ANY_SOCKET = bytes(48)


def inet(state: int, port: int = 80, family: int = 2, cookie: int = 1, rest: bytes = b"") -> bytes:
    sockid = struct.pack("!HH", port, 0) + b"\x7f\0\0\1".ljust(16, b"\0") + bytes(16) + struct.pack("=IQ", 0, cookie)
    return nlmsg(struct.pack("=BBBB", family, state, 0, 0) + sockid + struct.pack("=IIIII", 0, 0, 0, 0, 4711) + rest)


def unix(state: int, inode: int = 1) -> bytes:
    return nlmsg(struct.pack("=BBBxIQ", 1, 1, state, inode, 5))


def request(name: str, states: int = ALL_STATES, family: int = 2) -> Request:
    return Request(name, REQ_V2.pack(family, 6, 0, states, ANY_SOCKET), states=states)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    (tmp_path / "netlink").mkdir()
    return tmp_path


def dump(capture: Path, asked: Request) -> list[bytes]:
    return list(CaptureTransport(str(capture)).dump(asked))


def partial(capture: Path, asked: Request) -> tuple[list[bytes], SourceError | None]:
    got = []
    try:
        for datagram in CaptureTransport(str(capture)).dump(asked):
            got.extend(messages(asked, datagram))
    except SourceError as error:
        return got, error
    return got, None


@pytest.mark.parametrize("ending", [b"", DONE])
def test_messages_are_given_as_they_are(capture: Path, ending: bytes) -> None:
    body = inet(1) + inet(10, rest=b"odd") + inet(1, 81)
    (capture / "netlink/inet_diag_udp.nl").write_bytes(body + ending)
    assert dump(capture, request("inet_diag_udp")) == [body]


def test_empty_answer_is_not_an_absent_one(capture: Path) -> None:
    for name, body in (("inet_diag_udp", b""), ("inet_diag_sctp", DONE)):
        (capture / f"netlink/{name}.nl").write_bytes(body)
        assert dump(capture, request(name)) == []
    with pytest.raises(SourceUnavailable) as caught:
        dump(capture, request("inet_diag_dccp"))
    assert (caught.value.source, caught.value.errno) == ("netlink:inet_diag_dccp", errno.ENOENT)
    assert "not captured" in caught.value.reason


def test_capture_without_netlink_answers(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        dump(tmp_path, request("inet_diag_tcp"))


def test_both_files_answer_a_request_for_both_families(capture: Path) -> None:
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(inet(1) + DONE)
    (capture / "netlink/inet_diag_tcp6.nl").write_bytes(inet(1, family=10) + DONE)
    both = Request("inet_diag_tcp+tcp6", bytes(64), type=18)
    assert b"".join(dump(capture, both)) == inet(1) + inet(1, family=10)


def test_half_of_an_answer_is_none(capture: Path) -> None:
    """Nothing is given out before all files were found: what came from netlink would come from /proc again."""
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(inet(1))
    got, error = partial(capture, Request("inet_diag_tcp+tcp6", bytes(64), type=18))
    assert got == []
    assert isinstance(error, SourceUnavailable)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("unix_diag", ["unix_diag"]),
        ("inet_diag_tcp+tcp6", ["inet_diag_tcp", "inet_diag_tcp6"]),
        ("inet_diag_udp+udp6", ["inet_diag_udp", "inet_diag_udp6"]),
    ],
)
def test_file_names(name: str, names: list[str]) -> None:
    assert file_names(name) == names


@pytest.mark.parametrize("state", range(1, 14))
def test_states_that_were_not_asked_for_are_left_out(capture: Path, state: int) -> None:
    (capture / "netlink/inet_diag_udp.nl").write_bytes(b"".join(inet(s) for s in range(1, 14)))
    (capture / "netlink/unix_diag.nl").write_bytes(b"".join(unix(s) for s in range(1, 14)))
    assert b"".join(dump(capture, request("inet_diag_udp", 1 << state))) == inet(state)
    assert b"".join(dump(capture, Request("unix_diag", b"\1" + bytes(23), states=1 << state))) == unix(state)


def test_closed_tcp_sockets_are_the_bound_ones(capture: Path) -> None:
    """The kernel lists bound, unconnected TCP sockets by mask bit 13, as state 7; bit 7 alone finds nothing."""
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(inet(1) + inet(7))
    assert dump(capture, request("inet_diag_tcp", 1 << 7)) == []
    assert dump(capture, request("inet_diag_tcp", 1 << 13)) == [inet(7)]
    assert dump(capture, request("inet_diag_tcp", 0xFFF)) == [inet(1)]


def test_families_without_states_are_given_whole(capture: Path) -> None:
    body = nlmsg(struct.pack("=BBBB24x", 16, 3, 0, 7)) + nlmsg(struct.pack("=BBHIQ", 17, 3, 3, 1, 1))
    (capture / "netlink/netlink_diag.nl").write_bytes(body)
    assert b"".join(dump(capture, Request("netlink_diag", b"\x10", states=0))) == body


def test_other_ip_family_in_the_same_file_is_left_out(capture: Path) -> None:
    """``ss -D`` writes both families to one file, each with its NLMSG_DONE."""
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(inet(1) + DONE + inet(1, family=10) + DONE)
    assert dump(capture, request("inet_diag_tcp")) == [inet(1)]
    assert dump(capture, request("inet_diag_tcp", family=10)) == [inet(1, family=10)]
    assert b"".join(dump(capture, Request("inet_diag_tcp", bytes(64), type=18))) == inet(1) + inet(1, family=10)


def test_datagrams_are_bounded(capture: Path) -> None:
    body = b"".join(inet(1, port, cookie=port) for port in range(1, 10001))
    (capture / "netlink/inet_diag_udp.nl").write_bytes(body)
    datagrams = dump(capture, request("inet_diag_udp"))
    assert b"".join(datagrams) == body
    assert max(map(len, datagrams)) <= 32768
    assert len(datagrams) == -(-len(body) // (32768 // len(inet(1)) * len(inet(1))))


@pytest.mark.parametrize("cut", range(1, 88))
def test_truncated_file_gives_what_is_whole_and_says_so(capture: Path, cut: int) -> None:
    body = inet(1) + inet(2)
    assert len(inet(1)) == 88
    (capture / "netlink/inet_diag_udp.nl").write_bytes(body[:-cut])
    got, error = partial(capture, request("inet_diag_udp"))
    assert got == [inet(1)]
    assert isinstance(error, SourceTruncated)
    assert "at byte 88" in str(error)


def test_missing_padding_at_the_end_is_no_truncation(capture: Path) -> None:
    message = inet(1, rest=b"abcde")
    (capture / "netlink/inet_diag_udp.nl").write_bytes(message[:-3])
    assert dump(capture, request("inet_diag_udp")) == [message]


@pytest.mark.parametrize("length", [0, 15, 1 << 20 | 1, 0xFFFFFFFF])
def test_absurd_length_is_damage(capture: Path, length: int) -> None:
    damaged = struct.pack("=I", length) + inet(1)[4:]
    (capture / "netlink/inet_diag_udp.nl").write_bytes(inet(1) + damaged)
    got, error = partial(capture, request("inet_diag_udp"))
    assert got == [inet(1)]
    assert isinstance(error, SourceTruncated)


@pytest.mark.parametrize(
    ("number", "raised"),
    [(errno.ENOENT, SourceUnavailable), (errno.EPERM, SourceDenied), (errno.ENOBUFS, SourceTruncated)],
)
def test_captured_error_is_raised_again(capture: Path, number: int, raised: type[SourceError]) -> None:
    done = struct.pack("=IHHIIi", 20, 3, 2, 0, 0, -number)
    error = nlmsg(struct.pack("=i16x", -number), kind=2)
    for ending in (done, error):
        (capture / "netlink/inet_diag_sctp.nl").write_bytes(inet(1) + ending)
        got, caught = partial(capture, request("inet_diag_sctp"))
        assert got == [inet(1)]
        assert isinstance(caught, raised)
        assert caught.errno == number


def test_captured_inconsistency_is_raised_again(capture: Path) -> None:
    flagged = struct.pack("=IHHIIi", 20, 3, 0x12, 0, 0, 0)
    (capture / "netlink/inet_diag_udp.nl").write_bytes(inet(1) + flagged)
    got, error = partial(capture, request("inet_diag_udp"))
    assert got == [inet(1)]
    assert isinstance(error, SourceInterrupted)


def test_pieces_of_the_file_may_end_anywhere(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sockdiag.sources.system import proc_root

    body = b"".join(inet(1, cookie=c, rest=b"x" * (c % 7)) for c in range(50))
    (capture / "netlink/inet_diag_udp.nl").write_bytes(body)
    for size in (1, 2, 3, 7, 16, 87, 89):
        monkeypatch.setattr(proc_root, "_CHUNK", size)
        assert b"".join(dump(capture, request("inet_diag_udp"))) == body


def test_link_out_of_the_capture_is_not_followed(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "inet_diag_udp.nl"
    outside.write_bytes(inet(1))
    (capture / "netlink/inet_diag_udp.nl").symlink_to(outside)
    with pytest.raises(SourceUnavailable):
        dump(capture, request("inet_diag_udp"))


def test_one_socket_by_cookie_or_addresses(capture: Path) -> None:
    (capture / "netlink/inet_diag_tcp.nl").write_bytes(inet(10, 80, cookie=1) + inet(1, 81, cookie=2))
    transport = CaptureTransport(str(capture))
    wanted = inet(1, 81, cookie=2)
    sockid = wanted[20:68]
    for asked in (sockid, sockid[:40] + b"\xff" * 8, bytes(40) + sockid[40:]):
        assert transport.query(Request("inet_diag_tcp", REQ_V2.pack(2, 6, 0, 0, asked))) == wanted
    with pytest.raises(SourceUnavailable):
        transport.query(Request("inet_diag_tcp", REQ_V2.pack(2, 6, 0, 0, bytes(40) + b"\xff" * 8)))


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss")
def test_ss_reads_the_file(capture: Path) -> None:
    """The format is that of TCPDIAG_FILE."""
    path = capture / "netlink/inet_diag_tcp.nl"
    path.write_bytes(inet(10, 80) + inet(1, 81) + DONE)
    shown = subprocess.run(
        ["ss", "-Htan"],
        env={"TCPDIAG_FILE": str(path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["LISTEN", "0", "0", "127.0.0.1:80", "0.0.0.0:*"],
        ["ESTAB", "0", "0", "127.0.0.1:81", "0.0.0.0:*"],
    ]


def test_captured_system_has_the_time_of_the_capture(capture: Path) -> None:
    (capture / "meta.toml").write_bytes(b'kernel = "6.18"\ncaptured_at = 1700000000.5\n')
    assert captured_system(str(capture)).clock() == 1700000000.5
    assert capture_time(str(capture)) == 1700000000.5


@pytest.mark.parametrize("meta", [None, b"", b"captured_at = yesterday\n", b"\xff\0="])
def test_capture_time_may_be_unknown(capture: Path, meta: bytes | None) -> None:
    if meta is not None:
        (capture / "meta.toml").write_bytes(meta)
    assert capture_time(str(capture)) is None


def test_open_capture(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="neither proc nor netlink"):
        open_capture(str(tmp_path))
    with pytest.raises(SourceUnavailable, match="No such file"):
        open_capture(str(tmp_path / "absent"))
    (tmp_path / "sosreport-x/proc").mkdir(parents=True)
    assert open_capture(str(tmp_path)).path == str(tmp_path / "sosreport-x")
    assert open_capture(str(tmp_path / "sosreport-x")).path == str(tmp_path / "sosreport-x")
