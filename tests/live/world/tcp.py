"""TCP over loopback: listeners, connections, and the states in which both ends wait for a program."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING

from tests.live.world.facts import ANY, BOTH_FAMILIES, LOOPBACK, endpoint, factory, wait_until
from tests.live.world.observe import tcp_row
from tests.live.world.release import kernel_since

if TYPE_CHECKING:
    from tests.live.world.facts import Maker

TCP_KEEPIDLE_S = 3600
FASTOPEN_QUEUE = 16


def fill(sock: socket.socket, chunk: int = 65536) -> int:
    """Send until the kernel takes no more; return how many bytes it took."""
    sock.setblocking(False)
    total = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            total += sock.send(b"x" * chunk)
    return total


def settle(made: Maker, family: int, local: tuple[str, int], peer: tuple[str, int], state: str) -> None:
    """Wait until /proc shows a connection in *state*."""
    wait_until(lambda: tcp_row(family, local, peer, state), f"{made.name}: {local} -> {peer} in {state}")


def both_ends(
    made: Maker, client: socket.socket, server: socket.socket, states: tuple[str, str] = ("ESTABLISHED", "ESTABLISHED")
) -> None:
    """Record client and server of a connection, once they are in *states*."""
    for role, sock, state in (("client", client, states[0]), ("server", server, states[1])):
        settle(made, sock.family, endpoint(sock.getsockname()), endpoint(sock.getpeername()), state)
        made.tcp(role, state, sock)


@factory(*({**family, "backlog": backlog} for family in BOTH_FAMILIES for backlog in (0, 5, 4096)))
def tcp_listen(made: Maker, family: int, backlog: int) -> None:
    """Make a listener on loopback."""
    made.tcp("listener", "LISTEN", made.listener(family, backlog), recv_q=0, send_q=backlog)


@factory(*BOTH_FAMILIES)
def tcp_listen_any(made: Maker, family: int) -> None:
    """Make a listener on all addresses; that of AF_INET6 also takes IPv4 (dual-stack)."""
    listener = made.listener(family, 7, ANY[family])
    made.tcp("listener", "LISTEN", listener, recv_q=0, send_q=7, **({"v6only": 0} if family == socket.AF_INET6 else {}))


@factory()
def tcp_listen_v6only(made: Maker) -> None:
    """Make a listener on all IPv6 addresses that does not take IPv4."""
    sock = made.open(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::", 0))
    sock.listen(9)
    made.tcp("listener", "LISTEN", sock, recv_q=0, send_q=9, v6only=1)


@factory()
def tcp_listen_reuseport(made: Maker) -> None:
    """Make two listeners that share address and port."""
    port = 0
    for role in ("first", "second"):
        sock = made.open(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((LOOPBACK[socket.AF_INET], port))
        sock.listen(3)
        port = sock.getsockname()[1]
        made.tcp(role, "LISTEN", sock, recv_q=0, send_q=3)


@factory()
def tcp_listen_fastopen(made: Maker) -> None:
    """Make a listener with a TCP Fast Open queue, which /proc shows in place of ssthresh."""
    sock = made.open(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((LOOPBACK[socket.AF_INET], 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, FASTOPEN_QUEUE)
    sock.listen(3)
    made.tcp("listener", "LISTEN", sock, recv_q=0, send_q=3)


@factory(*BOTH_FAMILIES)
def tcp_bound_inactive(made: Maker, family: int) -> None:
    """Bind and do nothing: /proc does not list it, netlink since 6.8, by the mask bit BOUND_INACTIVE, as CLOSE."""
    where = ("netlink-bound",) if kernel_since(6, 8) else ()
    made.tcp("bound", "CLOSE", made.bound(family, socket.SOCK_STREAM), where=where)


@factory(*BOTH_FAMILIES)
def tcp_close(made: Maker, family: int) -> None:
    """Create and do nothing: no table lists it."""
    made.tcp("unbound", "CLOSE", made.open(family, socket.SOCK_STREAM), where=())


@factory(*BOTH_FAMILIES)
def tcp_established(made: Maker, family: int) -> None:
    """Connect, and leave it idle."""
    both_ends(made, *made.connection(family))


@factory()
def tcp_established_mapped(made: Maker) -> None:
    """Connect an IPv4 client to a dual-stack listener: the server's end has IPv4-mapped addresses."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener:
        listener.bind(("::", 0))
        listener.listen(1)
        client = made.open(socket.AF_INET, socket.SOCK_STREAM)
        client.connect((LOOPBACK[socket.AF_INET], listener.getsockname()[1]))
        server = made.keep(listener.accept()[0])
    both_ends(made, client, server)


@factory(*({**family, "size": 1000} for family in BOTH_FAMILIES))
def tcp_established_unread(made: Maker, family: int, size: int) -> None:
    """Connect, and send bytes that the server does not read."""
    client, server = made.connection(family)
    client.sendall(b"x" * size)
    row = (family, endpoint(server.getsockname()), endpoint(server.getpeername()), "ESTABLISHED")
    wait_until(lambda: tcp_row(*row) and tcp_row(*row).recv_q == size, f"{made.name}: {size} bytes unread")
    other = (family, endpoint(client.getsockname()), endpoint(client.getpeername()), "ESTABLISHED")
    wait_until(lambda: tcp_row(*other).send_q == 0, f"{made.name}: all acknowledged")
    made.tcp("client", "ESTABLISHED", client, recv_q=0, send_q=0)
    made.tcp("server", "ESTABLISHED", server, recv_q=size, send_q=0)


@factory(*BOTH_FAMILIES)
def tcp_established_persist(made: Maker, family: int) -> None:
    """Connect, and send until the reader's window is closed: unsent data, and the persist timer."""

    def small(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)

    client, server = made.connection(family, prepare=small)
    fill(client)
    local, peer = endpoint(client.getsockname()), endpoint(client.getpeername())
    wait_until(lambda: tcp_row(family, local, peer, "ESTABLISHED").timer == "persist", f"{made.name}: persist timer")
    queued = tcp_row(family, peer, local, "ESTABLISHED").recv_q
    unsent = tcp_row(family, local, peer, "ESTABLISHED").send_q
    made.tcp("client", "ESTABLISHED", client, recv_q=0, send_q=unsent, timer="persist")
    made.tcp("server", "ESTABLISHED", server, recv_q=queued, send_q=0)


@factory(*BOTH_FAMILIES)
def tcp_established_keepalive(made: Maker, family: int) -> None:
    """Connect with SO_KEEPALIVE: the keepalive timer runs."""

    def alive(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_KEEPIDLE_S)

    client, server = made.connection(family, prepare=alive)
    made.tcp("client", "ESTABLISHED", client, timer="keepalive")
    made.tcp("server", "ESTABLISHED", server, timer="keepalive")


@factory(*BOTH_FAMILIES)
def tcp_established_unaccepted(made: Maker, family: int) -> None:
    """Connect twice to a listener that does not accept: its children have no file."""
    listener = made.listener(family, 4)
    for role in ("first", "second"):
        client = made.open(family, socket.SOCK_STREAM)
        client.connect(listener.getsockname())
        local, peer = endpoint(client.getsockname()), endpoint(client.getpeername())
        settle(made, family, peer, local, "ESTABLISHED")
        made.tcp(f"{role}-client", "ESTABLISHED", client)
        made.fileless(f"{role}-child", "tcp", family, "ESTABLISHED", peer, local)
    made.tcp("listener", "LISTEN", listener, recv_q=2, send_q=4)


@factory(*BOTH_FAMILIES)
def tcp_accept_queue_full(made: Maker, family: int) -> None:
    """Fill a listener's accept queue (backlog 0 admits one); the next SYN is dropped and its client stays in SYN_SENT."""
    listener = made.listener(family, 0)
    waiting = made.open(family, socket.SOCK_STREAM)
    waiting.connect(listener.getsockname())
    local, peer = endpoint(waiting.getsockname()), endpoint(waiting.getpeername())
    settle(made, family, peer, local, "ESTABLISHED")
    made.tcp("waiting-client", "ESTABLISHED", waiting)
    made.fileless("waiting-child", "tcp", family, "ESTABLISHED", peer, local)
    refused = made.open(family, socket.SOCK_STREAM)
    refused.setblocking(False)
    assert refused.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    made.tcp("refused-client", "SYN_SENT", refused, peer=endpoint(listener.getsockname()), timer="retransmit")
    made.tcp("listener", "LISTEN", listener, recv_q=1, send_q=0, dropped=True)


@factory(*BOTH_FAMILIES)
def tcp_fin_wait2(made: Maker, family: int) -> None:
    """Shut down one direction: the client waits without limit for the server, which is in CLOSE_WAIT."""
    client, server = made.connection(family)
    client.shutdown(socket.SHUT_WR)
    both_ends(made, client, server, ("FIN_WAIT2", "CLOSE_WAIT"))


@factory(*BOTH_FAMILIES)
def tcp_fin_wait2_orphan(made: Maker, family: int) -> None:
    """Close the client only: its FIN_WAIT2 is a mini-socket for a minute, the server leaks in CLOSE_WAIT."""
    client, server = made.connection(family)
    local, peer = endpoint(client.getsockname()), endpoint(client.getpeername())
    client.close()
    settle(made, family, local, peer, "FIN_WAIT2")
    made.fileless("client", "tcp", family, "FIN_WAIT2", local, peer, timer="timewait")
    made.tcp("server", "CLOSE_WAIT", server)


@factory(*BOTH_FAMILIES)
def tcp_close_wait_unread(made: Maker, family: int) -> None:
    """Send and shut down: the server is in CLOSE_WAIT with unread bytes, and the FIN counts as one more."""
    client, server = made.connection(family)
    client.sendall(b"x" * 100)
    client.shutdown(socket.SHUT_WR)
    both_ends(made, client, server, ("FIN_WAIT2", "CLOSE_WAIT"))


@factory(*BOTH_FAMILIES)
def tcp_time_wait(made: Maker, family: int) -> None:
    """Close both ends, the client first: its end stays in TIME_WAIT for a minute."""
    client, server = made.connection(family)
    local, peer = endpoint(client.getsockname()), endpoint(client.getpeername())
    client.close()
    settle(made, family, local, peer, "FIN_WAIT2")
    server.close()
    settle(made, family, local, peer, "TIME_WAIT")
    made.fileless("client", "tcp", family, "TIME_WAIT", local, peer, timer="timewait")


@factory(*BOTH_FAMILIES)
def tcp_fin_wait1_zero_window(made: Maker, family: int) -> None:
    """Close with unsent data and a closed window: an orphan in FIN_WAIT1 whose FIN cannot even be sent."""

    def small(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)

    client, server = made.connection(family, prepare=small)
    fill(client)
    local, peer = endpoint(client.getsockname()), endpoint(client.getpeername())
    wait_until(lambda: tcp_row(family, local, peer, "ESTABLISHED").timer == "persist", f"{made.name}: persist timer")
    client.close()
    settle(made, family, local, peer, "FIN_WAIT1")
    made.fileless("client", "tcp", family, "FIN_WAIT1", local, peer, timer="persist")
    made.tcp("server", "ESTABLISHED", server)
