"""An answer that another process receives is the same, and leaves no process behind."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sockdiag.errors import SourceTruncated
from sockdiag.kernel.netlink import NETLINK_SOCK_DIAG
from sockdiag.sources.netlink.inet_request import request
from sockdiag.sources.system import detached, read_ahead, transport
from sockdiag.sources.system.transport import KernelTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.live.world.namespace import Namespace

UDP = request(socket.AF_INET, socket.IPPROTO_UDP, 0xFFFFFFFF)
# More than one datagram holds.
SOCKETS = 900
# What _SHORT is set to: from the first datagram on, or never.
AT_ONCE, NEVER = 1, 1 << 40


def rows(short: int) -> list[bytes]:
    """Return the messages of an answer, without their sequence numbers and port."""
    transport._SHORT = short
    read_ahead.worthwhile = lambda: True
    datagrams = list(KernelTransport().dump(UDP))
    assert len(datagrams) > 2
    return [message[16:] for datagram in datagrams for message in transport.messages(UDP, datagram)]


def readers() -> int:
    """Count the sockets of this namespace that can ask: a child that lingers has one."""
    lines = Path("/proc/self/net/netlink").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) == NETLINK_SOCK_DIAG and line.split()[2] != "0" for line in lines)


def both() -> dict[str, Any]:
    """Read the table both ways, then leave an answer in the middle."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    started = []
    kept: Callable[..., None] = read_ahead.ReadAhead.__init__

    def counted(self: Any, *arguments: Any) -> None:
        started.append(1)
        kept(self, *arguments)

    read_ahead.ReadAhead.__init__ = counted  # type: ignore[method-assign]
    found: dict[str, Any] = {"before": readers(), "here": rows(NEVER), "started": len(started)}
    found |= {"there": rows(AT_ONCE), "then": len(started)}
    answer = KernelTransport().dump(UDP)
    assert next(answer)
    assert next(answer)
    answer.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 20
    while readers() != found["before"] and time.monotonic() < until:
        time.sleep(0.02)
    for one in sockets:
        one.close()
    return found | {"after": readers()}


def test_the_answer_is_the_same_and_no_process_lingers(empty_netns: Namespace) -> None:
    found = empty_netns.call(both)
    assert len(found["here"]) == SOCKETS
    assert found["there"] == found["here"]
    assert (found["started"], found["then"]) == (0, 1)
    assert found["after"] == found["before"]


def died() -> str:
    """Read an answer whose child dies."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    read_ahead._receive = lambda *_arguments: read_ahead.os._exit(0)
    try:
        rows(AT_ONCE)
    except SourceTruncated as error:
        return str(error)
    finally:
        for one in sockets:
            one.close()
    return ""


def test_a_child_that_dies_is_an_error(empty_netns: Namespace) -> None:
    assert "netlink:inet_diag_udp" in empty_netns.call(died)


def test_children_and_single_cpus_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead.os, "sched_getaffinity", lambda _pid: {0, 1})
    assert read_ahead.worthwhile()
    monkeypatch.setattr(detached, "inside", True)
    assert not read_ahead.worthwhile()
    monkeypatch.setattr(detached, "inside", False)
    monkeypatch.setattr(read_ahead.os, "sched_getaffinity", lambda _pid: {3})
    assert not read_ahead.worthwhile()
