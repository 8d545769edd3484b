"""Run one command line with the installed ss and with ours, and compare the bytes.

Two runs of ss itself differ where time passes between them. Only the fields named in MOVING may be masked, and only
where two runs of ss around ours are not equal.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parents[2]
OURS = (sys.executable, "-m", "sockdiag", "ss")

# Fields that move between two runs of ss on the same sockets, each with what may stand in it.
MOVING = {
    "timer expiry and the retransmissions so far": rb"(timer:\(\w+,)[^)]*(\))",
    "time since the last segment": rb"(last(?:snd|rcv|ack):)\d+()",
    "last_data_sent and its like of mptcp": rb"(last_(?:data_sent|data_recv|ack_recv):)\d+()",
    "time that data was waiting": rb"(busy:)[\w.%():]+(?: (?:rwnd|sndbuf)_limited:\S+)*()",
    "sockets of the whole host in the summary": rb"(Total: |TCP:   |closed |orphaned )\d+()",
    "process id of the observer": rb"(ss|python\w*|sockdiag)/\d+()",
    "port id of a netlink socket of the observer": rb"((?:rtnl|tcpdiag):)-\d+()",
}
_MASKS = [(re.compile(pattern), rb"\1~\2") for pattern in MOVING.values()]


class Result(NamedTuple):
    """What a command did."""

    out: bytes
    code: int
    err: bytes


@cache
def reference_version() -> str:
    """Return the version of the installed ss that ours is to be like: 7.1, or 6.1 for anything older."""
    done = subprocess.run(["ss", "-V"], capture_output=True, text=True, check=True)
    return "7.1" if re.search(r"iproute2-[7-9]", done.stdout) else "6.1"


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which both programs behave alike, with *variables*."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "SOCKDIAG_SS_VERSION": reference_version(),
        **measured,
        **variables,
    }


def run(command: tuple[str, ...], args: list[str], env: dict[str, str], cwd: str | None = None) -> Result:
    """Run a program to its end."""
    done = subprocess.run(
        [*command, *args], env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    return Result(done.stdout, done.returncode, done.stderr)


def masked(out: bytes) -> bytes:
    """Mask the moving fields, and the padding that follows from their lengths."""
    for pattern, by in _MASKS:
        out = pattern.sub(by, out)
    return re.sub(rb" +(?=\n|$)", b"", re.sub(rb" {2,}", b"  ", out))


# Netlink sockets, and the unix socket with which ss -r looks for rpcbind.
_OBSERVER = re.compile(
    rb"(?:nl +)?(?:UNCONN +)?-?\d+ +-?\d+ +(?:rtnl|tcpdiag|0|4):|(?:u_str +)?UNCONN +0 +0 +\* +\d+ +\* +0\b"
)


def without_observers(out: bytes) -> bytes:
    """Leave out the sockets of the programs themselves, and the widths that they make."""
    rows = [line for line in out.split(b"\n") if not _OBSERVER.match(line)]
    return re.sub(rb" +", b" ", b"\n".join(rows))


def own_words(first: Result, ours: Result) -> bool:
    """Tell whether the answers are the usage text, which we give in words of our own."""
    return first.code == ours.code and first.out.startswith(b"Usage: ss") and ours.out.startswith(b"Usage: ss")


def said(result: Result) -> bytes:
    """Return what a program said on standard error, but for the usage text and what 6.1 says of refused questions."""
    return re.sub(rb"(?m)^RTNETLINK answers: .*\n", b"", result.err.partition(b"Usage: ss")[0])


def difference(args: list[str], env: dict[str, str] | None = None, cwd: str | None = None) -> str:
    """Compare the two programs; return "" where they agree, else what differs."""
    env = env or environment()
    return compared(args, lambda: run(("ss",), args, env, cwd), lambda: run(OURS, args, env, cwd))


def compared(args: list[str], theirs: Callable[[], Result], mine: Callable[[], Result], *, errors: bool = False) -> str:
    """Compare the answers of two programs; return "" where they agree, else what differs.

    Args:
        args: the command line, for the difference.
        theirs: runs the reference.
        mine: runs ours.
        errors: compare standard error, too.
    """
    first = ours = Result(b"", 0, b"")
    for _attempt in range(8):
        first, ours = theirs(), mine()
        if errors and said(first) != said(ours):
            return f"{args}: standard error\n  ss   {said(first)!r}\n  ours {said(ours)!r}"
        if ours[:2] == first[:2] or own_words(first, ours):
            return ""
        again = theirs()
        if ours[:2] == again[:2]:
            return ""
        if first.code != ours.code:
            break
        if first.out == again.out:
            # What moves may have moved there and back in between.
            if masked(ours.out) == masked(first.out):
                continue
            break
        for view in (masked, lambda out: without_observers(masked(out))):
            if view(ours.out) in (view(first.out), view(again.out)):
                return ""
        first, ours = first._replace(out=masked(first.out)), ours._replace(out=masked(ours.out))
    if first.code != ours.code:
        return f"{args}: exit {first.code}, ours {ours.code}: {ours.err[-300:]!r}"
    lines, own = first.out.split(b"\n"), ours.out.split(b"\n")
    for number, (left, right) in enumerate(zip(lines, own, strict=False), 1):
        if left != right:
            return f"{args}: line {number}\n  ss   {left!r}\n  ours {right!r}"
    return f"{args}: {len(lines)} lines, ours {len(own)}"
