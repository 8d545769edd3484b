"""`inspect` of a captured system: what the capture holds, and of the rest that only the running system can tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.cli.env import Env
from sockdiag.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable

WORLD = Path(__file__).parents[2] / "fixtures" / "6.18-world"


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command on the captured world and return its document."""

    def call(*words: str) -> Any:
        assert run(["sockdiag", *words, "--root", str(WORLD), "--json"], Env()) == 0
        return json.loads(capfd.readouterr().out)

    return call


def test_every_kind_of_captured_socket(ask: Callable[..., Any]) -> None:
    """Each socket of the capture is found by its cookie, and what was captured of it is told."""
    one_of_each = {}
    for socket in ask("list", "-o", "netid,family,state,inode,cookie,local")["sockets"]:
        if socket["cookie"]:
            one_of_each[socket["netid"], socket["family"], socket["state"], bool(socket["inode"])] = socket
    assert len(one_of_each) > 30
    for (netid, _family, state, held), socket in one_of_each.items():
        document = ask("inspect", f"cookie:{socket['cookie']}")
        layers = document["layers"]
        assert document["matches"][0]["local"] == socket["local"]
        assert layers["proto"]["name"]
        assert document["getsockopt"] is None
        if not held:
            assert layers["fd"]["pid"] is None
            assert layers["socket"]["ops"] is None
            continue
        assert layers["socket"]["ops"]
        sources = {gap["source"] for gap in layers["sock"]["lacks"]}
        assert "pidfd_getfd" in sources
        if netid == "tcp" and state == "ESTABLISHED":
            assert [topic["name"] for topic in layers["sock"]["tcp"]] == [
                "path",
                "flow_control",
                "loss",
                "pacing",
                "application",
            ]


def test_owner_in_a_capture(ask: Callable[..., Any]) -> None:
    """PID/FD leads to the socket; flags, which a capture does not hold, are a gap that names the running system."""
    listener = next(s for s in ask("list", "--where", "state = listening")["sockets"] if s["netid"] == "tcp")
    held = next(s for s in ask("list", "-o", "inode,processes")["sockets"] if s["inode"] == listener["inode"])
    (owner,) = held["processes"]
    layers = ask("inspect", f"{owner['pid']}/{owner['fd']}")["layers"]
    assert layers["sock"]["socket"]["cookie"] == listener["cookie"]
    assert layers["file"]["flags"] is None
    assert [gap["hint"] for gap in layers["file"]["lacks"]] == ["inspect the running system"]


def test_what_a_capture_does_not_have(capfd: pytest.CaptureFixture[str]) -> None:
    """A process that the capture does not have: exit 1 and a clear message."""
    assert run(["sockdiag", "inspect", "999999999/3", "--root", str(WORLD)], Env()) == 1
    assert capfd.readouterr() == ("", "sockdiag: /proc/999999999/fd/3: there is no such process\n")
