"""Messages that other processes send to the port of a reader: none becomes part of an answer."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sockdiag import progress
from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.netlink import NETLINK_SOCK_DIAG
from sockdiag.sources.netlink.inet_request import compat_request, request
from sockdiag.sources.netlink.routes import Routes
from sockdiag.sources.system import transport as module
from sockdiag.sources.system.destroy_events import DestroyEvents
from sockdiag.sources.system.transport import KernelSocket, KernelTransport
from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

UDP = request(socket.AF_INET, socket.IPPROTO_UDP, 0xFFFFFFFF)
TCP = compat_request(0xFFFFFFFF)
SEQUENCE = 0x11223344


def forged(port: int, sequence: int = SEQUENCE, kind: int = 20) -> bytes:
    """Return a message of 66.66.66.66:6666 to a reader, with the rest of what it checks."""
    row = struct.pack("=BBBB", 2, 7, 0, 0) + struct.pack("!HH", 6666, 0) + b"B" * 4 + bytes(60)
    return struct.pack("=IHHII", 16 + len(row), kind, 2, sequence, port) + row


def sender() -> socket.socket:
    """Return a socket that forges messages."""
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    channel.bind((0, 0))
    return channel


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], bytes]], None]:
    """Send messages to each socket of the reader before it is connected, when the kernel still delivers them."""

    def arrange(message: Callable[[int], bytes]) -> None:
        class Watched(socket.socket):
            def connect(self, address: object) -> None:
                self.bind((0, 0))
                port = self.getsockname()[0]
                with sender() as other:
                    other.sendto(message(port), (port, 0))
                super().connect(address)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "socket", Watched)
        monkeypatch.setattr(module.os, "urandom", lambda _size: SEQUENCE.to_bytes(4, "little"))

    return arrange


def test_the_kernel_refuses_messages_to_a_connected_reader() -> None:
    channel = KernelSocket(UDP)
    try:
        with sender() as other, pytest.raises(ConnectionRefusedError):
            other.sendto(forged(channel.socket.getsockname()[0]), (channel.socket.getsockname()[0], 0))
    finally:
        channel.close()


@pytest.mark.parametrize("kind", [20, 2, 3], ids=["row", "error", "done"])
def test_forged_messages_are_dropped_counted_and_reported(
    early: Callable[[Callable[[int], bytes]], None], kind: int
) -> None:
    plain = b"".join(KernelTransport().dump(UDP))
    early(lambda port: forged(port, kind=kind))
    remarks: list[str] = []
    progress.listen(remarks.append)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            transport = KernelTransport()
            answer = b"".join(transport.dump(UDP))
            assert b"BBBB" not in answer
            assert struct.pack("!H", one.getsockname()[1]) in answer
            assert len(answer) > len(plain) - 200
            assert transport.dropped == 1
            (remark,) = remarks
            assert "dropped 1 netlink messages" in remark
            assert "inet_diag_udp" in remark
    finally:
        progress.listen(None)


def test_query_and_command_drop_them_too(early: Callable[[Callable[[int], bytes]], None]) -> None:
    # The forged message says that all is well: that a socket exists, or that one was closed.
    early(lambda port: forged(port, kind=2)[:16] + bytes(20))
    transport = KernelTransport()
    with pytest.raises(SourceError) as error:
        transport.query(request(socket.AF_INET, socket.IPPROTO_TCP, 0xFFFFFFFF, identity=b"\xfe" * 48))
    assert error.value.errno
    with pytest.raises(SourceError):
        transport.command(request(socket.AF_INET, socket.IPPROTO_TCP, 0, identity=b"\xfe" * 48)._replace(type=21))
    assert transport.dropped == 2


def test_late_messages_of_the_kernel_are_dropped() -> None:
    """Another request's answer arrives at the same socket: the kernel sent it, for another sequence number."""
    channel = KernelSocket(TCP)
    try:
        late = struct.pack("=IHHII", 16 + len(UDP.payload), UDP.type, 0x301, 99, 0) + UDP.payload
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            channel.socket.send(late)
            channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
            with pytest.raises(SourceTruncated, match=r"no answer within .* \d+ messages"):
                channel.receive()
            assert channel.dropped
    finally:
        channel.close()


def test_events_of_others_are_dropped() -> None:
    events = DestroyEvents()
    try:
        with sender() as other:
            # Root of a namespace may send to its multicast groups.
            other.sendto(forged(0), (0, 1))
            other.sendto(forged(0), (0, 4))
        assert list(events.read(0.2)) == []
    finally:
        events.close()


def test_pyroute2_hears_the_kernel_only() -> None:
    with Routes() as routes:
        fd = routes._kernel.fileno()
        with socket.socket(fileno=os.dup(fd)) as channel:
            port = channel.getsockname()[0]
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as other:
                other.bind((0, 0))
                with pytest.raises(ConnectionRefusedError):
                    other.sendto(forged(port), (port, 0))
        assert "lo" in [link.name for link in routes.links()]


def test_a_protocol_that_does_not_exist() -> None:
    with pytest.raises(SourceUnavailable):
        list(KernelTransport().dump(UDP._replace(protocol=31)))


ATTACK = """
import os, socket, struct, sys
count = int(sys.argv[1])
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held = []
for n in range(count):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    held.append(one)
print(flush=True)
row = struct.pack("=BBBB", 2, 7, 0, 0) + struct.pack("!HH", 6666, 0) + b"B" * 4 + bytes(60)
forger = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
forger.bind((0, 0))
own = forger.getsockname()[0]
parent = os.getppid()
while os.getppid() == parent:
    for line in open("/proc/net/netlink"):
        words = line.split()
        if words[1] != "4" or words[2] in ("0", str(own)):
            continue
        port = int(words[2])
        for n in range(4):
            head = struct.pack("=IHHII", 16 + len(row), 20, 2, ((port << 8) & 0x7fffffff) + n, port)
            try:
                for again in range(8):
                    forger.sendto(head + row, (port, 0))
            except OSError:
                pass
"""


AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
OWN_NAMESPACE = (*AS_NOBODY, "unshare", "--user", "--map-root-user", "--net")


def python_of_nobody() -> str:
    """Return a Python that an unprivileged user can run in a namespace of his own."""
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        command = [*OWN_NAMESPACE, path, "-I", "-c", "import socket, struct"]
        if not subprocess.run(command, stderr=subprocess.DEVNULL, check=False, cwd="/").returncode:
            return path
    refuse("unprivileged users may not make user namespaces, or can run no Python")
    raise AssertionError


def test_an_unprivileged_user_cannot_forge_the_sockets_of_a_namespace_of_his_own() -> None:
    sockets = 800
    attacker = subprocess.Popen(
        [*OWN_NAMESPACE, python_of_nobody(), "-I", "-c", ATTACK, str(sockets)], stdout=subprocess.PIPE, cwd="/"
    )
    try:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == b"\n"
        for _run in range(3):
            done = subprocess.run(
                [sys.executable, "-m", "sockdiag", "list", "--netid", "udp", "--netns", str(attacker.pid), "--json"],
                capture_output=True,
                check=True,
                timeout=60,
            )
            document = json.loads(done.stdout)
            assert document["complete"], document["gaps"]
            assert {row["local"]["address"] for row in document["sockets"]} == {"127.0.0.1"}
            assert len(document["sockets"]) == sockets
    finally:
        attacker.kill()
        attacker.communicate()
