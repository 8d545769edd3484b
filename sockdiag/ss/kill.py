"""-K: close sockets.

**Source:** SOCK_DESTROY, net/core/sock_diag.c.
"""

from __future__ import annotations

import errno
import os
from _socket import AF_NETLINK, SO_RCVTIMEO, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET, socket
from struct import pack, unpack_from

from sockdiag.kernel.inet_diag import REQ_PROTOCOL, REQ_V2
from sockdiag.kernel.netlink import NETLINK_SOCK_DIAG, NLATTR, NLM_F_REQUEST, NLMSG_ERROR, NLMSG_HDRLEN, NLMSGHDR
from sockdiag.kernel.sock_diag import SOCK_DESTROY
from sockdiag.ss.output import complain
from sockdiag.ss.sources import TableEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.row import Row

_NLM_F_ACK = 4
_SEQ = 1
_SOCKID = slice(NLMSG_HDRLEN + 4, NLMSG_HDRLEN + 52)


def destroy(row: Row, message: bytes, protocol: int) -> bool:
    """Ask the kernel to close a socket; tell whether it did.

    Raises:
        TableEnd: it may not be closed; the table ends here.
    """
    payload = REQ_V2.pack(row.family, protocol & 0xFF, 0, 0, 1 << row.state, message[_SOCKID])
    if protocol > 0xFF:
        payload += NLATTR.pack(8, REQ_PROTOCOL) + protocol.to_bytes(4, "little")
    number = _ask(payload)
    if number in (errno.EOPNOTSUPP, errno.ENOENT):
        return False
    if number:
        complain(f"SOCK_DESTROY answers: {os.strerror(number)}\n")
        raise TableEnd
    return True


def _ask(payload: bytes) -> int:
    header = NLMSGHDR.pack(NLMSG_HDRLEN + len(payload), SOCK_DESTROY, NLM_F_REQUEST | _NLM_F_ACK, _SEQ, 0)
    try:
        channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        channel.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", 10, 0))
        channel.send(header + payload)
        answer = channel.recv(8192)
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        channel.close()
    _length, kind = unpack_from("=IH", answer)
    return -int(unpack_from("=i", answer, NLMSG_HDRLEN)[0]) if kind == NLMSG_ERROR else 0
