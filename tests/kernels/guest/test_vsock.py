"""vsock sockets over loopback, from vsock_diag."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from sockdiag import plain
from tests.kernels.guest.seen import need_diag, need_module, row, same_as_ss

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("own_netns")

ANY = socket.VMADDR_CID_ANY
LOCAL = 1  # VMADDR_CID_LOCAL


class Vsock:
    """A listener, a connection, and sockets of the other types."""

    def __init__(self) -> None:
        self.listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        self.listener.bind((LOCAL, 7301))
        self.listener.listen(5)
        self.client = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        self.client.connect((LOCAL, 7301))
        self.server, _ = self.listener.accept()
        self.client.send(bytes(77))
        # Once it has called shutdown(2), the kernel no longer tells it its peer.
        self.ends = {sock: ends(sock) for sock in (self.listener, self.client, self.server)}
        self.server.shutdown(socket.SHUT_WR)
        self.anywhere = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        self.anywhere.bind((ANY, 7303))
        self.ends[self.anywhere] = ends(self.anywhere)

    def close(self) -> None:
        """Close the sockets."""
        for sock in self.ends:
            sock.close()


@pytest.fixture(scope="module")
def vsock() -> Iterator[Vsock]:
    need_module("vsock_loopback")
    need_diag("vsock", "vsock_diag")
    made = Vsock()
    yield made
    made.close()


def ends(sock: socket.socket) -> tuple[object, object]:
    """Return getsockname() and getpeername() in the model's words."""
    cid, port = sock.getsockname()
    try:
        peer_cid, peer_port = sock.getpeername()
    except OSError:
        peer_cid, peer_port = ANY, ANY
    known = [(str(cid), port), (str(peer_cid), peer_port)]
    local, peer = ((None if one == str(ANY) else one, None if at == ANY else at) for one, at in known)
    return local, peer


@pytest.mark.parametrize(
    ("name", "state"),
    [("listener", "LISTEN"), ("client", "ESTABLISHED"), ("server", "ESTABLISHED"), ("anywhere", "CLOSE")],
)
def test_rows(vsock: Vsock, name: str, state: str) -> None:
    """A vsock socket over loopback has type, state, both ends, inode, and no number that vsock_diag does not send."""
    sock: socket.socket = getattr(vsock, name)
    said = row("vsock", sock)
    assert (said.type, said.state) == ("SOCK_STREAM", state)
    assert (said.local[:2], said.peer[:2]) == vsock.ends[sock]
    assert said.inode == os.fstat(sock.fileno()).st_ino
    assert (said.recv_q, said.send_q, said.uid) == (None, None, None)


def test_shutdown(vsock: Vsock) -> None:
    """shutdown(2) of a vsock connection shows at the end that called it."""
    assert plain(row("vsock", vsock.server))["shutdown"] == ["SEND_SHUTDOWN"]


def test_seqpacket() -> None:
    """A vsock listener of type SOCK_SEQPACKET is listed by its type."""
    need_diag("vsock", "vsock_diag")
    try:
        sock = socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET)
        sock.bind((LOCAL, 7302))
        sock.listen(3)
    except OSError as error:
        pytest.skip(f"this kernel: SOCK_SEQPACKET of AF_VSOCK: {error.strerror}")
    with sock:
        said = row("vsock", sock)
        assert (said.type, said.state, said.local[:2]) == ("SOCK_SEQPACKET", "LISTEN", ("1", 7302))


@pytest.mark.parametrize("options", ["--vsock -na", "--vsock -nlp", "-f vsock -nae", "--vsock -na state established"])
def test_ss(vsock: Vsock, options: str) -> None:
    """`sockdiag ss --vsock` prints the bytes of ss for vsock sockets."""
    assert vsock
    same_as_ss(*options.split())
