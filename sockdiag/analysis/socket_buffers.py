"""What SO_RCVBUF and SO_SNDBUF come to."""

from __future__ import annotations

from sockdiag.kernel.sock import LARGEST_SOCKBUF, SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF


def so_rcvbuf(asked: int, rmem_max: int) -> int:
    """Return the sk_rcvbuf in bytes that ``setsockopt(SO_RCVBUF, asked)`` leaves.

    Source: ``sock_setsockopt()`` and ``__sock_set_rcvbuf()``, net/core/sock.c: cut to rmem_max, then doubled for the
    kernel's overhead.
    """
    return max(2 * min(asked, rmem_max, LARGEST_SOCKBUF), SOCK_MIN_RCVBUF)


def so_sndbuf(asked: int, wmem_max: int) -> int:
    """Return the sk_sndbuf in bytes that ``setsockopt(SO_SNDBUF, asked)`` leaves.

    Source: ``sock_setsockopt()``, net/core/sock.c.
    """
    return max(2 * min(asked, wmem_max, LARGEST_SOCKBUF), SOCK_MIN_SNDBUF)
