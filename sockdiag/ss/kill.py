"""-K: close sockets.

**Source:** SOCK_DESTROY, net/core/sock_diag.c.
"""

from __future__ import annotations

import errno

from sockdiag.errors import SourceError
from sockdiag.kernel.inet_diag import REQ_PROTOCOL, REQ_V2
from sockdiag.kernel.netlink import NLATTR, NLMSG_HDRLEN
from sockdiag.kernel.sock_diag import SOCK_DESTROY
from sockdiag.sources.system.transport import KernelTransport, Request
from sockdiag.ss.inet_tables import TableEnd
from sockdiag.ss.output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.row import Row

_SOCKID = slice(NLMSG_HDRLEN + 4, NLMSG_HDRLEN + 52)


def destroy(row: Row, message: bytes, protocol: int) -> bool:
    """Ask the kernel to close a socket; tell whether it did.

    Raises:
        TableEnd: it may not be closed.
    """
    payload = REQ_V2.pack(row.family, protocol & 0xFF, 0, 0, 1 << row.state, message[_SOCKID])
    if protocol > 0xFF:
        payload += NLATTR.pack(8, REQ_PROTOCOL) + protocol.to_bytes(4, "little")
    try:
        KernelTransport().command(Request(name="inet_diag", payload=payload, type=SOCK_DESTROY))
    except SourceError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOENT):
            return False
        complain(f"SOCK_DESTROY answers: {error.reason}\n")
        raise TableEnd from None
    return True
