"""inspect answers first: whose a socket is, what it waits for, and which socket is its other end, in any namespace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import answer_probes as probes
from tests.live.world.namespace import PROJECT, Namespace, RemoteError, netns
from tests.needs import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sockdiag", *words], capture_output=True, text=True, timeout=60, check=False, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def inspect(held: tuple[int, int, int]) -> Any:
    return json.loads(run("inspect", f"{held[0]}/{held[1]}", "--json"))


def far_end(held: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return process, descriptor and inode of the other end."""
    (far,) = inspect(held)["far_ends"]
    (owner,) = far["processes"]
    return owner["pid"], owner["fd"], far["inode"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback(empty_netns: Namespace, address: str) -> None:
    """Either end names the other; one that is not accepted yet belongs to the listener."""
    listener, client, server, waiting = empty_netns.call(probes.loopback, address, 1, 1)
    assert far_end(client) == server
    assert far_end(server) == client
    (far,) = inspect(waiting)["far_ends"]
    assert (far["inode"], [(o["pid"], o["fd"]) for o in far["processes"]]) == (0, [listener[:2]])
    assert "not accepted yet by" in inspect(waiting)["answer"]["other_end"]


def test_unix(empty_netns: Namespace) -> None:
    """By inode, which the kernel gives once for all namespaces."""
    one, other = empty_netns.call(probes.unix_pair)
    assert far_end(one) == other
    assert far_end(other) == one


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM, socket.SOCK_SEQPACKET])
def test_unix_between_namespaces(empty_netns: Namespace, tmp_path: Path, kind: int) -> None:
    """A path joins processes of two network namespaces."""
    path = str(tmp_path / "s")
    with netns() as other:
        (server,) = empty_netns.call(probes.unix_server, path, kind)
        (client,) = other.call(probes.unix_client, path, kind)
        if kind == DATAGRAM:
            assert far_end(client) == server
            return
        (accepted,) = empty_netns.call(probes.accept_last)
        assert far_end(client) == accepted
        assert far_end(accepted) == client
        # The kernel makes what accept(2) returns in the namespace of the client.
        assert inspect(accepted)["matches"][0]["netns"] == str(other.inode)


def test_senders_of_a_datagram_socket(empty_netns: Namespace) -> None:
    """The server has no other end, but those that are connected to it are named."""
    (server,) = empty_netns.call(probes.unix_server, "\0far", DATAGRAM)
    clients = [empty_netns.call(probes.unix_client, "\0far", DATAGRAM)[0] for _ in range(3)]
    document = inspect(server)
    assert {far["inode"] for far in document["far_ends"]} == {client[2] for client in clients}
    assert document["answer"]["other_end"].startswith("none of its own; connected to it: ")


def test_udp(empty_netns: Namespace) -> None:
    """A server that is connected to nobody is the other end of its clients."""
    server, client = empty_netns.call(probes.udp)
    assert far_end(client) == server
    assert inspect(server)["answer"]["other_end"] == "none: it is not connected"


@contextlib.contextmanager
def joined(one: Namespace, near: str, far: str) -> Iterator[Namespace]:
    """Give a namespace at the other end of a veth."""
    with netns() as there:
        one.run(["ip", "link", "add", "pa", "type", "veth", "peer", "name", "pb"])
        one.run(["ip", "link", "set", "pb", "netns", str(there.pid)])
        for namespace, device, address in ((one, "pa", near), (there, "pb", far)):
            wide = f"{address}/{64 if ':' in address else 24}"
            namespace.run(["ip", "address", "add", wide, "dev", device, *(["nodad"] if ":" in address else [])])
            namespace.run(["ip", "link", "set", device, "up"])
        yield there


def held(namespace: Namespace, make: Callable[..., Any], address: str, port: int) -> tuple[int, int, int]:
    """Listen or connect as soon as the link is up."""
    deadline = time.monotonic() + 10
    while True:
        try:
            (made,) = namespace.call(make, address, port)
        except RemoteError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("addresses", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_another_namespace_of_this_host(empty_netns: Namespace, addresses: tuple[str, str]) -> None:
    """Two ends of a veth: the other namespace is searched, and named."""
    near, far = addresses
    with joined(empty_netns, near, far) as there:
        held(there, probes.serve, far, 4711)
        client = held(empty_netns, probes.connect, far, 4711)
        (accepted,) = there.call(probes.accept_last)
        assert far_end(client) == accepted
        assert far_end(accepted) == client
        assert inspect(client)["far_ends"][0]["netns"] == str(there.inode)


def test_behind_address_translation(empty_netns: Namespace) -> None:
    """A published port: the ends have different addresses, and are still found."""
    need("nft")
    rules = "table ip nat {\n chain PRE {\n type nat hook prerouting priority -100;\n tcp dport 8080 dnat to 10.9.9.9:80\n }\n}\n"
    with joined(empty_netns, "192.0.2.1", "192.0.2.2") as there:
        there.run(["ip", "address", "add", "10.9.9.9/32", "dev", "lo"])
        there.run(["nft", "-f", "-"], input=rules)
        held(there, probes.serve, "10.9.9.9", 80)
        client = held(empty_netns, probes.connect, "192.0.2.2", 8080)
        (accepted,) = there.call(probes.accept_last)
        assert far_end(client) == accepted
        assert far_end(accepted) == client
        assert "seen here as 192.0.2.2:8080 (address translation)" in inspect(client)["answer"]["other_end"]
        assert "which sees this end as 192.0.2.2:8080" in inspect(accepted)["answer"]["other_end"]


def test_listener_and_its_connections(empty_netns: Namespace) -> None:
    """A port is its listener; the connections are counted."""
    listener, *_ends = empty_netns.call(probes.loopback, "127.0.0.1", 3, 2)
    port = inspect(listener)["matches"][0]["local"]["port"]
    document = json.loads(run("inspect", f":{port}", "--json", "--netns", empty_netns.path))
    assert document["matches"][0]["inode"] == listener[2]
    assert document["layers"]["fd"]["fd"] == listener[1]
    assert sorted(match["state"] for match in document["matches"]) == ["ESTABLISHED"] * 5 + ["LISTEN"]
    assert document["answer"]["waits_for"].startswith("its process to accept(2): 2 connections waiting, room for 3")
    text = run("inspect", f":{port}", "--netns", empty_netns.path)
    assert "\nALSO MATCHED\n  connections: tcp ESTABLISHED 5\n" in text
    assert text.index("What is wrong") < text.index("STRUCT SOCK")


def test_stopped_process(empty_netns: Namespace) -> None:
    """Its state is in the answer; what it does not read, too."""
    _listener, _client, server = empty_netns.call(probes.loopback, "127.0.0.1", 1, 0)
    assert empty_netns.call(probes.send_unread, 5000) == 5000
    os.kill(empty_netns.pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 10
        while True:
            answer = inspect(server)["answer"]
            if "stopped" in answer["held_by"] or time.monotonic() > deadline:
                break
        assert f"({empty_netns.pid}), descriptor {server[1]}, stopped" in answer["held_by"]
        assert answer["waits_for"].startswith("its process to read 4.9 KiB; its process is stopped")
    finally:
        os.kill(empty_netns.pid, signal.SIGCONT)


def test_each_fact_once(empty_netns: Namespace) -> None:
    """No layer has a name twice."""
    listener, *_ends = empty_netns.call(probes.loopback, "127.0.0.1", 0, 0)
    names = [(fact["layer"], fact["name"]) for fact in inspect(listener)["facts"]]
    assert len(names) == len(set(names))
