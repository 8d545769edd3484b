"""What a factory says of the sockets that it made, and the registry of factories. Runs in the namespace's process."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.world.scripted_peer import ScriptedPeers

SO_COOKIE = 57
IPPROTO_MPTCP = 262

FAMILY_WORDS: dict[int, str] = {
    socket.AF_UNIX: "AF_UNIX",
    socket.AF_INET: "AF_INET",
    socket.AF_INET6: "AF_INET6",
    socket.AF_NETLINK: "AF_NETLINK",
    socket.AF_PACKET: "AF_PACKET",
}
LOOPBACK: dict[int, str] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
ANY: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}


class Unavailable(Exception):
    """This kernel was built without what the factory needs."""


@dataclass(frozen=True)
class Fact:
    """One socket that the kernel must show, as its maker knows it.

    Attributes:
        factory: name of the factory, and its arguments.
        role: which of its sockets.
        netid: the model's table.
        family: AF_….
        type: SOCK_… number.
        protocol: third argument of socket(2).
        state: the kernel's state word; for families other than TCP that of sk_state.
        local: address and port (inet), name (unix), port id (netlink), protocol and interface index (packet).
        peer: the other end in the same form, or None.
        inode: of the sockfs file; 0 where there is none.
        fd: descriptor in the process that holds it, -1 where there is none.
        pid: that process.
        cookie: SO_COOKIE, None where there is no descriptor to ask.
        where: which of /proc and netlink list it.
        expect: further values, by the test's own names.
    """

    factory: str
    role: str
    netid: str
    family: str
    type: int
    protocol: int
    state: str
    local: Any
    peer: Any
    inode: int
    fd: int
    pid: int
    cookie: int | None
    where: tuple[str, ...] = ("proc", "netlink")
    expect: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Say which socket this is."""
        return f"{self.factory}:{self.role}"


@dataclass(frozen=True)
class Factory:
    """A registered factory and the argument lists that the world is filled with."""

    name: str
    make: Callable[..., None]
    variants: tuple[dict[str, Any], ...]


FACTORIES: dict[str, Factory] = {}
BOTH_FAMILIES = ({"family": socket.AF_INET}, {"family": socket.AF_INET6})


def factory(*variants: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a factory; the world has one for each of *variants* (default: one without arguments)."""

    def register(make: Callable[..., None]) -> Callable[..., None]:
        FACTORIES[make.__name__] = Factory(make.__name__, make, variants or ({},))
        return make

    return register


def label(name: str, arguments: dict[str, Any]) -> str:
    """Write a call as ``name(key=value)``, families by their word."""
    inner = ", ".join(
        FAMILY_WORDS[value] if key == "family" else f"{key}={value!r}" for key, value in sorted(arguments.items())
    )
    return f"{name}({inner})" if inner else name


def endpoint(address: Any) -> tuple[str, int]:
    """Cut an inet socket address to its printable address and port."""
    return address[0], address[1]


def wait_until(true: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """Poll until *true* returns something true, and return that; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (result := true()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.002)
    return result


class Maker:
    """Keeps what one factory call makes, and collects its facts.

    Args:
        name: the call, for facts.
        peers: gives the scripted peers of the namespace, made at first use.
    """

    def __init__(self, name: str, peers: Callable[[], ScriptedPeers]) -> None:
        self.name = name
        self.facts: list[Fact] = []
        self._peers = peers
        self._stack = contextlib.ExitStack()
        self._folder: str | None = None

    @property
    def peers(self) -> ScriptedPeers:
        """Peers that answer, or do not, as a script says."""
        return self._peers()

    def keep(self, sock: socket.socket) -> socket.socket:
        """Hold a socket until the call's handle is closed."""
        self._stack.callback(sock.close)
        return sock

    def at_close(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call *function* when the handle is closed."""
        self._stack.callback(function, *arguments)

    def open(self, family: int, type: int, protocol: int = 0) -> socket.socket:
        """Create a socket and hold it."""
        return self.keep(socket.socket(family, type, protocol))

    def bound(self, family: int, type: int, protocol: int = 0, address: str | None = None) -> socket.socket:
        """Create an inet socket on a free port of loopback, or of *address*."""
        sock = self.open(family, type, protocol)
        sock.bind((LOOPBACK[family] if address is None else address, 0))
        return sock

    def listener(self, family: int, backlog: int, address: str | None = None, protocol: int = 0) -> socket.socket:
        """Create a listener on a free port of loopback, or of *address*."""
        sock = self.bound(family, socket.SOCK_STREAM, protocol, address)
        sock.listen(backlog)
        return sock

    def connection(
        self, family: int, protocol: int = 0, prepare: Callable[[socket.socket], None] | None = None
    ) -> tuple[socket.socket, socket.socket]:
        """Connect two sockets over loopback, client first; the listener is gone when this returns.

        *prepare* sets options on the listener, whose children inherit them, and on the client.
        """
        listener = socket.socket(family, socket.SOCK_STREAM, protocol)
        client = self.open(family, socket.SOCK_STREAM, protocol)
        with listener:
            if prepare:
                prepare(listener)
                prepare(client)
            listener.bind((LOOPBACK[family], 0))
            listener.listen(1)
            client.connect(listener.getsockname())
            server = self.keep(listener.accept()[0])
        return client, server

    def folder(self) -> str:
        """Return a new folder for this call's unix paths, removed at close."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="sockdiag-world-")
            self._stack.callback(_remove, self._folder)
        return self._folder

    def fact(
        self,
        role: str,
        netid: str,
        state: str,
        sock: socket.socket,
        local: Any,
        peer: Any = None,
        where: tuple[str, ...] = ("proc", "netlink"),
        **expect: Any,
    ) -> Fact:
        """Record what the kernel must say of a socket that is held."""
        fact = Fact(
            self.name,
            role,
            netid,
            FAMILY_WORDS[sock.family],
            sock.type,
            sock.proto,
            state,
            local,
            peer,
            os.fstat(sock.fileno()).st_ino,
            sock.fileno(),
            os.getpid(),
            cookie(sock),
            where,
            expect,
        )
        self.facts.append(fact)
        return fact

    def inet_fact(self, role: str, netid: str, state: str, sock: socket.socket, **expect: Any) -> Fact:
        """Record a held inet socket; its ends are what getsockname() and getpeername() say."""
        try:
            peer = endpoint(sock.getpeername())
        except OSError:
            peer = (ANY[sock.family], 0)
        peer = expect.pop("peer", peer)
        return self.fact(role, netid, state, sock, endpoint(sock.getsockname()), peer, **expect)

    def tcp(self, role: str, state: str, sock: socket.socket, **expect: Any) -> Fact:
        """Record a held TCP socket."""
        return self.inet_fact(role, "tcp", state, sock, **expect)

    def fileless(
        self, role: str, netid: str, family: int, state: str, local: Any, peer: Any, type: int = 1, **expect: Any
    ) -> Fact:
        """Record a socket without a file (orphan, TIME_WAIT, SYN_RECV, not accepted), or with another's (subflow)."""
        protocol, inode = expect.pop("protocol", 0), expect.pop("inode", 0)
        where = expect.pop("where", ("proc", "netlink"))
        fact = Fact(
            self.name,
            role,
            netid,
            FAMILY_WORDS[family],
            type,
            protocol,
            state,
            local,
            peer,
            inode,
            -1,
            os.getpid(),
            None,
            where,
            expect,
        )
        self.facts.append(fact)
        return fact

    def close(self) -> None:
        """Close all that was made."""
        self._stack.close()


def cookie(sock: socket.socket) -> int:
    """Return SO_COOKIE."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


def _remove(folder: str) -> None:
    for name in os.listdir(os.fsencode(folder)):
        os.unlink(os.path.join(os.fsencode(folder), name))
    os.rmdir(folder)
