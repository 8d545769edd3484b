"""Hosts that show less: /proc with hidepid."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

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
