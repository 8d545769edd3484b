"""The local ports that the kernel chooses from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def reserved_in_range(first: int, last: int, reserved: Iterable[tuple[int, int]]) -> int:
    """Count the ports from first to last that ranges of reserved ones take away; the ranges may overlap."""
    taken = 0
    start = first
    for low, high in sorted(reserved):
        begin, end = max(low, start), min(high, last)
        if begin <= end:
            taken += end - begin + 1
            start = end + 1
    return taken


def available_ports(first: int, last: int, reserved: Iterable[tuple[int, int]]) -> int:
    """Count the ports that connect(2) and bind(2) may choose: for one destination, or one bind for everybody.

    Source: ``__inet_hash_connect()``, net/ipv4/inet_hashtables.c; both ends belong to the range.
    """
    return max(last - first + 1, 0) - reserved_in_range(first, last, reserved)
