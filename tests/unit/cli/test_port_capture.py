"""`port` of a captured system, in JSON and on the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.cli.env import Env
from sockdiag.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command on a capture and return what it prints."""

    def call(*words: str, capture: str = "6.18-world") -> str:
        assert run(["sockdiag", *words, "--root", str(FIXTURES / capture)], Env()) == 0
        return capfd.readouterr().out

    return call


def test_every_captured_port(ask: Callable[..., str]) -> None:
    """All sockets with the port are told, each once; a port that listens cannot be bound."""
    sockets: list[Any] = json.loads(ask("list", "--netid", "tcp,udp", "--json"))["sockets"]
    ports = sorted({s["local"]["port"] for s in sockets if s["local"]["port"]})
    assert len(ports) > 30
    for port in ports[::4]:
        document = json.loads(ask(f":{port}", "--json"))
        assert document["port"] == port
        here = [use for use in document["uses"] if use["role"] != "outgoing" and use["netid"] in ("tcp", "udp")]
        assert sum(use["sockets"] for use in here) == sum(s["local"]["port"] == port for s in sockets)
        listens = {use["netid"] for use in here if use["role"] == "listening" and use["netid"] == "tcp"}
        answers = {one["answer"] for one in document["bind"] if one["netid"] in listens and not one["option"]}
        assert answers <= {"EADDRINUSE", "OK"}
        assert ("EADDRINUSE" in answers) == bool(listens)


def test_unprivileged_capture(ask: Callable[..., str]) -> None:
    """Nobody is shown, and why."""
    sockets = json.loads(ask("list", "--netid", "tcp", "--json", capture="6.18-unprivileged"))["sockets"]
    port = next(s["local"]["port"] for s in sockets if s["state"] == "LISTEN")
    document = json.loads(ask(f":{port}", "--json", capture="6.18-unprivileged"))
    listening = [use for use in document["uses"] if use["role"] == "listening"]
    assert listening
    for use in listening:
        assert use["processes"] or use["note"]


def test_screen(ask: Callable[..., str]) -> None:
    """The first line answers; the process and bind(2) follow."""
    sockets = json.loads(ask("list", "--netid", "tcp", "--json", "-o", "state,local,processes"))["sockets"]
    one = next(s for s in sockets if s["state"] == "LISTEN" and s["processes"])
    name = "{comm}({pid})".format(**one["processes"][0])
    text = ask(f":{one['local']['port']}")
    first, *rest = text.splitlines()
    assert first.startswith(f"port {one['local']['port']}  {name} listens on tcp")
    assert "LISTENING" in rest
    assert "PROCESSES" in rest
    assert any(line.startswith(f"  {name}  ") for line in rest)
    assert any("EADDRINUSE" in line for line in rest)
