"""Situations of a port, made in a network namespace, and what bind(2) really answers there."""

from __future__ import annotations

import ast
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from sockdiag.analysis.port_target import PORT_TABLES, PortTarget
from sockdiag.analysis.port_use import bind_answers, uses
from sockdiag.render.port_text import socket_name
from sockdiag.survey.opening import open_system
from sockdiag.survey.port import SocketOptions, asker, see_port
from tests.live.world import netdev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORT = 8080
V4, V6, MAPPED = socket.AF_INET, socket.AF_INET6, "::ffff:127.0.0.1"
ADDRESSES = ("0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "192.0.2.9", "::1", "2001:db8::9", MAPPED, "::ffff:192.0.2.9")
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
REUSE = {"SO_REUSEADDR": socket.SO_REUSEADDR, "SO_REUSEPORT": socket.SO_REUSEPORT}


def made(kind: int, address: str, *options: str, v6only: bool | None = None, device: str = "") -> socket.socket:
    """Make a socket that is bound to the port."""
    one = socket.socket(V6 if ":" in address else V4, kind)
    for option in options:
        one.setsockopt(socket.SOL_SOCKET, REUSE[option], 1)
    if v6only is not None:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind((address, PORT))
    return one


def tcp(address: str, *options: str, v6only: bool | None = None, device: str = "") -> Callable[[], list[socket.socket]]:
    def make() -> list[socket.socket]:
        listener = made(socket.SOCK_STREAM, address, *options, v6only=v6only, device=device)
        listener.listen()
        return [listener]

    return make


def bound(kind: str, address: str, *options: str, v6only: bool | None = None) -> Callable[[], list[socket.socket]]:
    return lambda: [made(KINDS[kind], address, *options, v6only=v6only)]


def several(*makers: Callable[[], list[socket.socket]]) -> Callable[[], list[socket.socket]]:
    return lambda: [one for make in makers for one in make()]


def accepted(*options: str) -> list[socket.socket]:
    """A connection whose listener has been closed."""
    (listener,) = tcp("0.0.0.0", *options)()
    client = socket.create_connection(("127.0.0.1", PORT))
    served, _ = listener.accept()
    listener.close()
    return [client, served]


def client(*options: str) -> list[socket.socket]:
    """A client that uses the port as its own."""
    listener = socket.create_server(("127.0.0.2", 0))
    one = made(socket.SOCK_STREAM, "127.0.0.1", *options)
    one.connect(listener.getsockname())
    served, _ = listener.accept()
    return [listener, one, served]


def time_wait(*options: str) -> list[socket.socket]:
    """What a server leaves that closed first."""
    client_end, served = accepted(*options)
    served.close()
    client_end.recv(1)
    client_end.close()
    return []


def connected_udp() -> list[socket.socket]:
    one = made(socket.SOCK_DGRAM, "0.0.0.0")
    one.connect(("127.0.0.1", 9))
    return [one]


def accepted_by(uid: int, *makers: Callable[[], list[socket.socket]]) -> list[socket.socket]:
    """Connections that belong to another user than the listeners, as those of nginx do."""
    listeners = several(*makers)()
    held = [*listeners, *(socket.create_connection(listener.getsockname()[:2]) for listener in listeners)]
    os.seteuid(uid)
    try:
        # Of two listeners with SO_REUSEPORT, any may get it.
        for listener in listeners:
            listener.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                held.append(listener.accept()[0])
    finally:
        os.seteuid(0)
    return held


SITUATIONS: dict[str, Callable[[], list[socket.socket]]] = {
    "nothing": list,
    "listener on 0.0.0.0": tcp("0.0.0.0"),
    "listener on 127.0.0.1": tcp("127.0.0.1"),
    "listener on ::, dual stack": tcp("::", v6only=False),
    "listener on ::, IPv6 only": tcp("::", v6only=True),
    "listener on ::1": tcp("::1"),
    "listener on a mapped address": tcp(MAPPED),
    "two listeners": several(tcp("0.0.0.0"), tcp("::", v6only=True)),
    "listener with SO_REUSEADDR": tcp("0.0.0.0", "SO_REUSEADDR"),
    "listener with SO_REUSEPORT": tcp("0.0.0.0", "SO_REUSEPORT"),
    "listener on :: with SO_REUSEPORT": tcp("::", "SO_REUSEPORT", v6only=False),
    "listener with both": tcp("127.0.0.1", "SO_REUSEADDR", "SO_REUSEPORT"),
    "listener bound to a device": tcp("0.0.0.0", device="lo"),
    "bound": bound("tcp", "0.0.0.0"),
    "bound with SO_REUSEADDR": bound("tcp", "127.0.0.1", "SO_REUSEADDR"),
    "bound with SO_REUSEPORT": bound("tcp", "::", "SO_REUSEPORT", v6only=True),
    "accepted": accepted,
    "accepted with SO_REUSEADDR": lambda: accepted("SO_REUSEADDR"),
    "client": client,
    "client with SO_REUSEADDR": lambda: client("SO_REUSEADDR"),
    "TIME_WAIT": time_wait,
    "TIME_WAIT with SO_REUSEADDR": lambda: time_wait("SO_REUSEADDR"),
    "accepted by another user": lambda: accepted_by(65534, tcp("0.0.0.0")),
    "the same with SO_REUSEPORT": lambda: accepted_by(65534, tcp("0.0.0.0", "SO_REUSEPORT")),
    "three listeners with SO_REUSEPORT": lambda: accepted_by(
        65534, tcp("0.0.0.0", "SO_REUSEPORT"), tcp("127.0.0.1", "SO_REUSEPORT"), tcp("::1", "SO_REUSEPORT")
    ),
    "one with SO_REUSEPORT, one without": lambda: accepted_by(
        65534, tcp("0.0.0.0", "SO_REUSEPORT"), tcp("::", v6only=True)
    ),
    "one without SO_REUSEPORT, one with": lambda: accepted_by(
        65534, tcp("::", v6only=True), tcp("0.0.0.0", "SO_REUSEPORT")
    ),
    "accepted with SO_REUSEPORT": lambda: accepted("SO_REUSEPORT"),
    "udp": bound("udp", "0.0.0.0"),
    "udp on 127.0.0.1": bound("udp", "127.0.0.1"),
    "udp on ::": bound("udp", "::", v6only=False),
    "udp on ::, IPv6 only": bound("udp", "::", v6only=True),
    "udp with SO_REUSEADDR": bound("udp", "0.0.0.0", "SO_REUSEADDR"),
    "udp with SO_REUSEPORT": bound("udp", "::1", "SO_REUSEPORT"),
    "udp connected": connected_udp,
    "udp and tcp": several(bound("udp", "127.0.0.1"), tcp("::", v6only=False)),
}


def compare(name: str) -> list[tuple[str, str, str, str | None, str]]:
    """Make a situation; return what was foretold and what bind(2) answered, for each request.

    The kernel remembers what has been bound to a port as long as anything is: each request gets the situation anew, in a
    namespace of its own.
    """
    with contextlib.ExitStack() as stack:
        for one in SITUATIONS[name]():
            stack.callback(one.close)
        foretold = list(_foretold())
    return [(*request, answer, _apart(name, *request)) for *request, answer in foretold]  # type: ignore[misc]


def _apart(name: str, netid: str, address: str, option: str) -> str:
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            netdev.unshare_network()
            netdev.link_up("lo")
            held = SITUATIONS[name]()
            os.write(write, _real(netid, address, option).encode())
            for one in held:
                one.close()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        found = file.read()
    os.wait()
    return found


def _foretold() -> Iterator[tuple[str, str, str, str | None]]:
    survey = open_system()
    who = asker(survey)
    for address in ADDRESSES:
        target = PortTarget(str(PORT), PORT, PORT_TABLES, address)
        (seen,) = see_port(survey, target)
        for one in bind_answers(seen, target, who, SocketOptions(survey, seen, PORT), socket_name):
            yield one.netid, one.address, one.option, one.answer


def _real(netid: str, address: str, option: str, port: int = PORT) -> str:
    with socket.socket(V6 if ":" in address else V4, KINDS[netid]) as one:
        if option:
            one.setsockopt(socket.SOL_SOCKET, REUSE[option], 1)
        try:
            one.bind((address, port))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "OK"


def answers_of(uid: int, port: int) -> list[tuple[str, str | None, str]]:
    """Return what was foretold to a user and what bind(2) answered it, by protocol."""

    def ask() -> list[tuple[str, str | None, str]]:
        survey = open_system()
        target = PortTarget(str(port), port, PORT_TABLES, "0.0.0.0")
        (seen,) = see_port(survey, target)
        answers = bind_answers(seen, target, asker(survey), SocketOptions(survey, seen, port), socket_name)
        return [(one.netid, one.answer, _real(one.netid, "0.0.0.0", one.option, port)) for one in answers]

    return _as_user(uid, ask)  # type: ignore[no-any-return]


_kept: list[socket.socket] = []


def hold(name: str) -> int:
    """Make a situation that stays; return the process that holds it."""
    _kept.extend(SITUATIONS[name]())
    return os.getpid()


def hold_port(port: int) -> int:
    """Listen on another port; return the process."""
    _kept.append(socket.create_server(("0.0.0.0", port)))
    return os.getpid()


def leave() -> int:
    """Leave one connection in TIME_WAIT on the port; return how many."""
    time_wait()
    return 1


def clients(count: int) -> int:
    """Connect to the port, and stay; return how many connections there are."""
    _kept.extend(socket.create_connection(("127.0.0.1", PORT)) for _ in range(count))
    return count


def asked_by(uid: int, port: int) -> list[tuple[Any, str]]:
    """Return processes and note of each use, as another user sees them."""

    def ask() -> list[tuple[Any, str]]:
        target = PortTarget(str(port), port, PORT_TABLES)
        (seen,) = see_port(open_system(), target)
        return [(use.processes, str(use.note)) for use in uses(seen, port)]

    return _as_user(uid, ask)  # type: ignore[no-any-return]


def _as_user(uid: int, function: Callable[[], Any]) -> Any:
    """Call a function in a child of that user; its result must be a literal."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            for one in _kept:
                one.close()  # only the parent holds them
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(write, repr(function()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        found = ast.literal_eval(file.read().decode())
    os.wait()
    return found
