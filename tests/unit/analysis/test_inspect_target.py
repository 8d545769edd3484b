"""What a target names, and which sockets match it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.analysis.inspect_target import Target, matching, parse_target
from sockdiag.errors import UsageError
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.socket import Socket


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("123/4", Target("descriptor", "123/4", 123, 4)),
        ("inode:77", Target("inode", "inode:77", number=77)),
        ("ino:77", Target("inode", "ino:77", number=77)),
        ("cookie:3a", Target("cookie", "cookie:3a", number=0x3A)),
        ("sk:3A", Target("cookie", "sk:3A", number=0x3A)),
        (":80", Target("endpoint", ":80", ends=((None, 80),))),
        ("*:80", Target("endpoint", "*:80", ends=((None, 80),))),
        ("127.0.0.1:80", Target("endpoint", "127.0.0.1:80", ends=(("127.0.0.1", 80),))),
        ("127.0.0.1:*", Target("endpoint", "127.0.0.1:*", ends=(("127.0.0.1", None),))),
        ("[::1]:80", Target("endpoint", "[::1]:80", ends=(("::1", 80),))),
        ("[0:0::1]:80", Target("endpoint", "[0:0::1]:80", ends=(("::1", 80),))),
        ("[::ffff:1.2.3.4]:80", Target("endpoint", "[::ffff:1.2.3.4]:80", ends=(("1.2.3.4", 80),))),
        ("[fe80::1%eth0]:80", Target("endpoint", "[fe80::1%eth0]:80", ends=(("fe80::1", 80),))),
        ("1.2.3.4:1-5.6.7.8:2", Target("pair", "1.2.3.4:1-5.6.7.8:2", ends=(("1.2.3.4", 1), ("5.6.7.8", 2)))),
        ("[::1]:1,[::2]:2", Target("pair", "[::1]:1,[::2]:2", ends=(("::1", 1), ("::2", 2)))),
        (":1-:2", Target("pair", ":1-:2", ends=((None, 1), (None, 2)))),
        ("@name", Target("unix", "@name", name=b"\0name")),
        ("/run/x.sock", Target("unix", "/run/x.sock", name=b"/run/x.sock")),
        ("unix:name", Target("unix", "unix:name", name=b"name")),
        ("unix:@1/2", Target("unix", "unix:@1/2", name=b"\x001/2")),
        ("run/x-1", Target("unix", "run/x-1", name=b"run/x-1")),
    ],
)
def test_forms(text: str, expected: Target) -> None:
    """Every form of a target."""
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "x",
        ":",
        ":x",
        ":65536",
        "*:*",
        "inode:",
        "inode:0",
        "inode:-1",
        "inode:x",
        "cookie:",
        "cookie:g",
        "cookie:-1",
        "cookie:" + "f" * 17,
        "cookie:1_0",
        "1.2.3:80",
        "host:80",
        "@",
        "1/2x:3",
    ],
)
def test_what_is_no_target(text: str) -> None:
    """Wrong usage says so with the text."""
    if "/" in text:
        assert parse_target(text).kind == "unix"
        return
    with pytest.raises(UsageError, match=r".*"):
        parse_target(text)


def test_two_arguments() -> None:
    """A second argument is the other end."""
    assert parse_target("1.2.3.4:1", "[::1]:2").ends == (("1.2.3.4", 1), ("::1", 2))
    with pytest.raises(UsageError):
        parse_target("1/2", "[::1]:2")


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """Only UsageError escapes."""
    with contextlib.suppress(UsageError):
        parse_target(text)


def tcp(inode: int, local: str, lport: int, peer: str = "0.0.0.0", pport: int = 0, **named: object) -> Socket:
    return Socket(
        "tcp",
        "AF_INET6" if ":" in local else "AF_INET",
        local=Endpoint(local, lport),
        peer=Endpoint(peer, pport),
        inode=inode,
        cookie=inode + 1000,
        **named,
    )


LISTENER = tcp(1, "0.0.0.0", 80)
SERVER = tcp(2, "127.0.0.1", 80, "127.0.0.1", 5000)
CLIENT = tcp(3, "127.0.0.1", 5000, "127.0.0.1", 80)
REMOTE = tcp(4, "192.0.2.1", 6000, "198.51.100.1", 443)
MAPPED = tcp(5, "::ffff:127.0.0.1", 80, "::ffff:127.0.0.1", 5001)
ABSTRACT = Socket("unix", "AF_UNIX", local=Endpoint(b"\0a\0b"), inode=6, cookie=1006)
PATHED = Socket("unix", "AF_UNIX", local=Endpoint(b"/run/x"), inode=7, cookie=1007)
ALL = [LISTENER, SERVER, CLIENT, REMOTE, MAPPED, ABSTRACT, PATHED]


@pytest.mark.parametrize(
    ("text", "inodes"),
    [
        ("inode:3", [3]),
        ("inode:99", []),
        ("cookie:3eb", [3]),
        (":80", [1, 2, 5]),
        (":443", [4]),
        ("127.0.0.1:80", [2, 5]),
        ("192.0.2.1:80", [1]),
        ("198.51.100.1:443", [4]),
        ("0.0.0.0:80", [1]),
        ("127.0.0.1:5000-127.0.0.1:80", [3]),
        ("127.0.0.1:80-127.0.0.1:5000", [2]),
        ("198.51.100.1:443,192.0.2.1:6000", [4]),
        (":6000-:443", [4]),
        ("@a@b", [6]),
        ("/run/x", [7]),
        ("@c", []),
        ("127.0.0.1:*", [2, 3, 5]),
    ],
)
def test_matching(text: str, inodes: list[int]) -> None:
    """Own end before the peer's, exact before any address, a pair in either order."""
    target = parse_target(text)
    found = matching(target, [Batch.of([s for s in ALL if s.netid in target.tables])])
    assert [socket.inode for socket in found] == inodes


def test_a_descriptor_is_its_inode() -> None:
    """What a descriptor leads to is found by that."""
    assert matching(parse_target("1/2"), [Batch.of(ALL)], 4) == [REMOTE]
