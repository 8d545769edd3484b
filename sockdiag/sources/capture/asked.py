"""What a request asks of each socket: a capture holds everything, and the kernel sends what it is asked for.

Source: ``inet_sk_diag_fill()``, ``inet_diag_msg_attrs_fill()``, net/ipv4/inet_diag.c; ``sk_diag_fill()``, net/unix/diag.c. The requests for
other families ask for all that there is.
"""

from __future__ import annotations

from sockdiag.kernel import inet_diag as inet
from sockdiag.kernel import unix_diag as unix
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, NLMSG_HDRLEN, align4
from sockdiag.kernel.sock_diag import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    DCCPDIAG_GETSOCK,
    SOCK_DIAG_BY_FAMILY,
    TCPDIAG_GETSOCK,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Request

# Attributes by the bit that asks for them, besides those up to 8, which have the bit of their number.
_MORE = {
    inet.EXT_INFO: (inet.ULP_INFO, inet.MD5SIG),
    inet.EXT_VEGASINFO: (inet.DCTCPINFO, inet.BBRINFO),
    inet.EXT_TCLASS: (inet.CLASS_ID,),
}
_INET = {
    **{number: 1 << (number - 1) for number in range(inet.MEMINFO, inet.SKMEMINFO + 1)},
    **{number: bit for bit, numbers in _MORE.items() for number in numbers},
}
_UNIX = {
    unix.NAME: unix.SHOW_NAME,
    unix.VFS: unix.SHOW_VFS,
    unix.PEER: unix.SHOW_PEER,
    unix.ICONS: unix.SHOW_ICONS,
    unix.RQLEN: unix.SHOW_RQLEN,
    unix.MEMINFO: unix.SHOW_MEMINFO,
    unix.UID: unix.SHOW_UID,
}
# Offset of the mask in a request.
_EXT, _EXT_COMPAT, _SHOW = 2, 3, 12
_LEAST = 16


class Asked:
    """The attributes that a request asks for; none are left out if *unasked* is empty.

    Args:
        request: to sock_diag or any other netlink family.
    """

    __slots__ = ("_fixed", "unasked")

    def __init__(self, request: Request) -> None:
        payload = request.payload
        bits: dict[int, int] = {}
        mask = 0
        self._fixed = inet.MSG_LEN
        if len(payload) < _LEAST:
            pass  # of no request that the kernel would take
        elif request.type in {TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK}:
            bits, mask = _INET, payload[_EXT_COMPAT]
        elif request.type == SOCK_DIAG_BY_FAMILY and payload[:1] in {bytes((AF_INET,)), bytes((AF_INET6,))}:
            bits, mask = _INET, payload[_EXT]
        elif request.type == SOCK_DIAG_BY_FAMILY and payload[:1] == bytes((AF_UNIX,)):
            bits, mask = _UNIX, U32.unpack_from(payload, _SHOW)[0]
            self._fixed = unix.MSG_LEN
        self.unasked = frozenset(number for number, bit in bits.items() if not mask & bit)

    def of(self, message: bytes) -> bytes:
        """Return a message without the attributes that were not asked for."""
        at, end = NLMSG_HDRLEN + self._fixed, len(message)
        unasked, unpack = self.unasked, NLATTR.unpack_from
        start = 0
        parts: list[bytes] = []
        while end - at >= NLA_HDRLEN:
            length, kind = unpack(message, at)
            if length < NLA_HDRLEN:
                break
            following = at + align4(length)
            if kind & NLA_TYPE_MASK in unasked:
                parts.append(message[start:at])
                start = following
            at = following
        if not parts:
            return message
        body = b"".join((*parts, message[start:]))
        return U32.pack(len(body)) + body[4:]
