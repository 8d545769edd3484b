"""The block of SCTP internals (-S -i), and the names of association states.

**Source:** struct sctp_info, include/uapi/linux/sctp.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6
from struct import Struct

from sockdiag.kernel.inet_diag import INFO, LOCALS, PEERS
from sockdiag.ss.details import integer, memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.context import Context
    from sockdiag.ss.names import Names
    from sockdiag.ss.row import Row

STATES = (
    "CLOSED",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "ESTAB",
    "SHUTDOWN_PENDING",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECEIVED",
    "ACK_SENT",
)

# tag, state, rwnd, unackdata, penddata, instrms, outstrms, fragmentation_point, inqueue, outqueue, overall_error,
# max_burst, maxseg, peer_rwnd, peer_tag, peer_capable, peer_sack; counters and primary transport (288 bytes);
# autoclose, adaptation_ind, pd_point, nodelay, disable_fragments, v4mapped, frag_interleave
_INFO = Struct("=3I4H8I2B2x288x3I4B")
_SOCKADDR_STORAGE = 128


def internals(row: Row, context: Context) -> str:
    """Print memory, addresses and sctp_info."""
    found = row.attributes
    text = memory(found)
    for number, word in ((LOCALS, "locals"), (PEERS, "peers")):
        if number in found:
            text += f" {word}:{_addresses(found[number], context.names)}"
    if INFO in found:
        text += _info(found[INFO])
    return text


def _addresses(data: bytes, names: Names) -> str:
    out = []
    for offset in range(0, len(data) - _SOCKADDR_STORAGE + 1, _SOCKADDR_STORAGE):
        family = integer(data[offset : offset + 2])
        if family == AF_INET:
            out.append(names.host(data[offset + 4 : offset + 8]))
        elif family == AF_INET6:
            out.append(names.host(data[offset + 8 : offset + 24]))
    return ",".join(out)


def _info(data: bytes) -> str:
    data = data[: _INFO.size]
    (
        tag,
        state,
        rwnd,
        unackdata,
        penddata,
        instrms,
        outstrms,
        _fragmentation_point,
        inqueue,
        outqueue,
        overall_error,
        max_burst,
        maxseg,
        peer_rwnd,
        peer_tag,
        peer_capable,
        peer_sack,
        autoclose,
        adaptation_ind,
        pd_point,
        nodelay,
        disable_fragments,
        v4mapped,
        frag_interleave,
    ) = _INFO.unpack(data + bytes(_INFO.size - len(data)))
    out = (
        ("tag", f"{tag:x}" if tag else 0),
        ("state", (STATES[state] if state < len(STATES) else "UNDEF") if state else 0),
        ("rwnd", rwnd),
        ("unackdata", unackdata),
        ("penddata", penddata),
        ("instrms", instrms),
        ("outstrms", outstrms),
        ("inqueue", inqueue),
        ("outqueue", outqueue),
        ("overerr", overall_error),
        ("maxburst", max_burst),
        ("maxseg", maxseg),
        ("prwnd", peer_rwnd),
        ("ptag", f"{peer_tag:x}" if peer_tag else 0),
        ("pcapable", peer_capable),
        ("psack", peer_sack),
        ("autoclose", autoclose),
        ("adapind", adaptation_ind),
        ("pdpoint", pd_point),
        ("nodelay", nodelay),
        ("nofrag", disable_fragments),
        ("v4mapped", v4mapped),
        ("fraginl", frag_interleave),
    )
    return "".join([f" {name}:{value}" for name, value in out if value])
