"""Groups of real sockets: the processes, units and containers that the test made, by their own counts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.cgroups import cgroup
from tests.live.test_everywhere_live import answer
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Moves into a cgroup, takes a name, connects and binds as told, and holds all of it until its standard input ends.
CLIENT = """
import json, os, socket, sys
folder, name, connections, datagrams = json.loads(sys.argv[1])
with open(folder + "/cgroup.procs", "w") as file: file.write("0")
with open("/proc/self/comm", "w") as file: file.write(name)
held = []
for port, number in connections:
    for _ in range(number):
        held.append(socket.create_connection(("127.0.0.1", port)))
for _ in range(datagrams):
    held.append(socket.socket(type=socket.SOCK_DGRAM))
    held[-1].bind(("127.0.0.1", 0))
print(os.getpid(), flush=True)
sys.stdin.read()
"""

# Listens on ports, accepts what comes, and holds it.
SERVER = """
import json, select, socket, sys
listeners = [socket.create_server(("127.0.0.1", port)) for port in json.loads(sys.argv[1])]
held = []
print("ready", flush=True)
while sys.stdin not in (found := select.select([sys.stdin, *listeners], [], [])[0]):
    held += [listener.accept() for listener in found]
"""

ID = "5ca1ab1e" * 8


def started(stack: contextlib.ExitStack, namespace: Namespace, code: str, what: Any) -> str:
    """Start a program in a namespace until the stack ends; return what it says when it is ready."""
    process = subprocess.Popen(
        ["nsenter", f"--net={namespace.path}", sys.executable, "-c", code, json.dumps(what)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.wait, 10)
    stack.callback(process.stdin.close)
    stack.callback(process.stdout.close)
    return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[Namespace, dict[str, int]]]:
    """Yield a namespace with three services, and the PID of each by its unit."""
    units = {
        # (cgroup below the test's own, name, [(port, connections)], bound UDP sockets)
        "front@2.service": (
            "system.slice/system-front.slice/front@2.service/workers",
            "frontd",
            [(8001, 3), (8002, 2)],
            1,
        ),
        "music.service": (
            "user.slice/user-1000.slice/user@1000.service/app.slice/music.service",
            "musicd",
            [(8001, 1)],
            2,
        ),
        f"docker-{ID}.scope": (f"system.slice/docker-{ID}.scope", "frontd", [(8002, 4)], 0),
    }
    with contextlib.ExitStack() as stack:
        namespace = Namespace()
        stack.callback(namespace.close)
        folders: dict[str, Path] = {
            unit: stack.enter_context(cgroup(f"sockdiag-groups.slice/{path}")) for unit, (path, *_rest) in units.items()
        }
        assert started(stack, namespace, SERVER, [8001, 8002]) == "ready"
        pids = {
            unit: int(started(stack, namespace, CLIENT, [str(folders[unit]), name, connections, datagrams]))
            for unit, (_path, name, connections, datagrams) in units.items()
        }
        yield namespace, pids


def groups(namespace: Namespace, command: str, by: str, *more: str) -> list[dict[str, Any]]:
    """Return the groups of the clients: those with a remote port of the server, and their UDP sockets."""
    found = answer(
        command, "--by", by, "--netns", namespace.path, "--where", "dport = 8001 or dport = 8002 or netid = udp", *more
    )
    assert found["by"] == by
    groups: list[dict[str, Any]] = found["groups"]
    return groups


@pytest.mark.parametrize(("command", "number"), [("states", "count"), ("list", "count"), ("memory", "sockets")])
def test_units_containers_and_processes(services: tuple[Namespace, dict[str, int]], command: str, number: str) -> None:
    """Every command counts the sockets of each unit, container, process and command name as the test made them."""
    namespace, pids = services
    front, music, docker = "front@2.service", "music.service", f"docker-{ID}.scope"
    expected = {front: 6, music: 3, docker: 4}
    assert {one["key"]: one[number] for one in groups(namespace, command, "unit")} == expected
    assert {one["key"]: one[number] for one in groups(namespace, command, "container")} == {None: 9, ID[:12]: 4}
    assert {one["key"]: one[number] for one in groups(namespace, command, "command")} == {"frontd": 10, "musicd": 3}
    by_process = {(one["key"], one["pid"]): one[number] for one in groups(namespace, command, "process")}
    assert by_process == {("frontd", pids[front]): 6, ("musicd", pids[music]): 3, ("frontd", pids[docker]): 4}


@pytest.mark.parametrize(("command", "number"), [("states", "count"), ("list", "count"), ("memory", "sockets")])
def test_several_keys(services: tuple[Namespace, dict[str, int]], command: str, number: str) -> None:
    """Groups by several keys are those that have all of them in common."""
    namespace, _pids = services
    found = {
        (one["keys"]["unit"], one["keys"]["remote"]): one[number]
        for one in groups(namespace, command, "unit,remote", "--netid", "tcp")
    }
    assert found == {
        ("front@2.service", "127.0.0.1:8001"): 3,
        ("front@2.service", "127.0.0.1:8002"): 2,
        ("music.service", "127.0.0.1:8001"): 1,
        (f"docker-{ID}.scope", "127.0.0.1:8002"): 4,
    }
    by_peer = {one["key"]: one[number] for one in groups(namespace, command, "peer,state", "--netid", "tcp")}
    assert by_peer == {"127.0.0.1 ESTABLISHED": 10}
