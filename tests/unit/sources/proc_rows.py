"""Rows of /proc/net tables for tests, captured from Linux 6.18, and how to change one column of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockdiag.errors import ParseError

if TYPE_CHECKING:
    from sockdiag.sources.reading import Reading

TCP_HEADING = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    b"                                                     \n"
)
INET6_HEADING = (
    b"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when"
    b" retrnsmt   uid  timeout inode"
)
TCP6_HEADING = INET6_HEADING + b"\n"
DATAGRAM_HEADING = (
    b"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
    b"            \n"
)
DATAGRAM6_HEADING = INET6_HEADING + b" ref pointer drops\n"
UNIX_HEADING = b"Num       RefCount Protocol Flags    Type St Inode Path\n"
NETLINK_HEADING = b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
PACKET_HEADING = b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"

LISTEN = (
    b"   0: 0100007F:E667 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 1071316 3 "
    b"00000000a265150a 100 0 0 10 16                   \n"
)
ESTABLISHED = (
    b"  20: 0100007F:C0E8 010200C0:946D 01 0000001F:00001000 01:00000026 00000003 65534        2 1071354 4 "
    b"00000000153a4d0e 40 8 33 12 7                    \n"
)
TIME_WAIT = (
    b"  49: 0100007F:C984 0100007F:96FB 06 00000000:00000000 03:00001732 00000000     0        0 0 3 "
    b"00000000a42fa0d2                                      \n"
)
UDP = (
    b"12125: 0100007F:98F3 00000000:0000 07 00000500:00001E00 00:00000000 00000000  1000        0 1071508 2 "
    b"0000000017bb4d44 44      \n"
)
RAW = (
    b" 214: 0100007F:00FE 0100007F:0000 01 00000300:00000A00 00:00000000 00000000     0        0 1071468 2 "
    b"000000001fd1add6 8\n"
)
UNIX = b"00000000772bd2a7: 00000003 00000000 00010000 0001 01 1074110 /run/listener\n"
NETLINK = b"000000001c0b62e8 0   3008012040 80000001 2304     768      1     2        21       1073951 \n"
PACKET = b"00000000ab0bb641 3      3    0800   2     1 4096   1000   1074015\n"


def changed(row: bytes, column: int, token: bytes) -> bytes:
    """Put *token* in the place of the column of that index."""
    tokens = row.split()
    tokens[column] = token
    return b" ".join(tokens) + b"\n"


def messages(reading: Reading) -> list[str]:
    """Return the text of each error; all must be ParseErrors."""
    assert all(isinstance(error, ParseError) for error in reading.errors)
    return [str(error) for error in reading.errors]
