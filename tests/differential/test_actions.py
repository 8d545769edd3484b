"""-K, -E and -N do what ss does: each program in a namespace of its own, made in the same way."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.differential.pair import OURS, environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

_SOCKETS = """
import os, socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 7)); listener.listen()
def connect(port):
    client = socket.socket(); client.bind(("127.0.0.1", port)); client.connect(("127.0.0.1", 7))
    return client, listener.accept()[0]
pairs = [connect(40001), connect(40002)]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 53))
command = sys.argv[1:]
"""
_KILL = "subprocess.run(command); sys.stdout.flush(); subprocess.run(['ss', '-Htuna'])"
_FOLLOW = """
follower = subprocess.Popen(command, stdout=subprocess.PIPE)
time.sleep(0.7)
subprocess.run(["ss", "-K", "-Htn", "sport", "=", ":40001"], stdout=subprocess.DEVNULL)
for end in pairs[0]:
    end.close()
udp.close()
time.sleep(0.7)
follower.terminate()
os.write(1, follower.stdout.read())
"""


def answer(script: str, command: tuple[str, ...], args: str) -> bytes:
    code = [sys.executable, "-c", _SOCKETS + script, *command, *args.split()]
    return subprocess.run(
        ["unshare", "--net", *code], env=environment(), capture_output=True, timeout=30, check=True
    ).stdout


@pytest.mark.parametrize(
    "args",
    [
        "-Ktn dport = 7 sport = 40001",
        "-Ktna sport = 7",
        "-Kuna sport = 53",
        "-Ktnl",
        "-HKtn sport = 9",
        "-Ktn state established sport = 7",
    ],
)
def test_kill(args: str) -> None:
    """The kernel lists by a hash that each namespace salts anew, so the lines are sorted."""
    assert sorted(answer(_KILL, OURS, args).split(b"\n")) == sorted(answer(_KILL, ("ss",), args).split(b"\n"))


@pytest.mark.parametrize("args", ["-Etn", "-En4", "-HEun", "-Etn sport = 40001", "-Etan sport = 7777", "-KEtn"])
def test_events(args: str) -> None:
    """6.1 keeps events in its buffer until it ends; stdbuf makes it write them as 7.1 does."""
    mine = answer(_FOLLOW, OURS, args)
    assert mine
    assert sorted(mine.split(b"\n")) == sorted(answer(_FOLLOW, ("stdbuf", "-oL", "ss"), args).split(b"\n"))


def test_events_need_something_to_follow() -> None:
    assert run(OURS, ["-E", "-x"], environment())[:2] == run(("ss",), ["-E", "-x"], environment())[:2] == (b"", 255)


@pytest.fixture
def named() -> Iterator[str]:
    name = f"sockdiag-{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        pytest.skip("named network namespaces cannot be made here")
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.parametrize("line", ["-tan", "-s", "-tane", "-uanp"])
def test_named_namespaces(line: str, named: str) -> None:
    args = ["-N", named, *line.split()]
    theirs, mine = run(("ss",), args, environment()), run(OURS, args, environment())
    if line == "-s":
        # Sockets of the whole host.
        assert mine.out.splitlines()[2:] == theirs.out.splitlines()[2:]
    else:
        assert mine.out == theirs.out
    assert mine.code == theirs.code == 0


def test_wrong_namespaces() -> None:
    for name in ("no-such-namespace", "../../dev/null", ""):
        theirs, mine = run(("ss",), ["-N", name], environment()), run(OURS, ["-N", name], environment())
        assert (mine.out, mine.code, mine.err) == (theirs.out, theirs.code, theirs.err)


def test_a_reader_that_interrupts() -> None:
    """Ctrl-C ends events as it ends ss."""
    # A namespace of its own has no events of others.
    follower = subprocess.Popen(
        ["unshare", "-n", *OURS, "-Et"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        follower.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        os.kill(follower.pid, 2)
    assert follower.communicate(timeout=10) == (b"", b"")
    assert follower.returncode == -2
