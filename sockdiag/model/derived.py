"""Fields derived from others, which no source has; declared like the rest, so that they are shown and filtered alike."""

from __future__ import annotations

from sockdiag.model.record import LABEL, RATIO, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.socket import Socket


class Derived(Record):
    """Fields that are computed from a socket's other fields; see :func:`getter`."""

    fill: float | None = field(
        "Receive memory in use: rmem_alloc / rcvbuf; 1 is the limit.",
        default=None,
        unit=RATIO,
        header="FILL",
        needs="skmem",
        kernel="sk->sk_rmem_alloc / sk->sk_rcvbuf",
        sources=("INET_DIAG_SKMEMINFO[SK_MEMINFO_RMEM_ALLOC]", "INET_DIAG_SKMEMINFO[SK_MEMINFO_RCVBUF]"),
    )
    user: str | None = field(
        "Name of the user that created it, or the number where it has none.",
        default=None,
        kind=LABEL,
        header="USER",
        kernel="sk->sk_uid",
        sources=("inet_diag_msg.idiag_uid", "/proc/net/tcp: uid"),
    )


def fill(socket: Socket) -> float | None:
    """Return the share of the receive buffer that is in use, None where a part of it is unknown."""
    skmem = socket.skmem
    if skmem is None or skmem.rmem_alloc is None or not skmem.rcvbuf:
        return None
    return skmem.rmem_alloc / skmem.rcvbuf


def getter(name: str, user_name: Callable[[int], str]) -> Callable[[Socket], float | str | None]:
    """Return the function that computes the field *name*.

    Args:
        name: of a field of :class:`Derived`.
        user_name: names users; records hold their numbers only.
    """
    if name == "user":
        return lambda socket: None if socket.uid is None else user_name(socket.uid)
    return fill
