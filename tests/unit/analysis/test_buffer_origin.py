"""How a buffer came to be: each way, with the lock known and without."""

from __future__ import annotations

import pytest

from sockdiag.analysis.buffer_origin import buffer_origin
from sockdiag.model.sysctl import Sysctls

SYSCTLS = Sysctls(
    {
        "net.core.rmem_default": 212992,
        "net.core.wmem_default": 212992,
        "net.core.rmem_max": 4194304,
        "net.core.wmem_max": 4194304,
        "net.ipv4.tcp_rmem": (4096, 131072, 33554432),
        "net.ipv4.tcp_wmem": (4096, 16384, 4194304),
        "net.ipv4.tcp_moderate_rcvbuf": 1,
    }
)
FIXED = Sysctls({**SYSCTLS.values, "net.ipv4.tcp_moderate_rcvbuf": 0})
BOTH, NONE = 3, 0


@pytest.mark.parametrize(
    ("netid", "value", "lock", "sending", "origin"),
    [
        ("tcp", 131072, NONE, False, "default"),
        ("tcp", 566855, NONE, False, "autotuned"),
        ("tcp", 40000000, NONE, False, "unlocked"),
        ("tcp", 60000, BOTH, False, "set"),
        ("tcp", 8388608, BOTH, False, "clamped"),
        ("tcp", 9000000, BOTH, False, "forced"),
        ("tcp", 2304, BOTH, False, "raised"),
        ("tcp", 60000, 1, False, "autotuned"),  # the lock is the send buffer's
        ("tcp", 3939840, NONE, True, "autotuned"),
        ("tcp", 4608, BOTH, True, "raised"),
        ("tcp", 16384, NONE, True, "default"),
        ("tcp", 80000, 1, True, "set"),
        ("udp", 212992, NONE, False, "default"),
        ("udp", 40000, NONE, False, "unlocked"),
        ("udp", 40000, 2, False, "set"),
        ("udp", 40000, 1, False, "unlocked"),
        ("unix", 212992, NONE, True, "default"),
        ("netlink", 8388608, BOTH, False, "clamped"),
        # Without the lock: what the size alone tells.
        ("tcp", 131072, None, False, "default"),
        ("tcp", 566855, None, False, "unknown"),
        ("tcp", 8388608, None, False, "clamped"),
        ("tcp", 40000000, None, False, "set"),
        ("tcp", 2304, None, False, "raised"),
        ("udp", 212992, None, False, "default"),
        ("udp", 40000, None, False, "set"),
        ("udp", 8388608, None, True, "clamped"),
        ("sctp", 40000, None, False, "set"),
        ("sctp", 212992, NONE, False, "default"),
    ],
)
def test_origin(netid: str, value: int, lock: int | None, sending: bool, origin: str) -> None:
    """The origin, and whether it is certain."""
    found = buffer_origin(netid, value, SYSCTLS, lock, sending=sending)
    assert found is not None
    assert (found.bytes, found.origin, found.certain) == (value, origin, lock is not None)
    assert found.why.endswith(".")


def test_without_tuning() -> None:
    """Where tcp_moderate_rcvbuf is 0 nothing is tuned: another size was set."""
    found = buffer_origin("tcp", 60000, FIXED, None, sending=False)
    assert found is not None
    assert found.origin == "set"
    found = buffer_origin("tcp", 60000, FIXED, NONE, sending=False)
    assert found is not None
    assert found.origin == "unlocked"


def test_without_sysctls() -> None:
    """In a container of an old kernel the limits are not visible: unknown, not a default."""
    empty = Sysctls({})
    for netid in ("tcp", "udp"):
        found = buffer_origin(netid, 212992, empty, None, sending=False)
        assert found is not None
        assert found.origin == "unknown"
    locked = buffer_origin("udp", 40000, empty, BOTH, sending=False)
    assert locked is not None
    assert (locked.origin, locked.locked) == ("set", True)
    assert buffer_origin("udp", None, SYSCTLS, BOTH, sending=False) is None
