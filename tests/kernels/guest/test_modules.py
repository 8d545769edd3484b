"""Which modules the kernel loads for a question: each request for one runs the program of kernel.modprobe, which counts here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.boot("modules")

MODPROBE = Path("/proc/sys/kernel/modprobe")
READING = (
    "",
    "list -o +processes,cgroup,tcp_info",
    "states --exact",
    "memory",
    "risk --interval 0.1",
    "listeners --interval 0.1",
    "path --interval 0.1 --json",
    "port 22",
    "traffic --interval 0.1",
    "inspect :22",
    "check --interval 0.1 --state /run/modules-state",
    "doctor --interval 0.1 --netns all",
    "metrics",
    "limits",
    "protocols",
    "kill --yes :22",
    "list --where 'dev = nosuch'",
    "ss -taupx0eimn",
    "ss -aHO --vsock --tipc --xdp --sctp --dccp --mptcp --raw -f netlink",
    "ss -E",
)
DIAG = ("tcp_diag", "udp_diag", "raw_diag", "mptcp_diag", "sctp_diag", "dccp_diag", "inet_diag", "unix_diag")
DIAG += ("netlink_diag", "af_packet_diag", "vsock_diag", "xsk_diag", "tipc_diag")


def loaded() -> set[str]:
    """Return the diag modules that are loaded."""
    names = {line.split()[0] for line in Path("/proc/modules").read_text().splitlines()}
    return names & set(DIAG)


def run(words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    command = f"exec timeout 180 {sys.executable} -m sockdiag {words}"
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, env={**os.environ, **environ}, check=False
    )


class Requests:
    """The requests for modules since it was made.

    Attributes:
        log: the file that has a line for each.
    """

    def __init__(self, folder: Path, *, load: bool = True) -> None:
        self.log = folder / "requests"
        self.log.write_text("")
        helper = folder / "modprobe"
        serve = 'exec /sbin/modprobe "$@"' if load else "exit 1"
        helper.write_text(f'#!/bin/sh\necho "$*" >> {self.log}\n{serve}\n')
        helper.chmod(0o755)
        MODPROBE.write_text(str(helper))

    def take(self) -> list[str]:
        """Return the requests so far, and forget them."""
        found = self.log.read_text().split("\n")[:-1]
        self.log.write_text("")
        return found


@pytest.fixture
def requests(tmp_path: Path) -> Iterator[Callable[..., Requests]]:
    """Unload all diag modules, and return the function that begins to count."""
    before = MODPROBE.read_text()
    for module in DIAG:
        if module in loaded():
            subprocess.run(["modprobe", "-r", module], check=True)
    assert loaded() == set()
    yield lambda **how: Requests(tmp_path, **how)
    MODPROBE.write_text(before)


def test_never_asks_for_none(requests: Callable[..., Requests]) -> None:
    """No command and no table makes the kernel ask for a module, and none is loaded."""
    with socket.create_server(("127.0.0.1", 22)):
        counted = requests()

        def quietly(words: str) -> None:
            command = words if words != "ss -E" else "ss -E & sleep 3; kill $!"
            done = run(command, SOCKDIAG_LOAD_MODULES="never")
            assert "Traceback" not in done.stderr, words
            if not words.startswith(("inspect", "ss", "check", "kill")):
                assert done.returncode == 0, (words, done.stderr)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(quietly, READING))
        made = counted.take()
        if made:
            # Which of them it was takes long, one after the other.
            guilty = {words: (quietly(words), counted.take())[1] for words in READING}
            assert guilty == {words: [] for words in READING}, made
    assert loaded() == set()


def test_auto_loads_what_the_question_needs(requests: Callable[..., Requests]) -> None:
    """The modules of its tables alone, as ss does."""
    counted = requests()
    for words, wanted in (
        ("limits", set()),
        ("protocols", set()),
        ("list --netid unix", {"unix_diag"}),
        ("ss -x", {"unix_diag"}),
        ("states --netid tcp", {"unix_diag", "inet_diag", "tcp_diag"}),
        ("list -u", {"unix_diag", "inet_diag", "tcp_diag", "udp_diag"}),
    ):
        assert run(words).returncode == 0
        assert loaded() == wanted, words
    assert counted.take()


def test_other_namespaces_are_looked_for_without_modules(requests: Callable[..., Requests]) -> None:
    """Which sockets are listed matters there, and /proc lists them too: the question is about TCP."""
    requests()
    with socket.create_server(("127.0.0.1", 22)):
        assert run("list -t --netns all").returncode == 0
        assert loaded() == {"inet_diag", "tcp_diag"}
        assert run("port 23").returncode == 0
        assert not loaded() & {"unix_diag", "netlink_diag", "af_packet_diag", "xsk_diag", "vsock_diag"}


def test_the_gap_names_the_module_that_the_command_loads(requests: Callable[..., Requests]) -> None:
    """After its command the same question has no gap, and equals the answer with modules loaded on demand."""
    counted = requests()
    server = socket.create_server(("127.0.0.1", 22))
    with server, socket.create_connection(server.getsockname()):
        before = json.loads(run("list -tux --json --load-modules never").stdout)
        assert before["scope"]["sources"] == {"tcp": "proc", "udp": "proc", "unix": "proc"}
        assert not before["complete"]
        assert len(before["sockets"]) >= 3
        commands = [gap["hint"] for gap in before["gaps"]]
        assert commands == ["modprobe tcp_diag", "modprobe udp_diag", "modprobe unix_diag"]
        assert counted.take() == []
        for command in commands:
            subprocess.run(command.split(), check=True)
        answers = [json.loads(run(f"list -tux --json --load-modules {word}").stdout) for word in ("never", "auto")]
        for answer in answers:
            assert (answer["complete"], answer["gaps"]) == (True, [])
            assert answer["scope"]["sources"] == {"tcp": "netlink", "udp": "netlink", "unix": "netlink"}
        assert answers[0]["sockets"] == answers[1]["sockets"]
        assert counted.take() == []
        rules = json.loads(run("doctor --interval 0 --netid tcp --json --load-modules never").stdout)
        assert rules["gaps"] == []


def test_a_module_that_cannot_be_loaded(requests: Callable[..., Requests]) -> None:
    """The kernel was asked and modprobe failed: the gap has the same words, and rules name the module."""
    counted = requests(load=False)
    with socket.create_server(("127.0.0.1", 22)):
        done = run("doctor --interval 0 --netid tcp --json")
    gaps = json.loads(done.stdout)["gaps"]
    assert [gap["reason"] for gap in gaps] == ["the module tcp_diag is not loaded"]
    assert gaps[0]["hint"].startswith("modprobe tcp_diag")
    assert "does not show buffer sizes" not in done.stderr
    assert counted.take()
