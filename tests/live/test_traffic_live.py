"""Traffic of real connections, equal to the applications' own counts, within one document each."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.cgroups import cgroup
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]

# One process of a test: does what it is told on its standard input, a line of JSON at a time, and answers.
PEER = """
import json, os, socket, struct, sys
held = {}
def listen(name, address, port):
    held[name] = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
def connect(name, address, port):
    held[name] = socket.create_connection((address, port))
    return held[name].getsockname()[1]
def accept(name, listener):
    held[name] = held[listener].accept()[0]
def buffers(name, size):
    held[name].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
def send(name, size):
    held[name].sendall(b"x" * size)
    return size
def receive(name, size):
    got = 0
    while got < size:
        got += len(held[name].recv(min(1 << 20, size - got)))
    return got
def fill(name):
    held[name].setblocking(False)
    sent = 0
    try:
        while True: sent += held[name].send(b"x" * 65536)
    except BlockingIOError:
        return sent
def shut(name):
    held[name].shutdown(socket.SHUT_WR)
def close(name):
    held.pop(name).close()
def reset(name):
    held[name].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(name)
def datagrams(name, port, count):
    for _ in range(count): held[name].sendto(b"x" * 1000, ("127.0.0.1", port))
def waiting(name):
    held[name].setblocking(False)
    number = 0
    try:
        while held[name].recv(2000): number += 1
    except BlockingIOError:
        return number
def bind(name, port):
    held[name] = socket.socket(type=socket.SOCK_DGRAM)
    held[name].bind(("127.0.0.1", port))
def enter(folder):
    with open(folder + "/cgroup.procs", "w") as file: file.write("0")
def called(name):
    with open("/proc/self/comm", "w") as file: file.write(name)
for line in sys.stdin:
    what, *arguments = json.loads(line)
    print(json.dumps(globals()[what](*arguments)), flush=True)
"""


class Peer:
    """A process in a namespace that opens connections and counts what it sends and receives on them."""

    def __init__(self, namespace: Namespace) -> None:
        self.process = subprocess.Popen(
            ["nsenter", f"--net={namespace.path}", sys.executable, "-c", PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, what: str, *arguments: Any) -> None:
        """Ask for something that takes its time."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Wait until it is done."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def __call__(self, what: str, *arguments: Any) -> Any:
        """Have something done."""
        self.begin(what, *arguments)
        return self.answer()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


# Runs the program, which says when its first sample is taken, and takes the second one when it is told to.
RUN = """
import os, sys
from sockdiag import progress
from sockdiag.__main__ import main
say, hear = map(int, sys.argv[1:3])
def pause(seconds, *_others):
    if seconds > 0:
        os.write(say, b"1")
        os.read(hear, 1)
progress.pause = pause
sys.argv[:] = ["sockdiag", *sys.argv[3:]]
main()
"""


@contextlib.contextmanager
def measurement(namespace: Namespace, *words: str) -> Iterator[dict[str, Any]]:
    """Take the first sample, run the block, take the second sample: the document is there when the block has ended."""
    said, say = os.pipe()
    hear, tell = os.pipe()
    process = subprocess.Popen(
        [
            "nsenter",
            f"--net={namespace.path}",
            sys.executable,
            "-c",
            RUN,
            str(say),
            str(hear),
            "traffic",
            "--json",
            "--interval",
            "60",  # how long it really is is told
            *words,
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        pass_fds=(say, hear),
    )
    os.close(say)
    os.close(hear)
    document: dict[str, Any] = {}
    try:
        assert os.read(said, 1) == b"1"
        yield document
        os.write(tell, b"1")
        out, _err = process.communicate(timeout=20)
        document.update(json.loads(out))
    finally:
        os.close(said)
        os.close(tell)
        process.kill()
        process.wait(60)


# Bytes that the client and the server of each connection send in the interval: within a segment, many, more than buffers
# hold, none.
AMOUNTS = (
    (1, 1),
    (1000, 0),
    (0, 1000),
    (12_345, 54_321),
    (100_000, 7),
    (65_536, 65_536),
    (1_000_003, 999),
    (8_388_608, 1_048_577),
    (20_000_000, 0),
    (0, 3_000_000),
    (0, 0),
    (1448, 1449),
)


class Connections:
    """A client and a server in a namespace, and connections between them over IPv4 and IPv6.

    Attributes:
        ports: local port of the client, by connection.
    """

    def __init__(self, stack: contextlib.ExitStack, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.client, self.server = Peer(namespace), Peer(namespace)
        stack.callback(self.client.close)
        stack.callback(self.server.close)
        self.client("enter", str(folder))
        self.client("called", "clientd")
        self.server("called", "serverd")
        self.server("listen", "four", "127.0.0.1", 8001)
        self.server("listen", "six", "::1", 8002)
        self.ports: dict[str, int] = {}
        for number in range(len(AMOUNTS)):
            self.open(f"c{number}", six=bool(number % 3 == 2))

    def open(self, name: str, *, six: bool = False) -> None:
        """Open a connection."""
        address, port = ("::1", 8002) if six else ("127.0.0.1", 8001)
        self.ports[name] = self.client("connect", name, address, port)
        self.server("accept", name, "six" if six else "four")

    def transfer(self, name: str, sent: int, received: int) -> None:
        """Have both ends send as much, one after the other, until the other has it all."""
        for source, sink, size in ((self.client, self.server, sent), (self.server, self.client, received)):
            source.begin("send", name, size)
            assert sink("receive", name, size) == size
            assert source.answer() == size

    def name_of(self, row: dict[str, Any]) -> str:
        """Return the name of the connection that a socket is an end of."""
        names = {port: name for name, port in self.ports.items()}
        local, peer = row["local"]["port"], row["peer"]["port"]
        return names[local] if local in names else f"{names[peer]} server"

    def rows(self, document: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
        """Return the rows of both ends of each connection; None for an end that is not there."""
        ends = {
            (row["socket"]["local"]["port"], row["socket"]["peer"]["port"]): row
            for row in document["rows"]
            if row["socket"]["netid"] == "tcp"
        }
        return {
            name: (ends[mine], ends.get(mine[::-1]))
            for name, port in self.ports.items()
            for mine in [(port, 8001), (port, 8002)]
            if mine in ends
        }


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Yield connections in a namespace of their own; the client is a service by its cgroup."""
    with contextlib.ExitStack() as stack:
        namespace = Namespace()
        stack.callback(namespace.close)
        folder = stack.enter_context(cgroup(f"sockdiag-traffic-{os.getpid()}.slice/client.service"))
        yield Connections(stack, namespace, folder)


def test_every_byte_is_counted_once(connections: Connections) -> None:
    """Both ends of each connection show exactly the bytes that the applications sent and received within the interval."""
    for number, amounts in enumerate(AMOUNTS):
        connections.transfer(f"c{number}", *amounts[::-1])
    with measurement(connections.namespace) as document:
        for number, amounts in enumerate(AMOUNTS):
            connections.transfer(f"c{number}", *amounts)
    found = connections.rows(document)
    assert len(found) == len(AMOUNTS)
    for number, (sent, received) in enumerate(AMOUNTS):
        client, server = found[f"c{number}"]
        assert server is not None
        assert (client["out_bytes"], client["in_bytes"]) == (sent, received)
        assert (server["out_bytes"], server["in_bytes"]) == (received, sent)
        seconds = document["interval_s"]
        assert client["out_bytes_per_s"] == round(sent / seconds, 3)
        assert client["out_packets"] == server["in_packets"]
        assert client["in_packets"] == server["out_packets"]
        assert (client["began"], client["stuck"], client["zero_window"]) == (False, False, False)
    assert document["ended"] == []


def test_beginnings_and_ends(connections: Connections) -> None:
    """A SYN and a FIN are no bytes, a new connection counts from its beginning, and one that is gone is reported as ended."""
    with measurement(connections.namespace) as document:
        connections.open("new")
        connections.transfer("new", 700, 900)
        connections.transfer("c0", 300, 400)
        connections.client("shut", "c0")
        connections.transfer("c1", 5, 6)
        connections.client("close", "c1")
        connections.server("close", "c1")
        connections.client("reset", "c2")
        connections.open("short")
        connections.transfer("short", 1234, 4321)
        connections.client("close", "short")
        connections.server("close", "short")
    found = connections.rows(document)
    for name, sent, received, began in (("new", 700, 900, True), ("c0", 300, 400, False)):
        client, server = found[name]
        assert server is not None
        assert (client["out_bytes"], client["in_bytes"], client["began"]) == (sent, received, began)
        assert (server["out_bytes"], server["in_bytes"], server["began"]) == (received, sent, began)
    assert found["c0"][0]["socket"]["state"] in ("FIN_WAIT1", "FIN_WAIT2")
    assert "c1" not in found
    assert "c2" not in found
    ended = {connections.name_of(row["socket"]): row for row in document["ended"]}
    assert set(ended) == {"c1", "c2", "short", "c1 server", "c2 server", "short server"}
    # The process still has the socket that was reset: the kernel has not reported its end.
    assert [ended["c2 server"][key] for key in ("in_bytes", "out_bytes", "reset")] == [None, None, None]
    assert [ended["c2"][key] for key in ("in_bytes", "out_bytes", "reset")] == [None, None, True]
    # What was transferred until the end; the peer's FIN may be in it.
    for name, sent, received, began, reset in (
        ("c1", 5, 6, False, False),
        ("short", 1234, 4321, True, False),
        ("short server", 4321, 1234, True, False),
    ):
        row = ended[name]
        assert (row["out_bytes"], row["began"], row["reset"]) == (sent, began, reset), name
        assert row["in_bytes"] in (received, received + 1), name


def test_resets_of_a_peer(connections: Connections) -> None:
    """Connections that were closed before all was read, which resets them, are counted, others are not."""
    with measurement(connections.namespace, "--by", "peer,port") as document:
        before = snmp(connections.namespace, "EstabResets")
        for number in range(5):
            connections.open(f"reset{number}")
            connections.server("send", f"reset{number}", 20)
            connections.client("close", f"reset{number}")  # before it has read them
            connections.server("close", f"reset{number}")
        for number in range(3):
            connections.open(f"clean{number}")
            connections.transfer(f"clean{number}", 10, 20)
            connections.client("close", f"clean{number}")
            connections.server("close", f"clean{number}")
        resets = snmp(connections.namespace, "EstabResets") - before
    server = [row for row in document["rows"] if row["keys"]["port"] == "8001"]
    client = [row for row in document["rows"] if row["keys"]["port"] not in ("8001", "8002") and row["ended"]]
    assert [(row["ended"], row["resets"]) for row in server] == [(8, 5)]
    assert (sum(row["ended"] for row in client), sum(row["resets"] for row in client)) == (8, 5)
    assert sum(row["resets"] for row in document["rows"]) == resets
    assert server[0]["ended_out_bytes"] == 8 * 20
    assert sum(row["ended_out_bytes"] for row in client) == 3 * 10


def snmp(namespace: Namespace, name: str) -> int:
    """Return a TCP counter of a namespace."""
    lines = Path(f"/proc/{namespace.pid}/net/snmp").read_text(encoding="ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(dict(zip(names, values, strict=True))[name])


@pytest.mark.parametrize(
    ("by", "client", "server"),
    [
        ("command", ["clientd"], ["serverd"]),
        ("unit", ["client.service"], None),
        ("unit,remote", ["client.service 127.0.0.1:8001", "client.service [::1]:8002"], None),
        ("port", None, ["8001", "8002"]),
    ],
)
def test_groups_sum_their_connections(
    connections: Connections, by: str, client: list[str] | None, server: list[str] | None
) -> None:
    """The sums of a group are those of the applications: by name, by unit and remote end, by port."""
    sent, received = (sum(amounts[end] for amounts in AMOUNTS) for end in (0, 1))
    with measurement(connections.namespace, "--by", by, "--netid", "tcp") as document:
        for number, amounts in enumerate(AMOUNTS):
            connections.transfer(f"c{number}", *amounts)
    rows = {row["key"]: row for row in document["rows"]}
    assert document["by"] == by
    for keys, out, back in ((client, sent, received), (server, received, sent)):
        mine = [rows[key] for key in keys or ()]
        if mine:
            assert sum(row["sockets"] for row in mine) == len(AMOUNTS)
            assert sum(row["out_bytes"] for row in mine) == out
            assert sum(row["in_bytes"] for row in mine) == back


def test_peers_that_take_no_more(connections: Connections) -> None:
    """A peer that does not read closes its window: the connection is told as such, and its queue as stuck."""
    connections.client("fill", "c0")
    deadline = time.monotonic() + 30
    while True:
        with measurement(connections.namespace) as document:
            time.sleep(0.2)
        client, _server = connections.rows(document)["c0"]
        if (client["zero_window"], client["stuck"]) == (True, True) or time.monotonic() > deadline:
            break
    assert (client["zero_window"], client["stuck"], client["out_bytes"]) == (True, True, 0)
    with measurement(connections.namespace, "--by", "peer") as document:
        time.sleep(0.2)
    (group,) = [row for row in document["rows"] if row["key"] == "127.0.0.1"]
    assert (group["zero_windows"], group["stuck"]) == (1, 1)
    assert group["send_q"] == client["socket"]["send_q"]


def test_datagrams_that_are_dropped(connections: Connections) -> None:
    """A UDP socket whose buffer is full shows as many drops as datagrams are missing."""
    connections.client("bind", "udp", 9001)
    connections.server("bind", "udp", 9002)
    connections.server("buffers", "udp", 8192)
    with measurement(connections.namespace, "--netid", "udp") as document:
        connections.client("datagrams", "udp", 9002, 500)
    (row,) = [row for row in document["rows"] if row["socket"]["local"]["port"] == 9002]
    assert row["drops"] == 500 - connections.server("waiting", "udp")
    assert row["drops"] > 400
    assert (row["in_bytes"], row["out_bytes"], row["rtt_us"]) == (None, None, None)


def test_filters_choose_by_the_second_sample(connections: Connections) -> None:
    """A connection that changed its state within the interval is not taken for one that began or ended."""
    with measurement(connections.namespace, "--where", "state = established and process = clientd") as document:
        connections.transfer("c3", 10, 20)
        connections.client("shut", "c4")
        connections.open("new")
    found = connections.rows(document)
    assert set(found) == {*connections.ports} - {"c4"}
    assert (found["c3"][0]["out_bytes"], found["c3"][0]["began"]) == (10, False)
    assert found["new"][0]["began"] is True
    assert document["ended"] == []
