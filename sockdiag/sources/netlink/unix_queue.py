"""Find out whether the queue of a unix datagram socket is full, as a sender would find it.

unix_diag tells how long the first datagram of a queue is, not how many wait, and datagrams of senders that are gone or did
not connect are charged to nobody that it lists. A connected socket, though, is writable only while its peer's queue has room.
"""

from __future__ import annotations

import errno
import os
from select import POLLOUT, poll
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket
from time import monotonic

from sockdiag.errors import ParseError, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel import sock_diag
from sockdiag.kernel.netlink import NLMSG_HDRLEN
from sockdiag.kernel.unix_diag import MSG_LEN, NAME, PEER, REQ, SHOW_NAME, SHOW_PEER
from sockdiag.sources.netlink.attributes import attributes, number
from sockdiag.sources.netlink.unix_diag import SOURCE, bound_name
from sockdiag.sources.system.detached import FAILED, DetachedProcess, error_of, wait
from sockdiag.sources.system.proc_root import source_error
from sockdiag.sources.system.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.detached import Emit
    from sockdiag.sources.system.machine import System

_ANSWER = 2
# A path may lead to a file system that does not answer.
_LIMIT_S = 1.0
_ANY = 0xFFFFFFFF


def queue_is_full(system: System, inode: int) -> bool:
    """Return whether a datagram socket would refuse the next message.

    A socket of our own connects to it and asks poll(2); it sends nothing, and its peer notices nothing.

    Source: ``unix_dgram_poll()``, ``unix_recvq_full_lockless()``, net/unix/af_unix.c.

    Args:
        system: the running system, in the socket's network namespace.
        inode: the socket.

    Raises:
        SourceUnavailable: it has no name, is gone, or its name belongs to another socket here (in another container).
        SourceDenied: its path may not be reached or written to.
        SourceTruncated: no answer in time, or the kernel does not connect them.
    """
    child = DetachedProcess(lambda emit: _ask(system, inode, emit), SOURCE)
    end = monotonic() + _LIMIT_S
    try:
        while not child.ended and wait((child,), max(0.0, end - monotonic())):
            for kind, payload in child.frames():
                if kind == _ANSWER:
                    return payload == b"full"
                if kind == FAILED:
                    raise error_of(payload)
    finally:
        child.close()
    raise SourceTruncated(SOURCE, "a unix socket's path got no answer", errno.ETIMEDOUT)


def _ask(system: System, inode: int, emit: Emit) -> None:
    name = _attribute(system, inode, SHOW_NAME, NAME)
    if not name:
        raise SourceUnavailable(SOURCE, f"socket {inode} has no name", errno.ENOENT)
    with socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC) as own:
        try:
            own.connect(bound_name(name))
        except OSError as error:
            raise source_error(SOURCE, error) from None
        peer = _attribute(system, os.fstat(own.fileno()).st_ino, SHOW_PEER, PEER)
        if not peer or number(peer, 4, "UNIX_DIAG_PEER", SOURCE) != inode:
            raise SourceUnavailable(SOURCE, f"the name of socket {inode} belongs to another one here", errno.ENOENT)
        asked = poll()
        asked.register(own.fileno(), POLLOUT)
        emit(_ANSWER, b"room" if asked.poll(0) else b"full")


def _attribute(system: System, inode: int, show: int, wanted: int) -> bytes:
    request = Request("unix_diag", REQ.pack(sock_diag.AF_UNIX, 0, 0, _ANY, inode, show, _ANY, _ANY))
    try:
        return attributes(system.netlink.query(request), NLMSG_HDRLEN + MSG_LEN, SOURCE).get(wanted, b"")
    except ParseError as error:
        raise SourceError(SOURCE, str(error)) from None
