"""Events of TCP connections that end: the kernel sends the last tcp_info of each.

Source: ``sock_diag_broadcast_destroy_work()``, net/core/sock_diag.c: the multicast groups SKNLGRP_INET_TCP_DESTROY and
SKNLGRP_INET6_TCP_DESTROY of NETLINK_SOCK_DIAG, in the network namespace that the listener was opened in. No privilege
is needed, and nobody waits for a socket lock. An event comes shortly after the end, when the kernel's worker sends it.
"""

from __future__ import annotations

import errno
from select import POLLIN, poll
from socket import SO_RCVBUF, SOL_SOCKET
from time import monotonic

from sockdiag.errors import ModuleMissing, SourceError, SourceUnavailable
from sockdiag.sources.system.transport import KernelSocket, Request, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.modules import Modules

SOURCE = "netlink:inet_diag_destroy"
_REQUEST = Request(name="inet_diag", payload=b"")

# Bit n - 1 is group n: SKNLGRP_INET_TCP_DESTROY is 1, SKNLGRP_INET6_TCP_DESTROY 3.
_GROUPS = 1 | 4
_SO_RCVBUFFORCE = 33
# Some 30,000 events; without CAP_NET_ADMIN net.core.rmem_max bounds it.
_BUFFER_BYTES = 32 << 20


class DestroyEvents:
    """The events since it was opened.

    Args:
        modules: where to look whether inet_diag is there; None to have it loaded.

    Attributes:
        lost: events came faster than they were read, and some are missing.

    Raises:
        SourceUnavailable: the kernel has no such events (before Linux 4.2).
    """

    __slots__ = ("_channel", "lost")

    def __init__(self, modules: Modules | None = None) -> None:
        self.lost = False
        try:
            self._channel = KernelSocket(_REQUEST, _GROUPS, modules)
        except ModuleMissing:
            raise
        except SourceError as error:
            raise SourceUnavailable(SOURCE, error.reason, error.errno) from None
        self._channel.socket.setblocking(False)
        try:
            self._channel.socket.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except OSError:
            self._channel.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, _BUFFER_BYTES)

    def read(self, seconds: float) -> Iterator[bytes]:
        """Yield the messages that are there and those that come within so long; on a busy host they never stop."""
        until = monotonic() + seconds
        poller = poll()
        poller.register(self._channel.socket, POLLIN)
        while (left := until - monotonic()) > 0:
            try:
                datagram = self._channel.event()
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    self.lost = True
                else:
                    poller.poll(left * 1000)
                continue
            yield from messages(_REQUEST, datagram)

    def pending(self) -> Iterator[bytes]:
        """Yield the messages that are there, and wait for none."""
        while True:
            try:
                datagram = self._channel.event()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return
                self.lost = True
            else:
                yield from messages(_REQUEST, datagram)

    def close(self) -> None:
        """Stop listening."""
        self._channel.close()
