"""Hosts that show less: /proc with hidepid, a locked down kernel, one without IPv6."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernels.guest.seen import same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def asked(*words: str, before: list[str] | None = None) -> dict[str, Any]:
    """Run a command with --json; return its document."""
    command = [*(before or []), sys.executable, "-m", "sockdiag", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/tmp"})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def hidden() -> Iterator[None]:
    """Hide the processes of others in /proc."""
    subprocess.run(["mount", "-o", "remount,hidepid=2", "/proc"], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,hidepid=0", "/proc"], check=True)


def test_hidepid(hidden: None) -> None:
    """With hidepid=2 another user's sockets are listed, their owners are unknown and not nobody, and a gap says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        where = ("--where", f"sport = :{port}", "-n")
        document = asked("list", *where, "-o", "+processes", before=NOBODY)
        (row,) = document["sockets"]
        assert row["processes"] is None
        assert document["complete"] is False
        assert any("hidepid" in f"{gap['reason']} {gap['hint']}" for gap in document["gaps"]), document["gaps"]
        (row,) = asked("list", *where, "-o", "+processes")["sockets"]
        assert [owner["pid"] for owner in row["processes"]] == [os.getpid()]
        for command in ("doctor", "listeners", "risk"):
            asked(command, *(("--interval", "0") if command != "listeners" else ()), before=NOBODY)


@pytest.mark.boot("odd")
def test_lockdown() -> None:
    """A kernel locked down for confidentiality gives sockets and findings; what it refuses is a gap, not an error."""
    subprocess.run(["mount", "-t", "securityfs", "security", "/sys/kernel/security"], check=False)
    assert "[confidentiality]" in Path("/sys/kernel/security/lockdown").read_text()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        document = asked("list", "-n", "-o", "+processes", "--where", f"sport = :{port}")
        (row,) = document["sockets"]
        assert [owner["pid"] for owner in row["processes"]] == [os.getpid()]
        assert document["gaps"] == []
        document = asked("doctor", "--interval", "1")
        assert document["verdict"] in ("ok", "recovered", "dropping", "at_risk", "unknown")
        document = asked("inspect", f":{port}", "-n")
        assert document["layers"]["fd"]
        for options in ("-tnape", "-xna", "-tnaieO"):
            same_as_ss(*options.split())


@pytest.mark.boot("odd")
def test_without_ipv6() -> None:
    """A kernel with ipv6.disable=1 lists IPv4 sockets, finds no gap in the missing half, and ss prints the same."""
    with pytest.raises(OSError, match="Address family not supported"):
        socket.socket(socket.AF_INET6)
    assert not Path("/proc/net/tcp6").exists()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        for source in ("netlink", "proc", "auto"):
            tables = ("--netid", "tcp,udp") if source == "proc" else ()
            document = asked("list", "-n", "--source", source, *tables)
            assert document["gaps"] == [], source
            assert {row["family"] for row in document["sockets"] if row["netid"] == "tcp"} == {"AF_INET"}
        for command in (["doctor", "--interval", "1"], ["states"], ["memory"], ["path", "--interval", "0"], ["limits"]):
            document = asked(*command)
            reasons = [f"{gap['source']} {gap['reason']}" for gap in document["gaps"]]
            assert not [reason for reason in reasons if "6" in reason], (command, reasons)
        for options in ("-tna", "-una", "-tnaieO", "-s", "-wna", "-6tna"):
            same_as_ss(*options.split())
