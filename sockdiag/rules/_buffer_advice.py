"""What to do about a full receive buffer: it depends on what bounds it."""

from __future__ import annotations

from sockdiag.model.finding import Advice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.rules._base import Case

_READ = Advice(
    "Make the process read more often, or from more sockets (SO_REUSEPORT).",
    None,
    "A larger buffer bridges bursts only; a reader that is slower than the sender fills any.",
)
_STUCK = Advice(
    "Find out why the process does not read.", None, "Nothing was taken out of the buffer between the two looks."
)


def buffer_advice(case: Case, rcvbuf: int | None, unread: bool = False) -> tuple[Advice, ...]:
    """Advise on a receive buffer that is full.

    Source: ``__sock_set_rcvbuf()``: sk_rcvbuf is twice the smaller of what SO_RCVBUF asks for and rmem_max.

    Args:
        case: the looks, for rmem_default and rmem_max.
        rcvbuf: sk_rcvbuf, None where unknown.
        unread: nothing was read between the looks.
    """
    if unread:
        return (_STUCK,)
    limits = case.now.limits
    default, most = limits.number("net.core.rmem_default"), limits.number("net.core.rmem_max")
    if rcvbuf is None:
        return (_READ,)
    larger = 4 * rcvbuf
    if most is not None and rcvbuf >= 2 * most:
        return (
            Advice(
                "Raise net.core.rmem_max, then let the process ask for more with SO_RCVBUF.",
                f"sysctl -w net.core.rmem_max={larger}",
                f"The buffer, {rcvbuf} bytes, is twice rmem_max: the process asked for at least as much as it may have.",
            ),
            _READ,
        )
    room = "" if most is None else f" net.core.rmem_max, {most}, allows up to {2 * most}."
    if default is not None and rcvbuf == default:
        return (
            Advice(
                f"Let the process ask for a larger buffer: setsockopt(SO_RCVBUF, {larger // 2}).",
                None,
                f"It has the default, net.core.rmem_default.{room} A new default is for sockets made later only.",
            ),
            _READ,
        )
    return (
        Advice(
            f"Let the process ask for a larger buffer: setsockopt(SO_RCVBUF, {larger // 2}).",
            None,
            f"It set this size itself; raising rmem_max or rmem_default changes nothing for it.{room}",
        ),
        _READ,
    )
