"""Rows of TIPC sockets, from messages as tipc_diag sends them (include/uapi/linux/tipc_netlink.h)."""

from __future__ import annotations

import struct

import pytest

from sockdiag.ss.others import tipc_cells
from tests.unit.ss.test_bulk import listing

TIPC_NLA_SOCK = 2
NESTED = 0x8000


def attribute(kind: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def word(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


@pytest.mark.parametrize("nested", [0, NESTED])
def test_connection(nested: int) -> None:
    """Ends, queues and details of a connection that was made through a name."""
    connection = attribute(3 | nested, word(2, 0x1001001), word(3, 77), attribute(1), word(4, 18888), word(5, 15))
    stat = attribute(5 | nested, word(0, 6), word(1, 2), attribute(3), word(4, 3))
    sock = attribute(
        *(
            TIPC_NLA_SOCK | nested,
            word(6, 5),
            word(9, 1),
            word(7, 1218),
            word(8, 0),
            attribute(10, struct.pack("=Q", 35)),
        ),
        *(word(1, 0x1001001), word(2, 88), connection, attribute(4), stat),
    )
    message = struct.pack("=IHHII", 16 + len(sock), 20, 2, 1, 1) + sock
    cells = tipc_cells(message, listing("--tipc -nae --tipcinfo", []))
    assert cells is not None
    assert [cell.rstrip() for cell in cells[:8]] == ["ti_sq", "ESTAB", "6", "2", "16781313:", "88", "16781313:", "77"]
    assert cells[8] == " ino:1218 sk:23\n type:SEQPACKET cong:conn  drop:3  publ via {18888,15} "
