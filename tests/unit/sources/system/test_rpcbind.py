"""What rpcbind answers, whole and damaged."""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from sockdiag.filter.operands import HostParser, OperandError
from sockdiag.sources.system import rpcbind
from sockdiag.ss import rpc_services
from sockdiag.ss.filtering import FilterContext
from sockdiag.ss.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SERVICES = [
    (100000, 4, "tcp6", "::.0.111"),
    (100000, 4, "udp", "0.0.0.0.0.111"),
    (100000, 4, "local", "/run/rpcbind.sock"),
    (100003, 3, "tcp", "0.0.0.0.8.1"),
    (100005, 3, "udp6", "::.156.64"),
    (100005, 3, "tcp6", "::.156.65"),
    (100024, 1, "tcp", "127.0.0.1.3.232"),  # not at every address
    (100024, 1, "tcp", "0.0.0.0.x.y"),
    (999999, 1, "tcp", "0.0.0.0.39.25"),  # has no name
]
_NAMES = {100000: "portmapper", 100003: "nfs", 100005: "mountd", 100024: "status"}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">I", len(data)) + data.ljust((len(data) + 3) & ~3, b"\0")


def answer(xid: int) -> bytes:
    """Return an accepted reply with all services."""
    body = struct.pack(">6I", xid, 1, 0, 0, 0, 0)
    for program, version, netid, address in _SERVICES:
        body += struct.pack(">III", 1, program, version) + text(netid) + text(address) + text("superuser")
    return body + struct.pack(">I", 0)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Let rpcbind answer with these bytes, whatever it is asked."""
    path = str(tmp_path / "rpcbind.sock")
    monkeypatch.setattr(rpcbind, "PATH", path)
    monkeypatch.setattr(rpcbind, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(rpc_services, "programs", lambda: _NAMES)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    threads = []

    def start(data: bytes) -> None:
        def run() -> None:
            channel, _peer = listener.accept()
            with channel:
                call = channel.recv(1000)
                assert struct.unpack(">I", call[:4])[0] == 1 << 31 | len(call) - 4
                assert struct.unpack(">5I", call[8:28]) == (0, 2, 100000, 4, 4)
                channel.sendall(data)

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def record(data: bytes, *cuts: int) -> bytes:
    """Put marks around the fragments of a record."""
    ends = [*cuts, len(data)]
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], ends, strict=True)]
    marks = [len(piece) | (1 << 31 if n == len(pieces) - 1 else 0) for n, piece in enumerate(pieces)]
    return b"".join(struct.pack(">I", mark) + piece for mark, piece in zip(marks, pieces, strict=True))


@pytest.mark.parametrize("cuts", [(), (1, 50)])
def test_names_and_ports(serve: Callable[[bytes], None], cuts: tuple[int, ...]) -> None:
    serve(record(answer(os.getpid()), *cuts))
    names = Names(numeric=False, resolve=True)
    names.rpc = rpc_services.RpcServices()
    names.protocol = "tcp"
    # Also where a service has that port, and in the ephemeral range.
    assert [names.port(port) for port in (111, 2049, 40001, 10009)] == [
        "rpc.portmapper",
        "rpc.nfs",
        "rpc.mountd",
        "10009",
    ]
    names.protocol = "udp"
    assert [names.port(port) for port in (111, 40000, 40001)] == ["rpc.portmapper", "rpc.mountd", "40001"]
    context = FilterContext(rpc_ports=names.rpc.ports)
    assert HostParser(context, ("udp", "tcp")).port("rpc.nfs") == 2049
    assert HostParser(context, ("udp",)).port("rpc.mountd") == 40000
    with pytest.raises(OperandError, match="ambiguous"):
        HostParser(context, ("udp", "tcp")).port("rpc.mountd")
    with pytest.raises(OperandError, match="does not look like a port"):
        HostParser(context, ("udp",)).port("rpc.nfs")
    names.rpc.close()


def test_damaged_answers(serve: Callable[[bytes], None]) -> None:
    """Cut anywhere, refused, meant for another, endless: no names, and no harm."""
    whole = answer(os.getpid())
    for cut in range(len(whole)):
        with pytest.raises((ValueError, struct.error)):
            rpcbind.parse_dump(whole[:cut], os.getpid())
    others = [
        record(answer(os.getpid() + 1)),
        record(struct.pack(">6I", os.getpid(), 1, 0, 0, 0, 1)),
        record(struct.pack(">6I", os.getpid(), 1, 1, 0, 0, 0)),
        struct.pack(">I", (1 << 31) - 1),
        record(struct.pack(">7I", os.getpid(), 1, 0, 0, 1 << 30, 0, 0)),
        b"",
        b"\xff",
    ]
    for data in others:
        serve(data)
        assert dumped() == []


def dumped() -> list[tuple[int, str, str]]:
    asked = rpcbind.Rpcbind()
    try:
        return asked.dump()
    finally:
        asked.close()


def test_no_rpcbind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpcbind, "PATH", str(tmp_path / "absent"))
    assert dumped() == []
