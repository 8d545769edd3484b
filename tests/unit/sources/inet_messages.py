"""inet_diag messages as the kernel builds them."""

from __future__ import annotations

import socket
import struct
from typing import Any

from tests.unit.sources.netlink_messages import message


def address(family: int, text: str) -> bytes:
    """Pack an address as inet_diag_sockid holds it."""
    return socket.inet_pton(family, text).ljust(16, b"\0")


def inet_message(attributes: dict[int, bytes] | None = None, **members: Any) -> bytes:
    """Build one message; members of struct inet_diag_msg by their names without ``idiag_``."""
    family = members.pop("family", socket.AF_INET)
    values: dict[str, Any] = {
        "state": 1,
        "timer": 0,
        "retrans": 0,
        "sport": 4000,
        "dport": 5000,
        "src": "10.0.0.1" if family == socket.AF_INET else "fd00::1",
        "dst": "10.0.0.2" if family == socket.AF_INET else "fd00::2",
        "if": 0,
        "cookie": 0x200000011,
        "expires": 0,
        "rqueue": 0,
        "wqueue": 0,
        "uid": 1000,
        "inode": 77,
    }
    assert members.keys() <= values.keys()
    values.update(members)
    fixed = struct.pack("=BBBB", family & 0xFF, values["state"], values["timer"], values["retrans"]) + struct.pack(
        "!HH", values["sport"], values["dport"]
    )
    if family in (socket.AF_INET, socket.AF_INET6):
        fixed += address(family, values["src"]) + address(family, values["dst"])
    else:
        fixed += bytes(32)
    names = ("if", "cookie", "expires", "rqueue", "wqueue", "uid", "inode")
    return message(fixed + struct.pack("=IQIIIII", *(values[name] for name in names)), attributes)
