"""Explain how a socket's buffer got its limit.

Source: ``__sock_set_rcvbuf()``, ``sock_setsockopt()``, net/core/sock.c; ``tcp_rcv_space_adjust()``,
``tcp_sndbuf_expand()``, net/ipv4/tcp_input.c.
"""

from __future__ import annotations

from sockdiag.analysis.limits.effects import so_rcvbuf, so_sndbuf
from sockdiag.kernel.sock import LARGEST_SOCKBUF, SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF
from sockdiag.kernel.sockopts import SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK
from sockdiag.model.inspection import BufferLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.sysctl import Sysctls

DEFAULT, AUTOTUNED, SET, CLAMPED, RAISED, FORCED, UNLOCKED, UNKNOWN = (
    "default",
    "autotuned",
    "set",
    "clamped",
    "raised",
    "forced",
    "unlocked",
    "unknown",
)

# Tables whose initial buffer sizes are sysctls of their own protocol: names for receiving and sending.
_VECTORS = {
    "tcp": ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    "mptcp": ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
}
_DEFAULTS = ("net.core.rmem_default", "net.core.wmem_default")
_CAPS = ("net.core.rmem_max", "net.core.wmem_max")
_AUTOTUNED = ("tcp", "mptcp")

SYSCTLS = (
    *_DEFAULTS,
    *_CAPS,
    *_VECTORS["tcp"],
    "net.ipv4.tcp_moderate_rcvbuf",
)


class _Side:
    """Names and limits of one direction."""

    def __init__(self, netid: str, sysctls: Sysctls, *, sending: bool) -> None:
        self.option = "SO_SNDBUF" if sending else "SO_RCVBUF"
        self.cap_name = _CAPS[sending]
        cap = sysctls.number(self.cap_name)
        most = so_sndbuf if sending else so_rcvbuf
        self.cap = None if cap is None else most(LARGEST_SOCKBUF, cap)
        self.least = SOCK_MIN_SNDBUF if sending else SOCK_MIN_RCVBUF
        self.tunes = netid in _AUTOTUNED and (sending or sysctls.number("net.ipv4.tcp_moderate_rcvbuf") != 0)
        self.start: int | None
        self.most: int | None = None
        if netid in _VECTORS:
            self.default_name = _VECTORS[netid][sending]
            vector = sysctls.vector(self.default_name)
            self.start, self.most = (None, None) if vector is None else (vector[1], max(vector[1:]))
        else:
            self.default_name = _DEFAULTS[sending]
            self.start = sysctls.number(self.default_name)
        if netid == "unix" and not sending:
            self.tunes = False


def buffer_origin(
    netid: str, value: int | None, sysctls: Sysctls, lock: int | None, *, sending: bool
) -> BufferLimit | None:
    """Explain how a buffer got its limit.

    Args:
        netid: table of the socket.
        value: sk_rcvbuf or sk_sndbuf.
        sysctls: those named in SYSCTLS, as far as they are visible, with their present values: a socket keeps the value
            that it got when it was created.
        lock: answer of SO_BUF_LOCK; None if it is unknown.
        sending: the value is sk_sndbuf.
    """
    if value is None:
        return None
    side = _Side(netid, sysctls, sending=sending)
    if lock is None:
        origin, why = _guess(value, side)
        return BufferLimit(value, origin, None, False, why)
    locked = bool(lock & (SOCK_SNDBUF_LOCK if sending else SOCK_RCVBUF_LOCK))
    origin, why = _locked(value, side) if locked else _unlocked(value, side)
    if netid in _AUTOTUNED and locked:
        why += " The kernel does not tune it any more."
    return BufferLimit(value, origin, locked, True, why)


def _locked(value: int, side: _Side) -> tuple[str, str]:
    whose = f"{side.option}, of the socket or of the listener that it was accepted from"
    if value == side.least:
        return RAISED, f"{whose}, asked for less than the kernel's lower bound of {side.least}, which applies."
    if side.cap is None:
        return SET, f"{whose}, was called with {value // 2}; {side.cap_name} is not visible here."
    if value == side.cap:
        return CLAMPED, f"{whose}, was called with {value // 2} or more: {side.cap_name} allows no more."
    if value > side.cap:
        return FORCED, (
            f"{side.option}FORCE was called with {value // 2}, which is more than {side.cap_name}, or the limit was higher then."
        )
    return SET, f"{whose}, was called with {value // 2}, which the kernel doubles."


def _unlocked(value: int, side: _Side) -> tuple[str, str]:
    if value == side.start:
        return DEFAULT, f"As at creation: {side.default_name}."
    if side.tunes:
        if side.most is None:
            return AUTOTUNED, "Not set by the process: the kernel tunes it."
        if value <= side.most:
            return AUTOTUNED, f"Tuned by the kernel from {side.start}; {side.default_name} lets it grow to {side.most}."
    if side.start is None:
        return UNKNOWN, f"Not locked, so probably as at creation: {side.default_name} is not visible here."
    return UNLOCKED, (
        f"Not locked, and not the present {side.default_name}: that was different when the socket was created, or "
        f"{side.option} was called and SO_BUF_LOCK cleared its lock."
    )


def _guess(value: int, side: _Side) -> tuple[str, str]:
    decides = "SO_BUF_LOCK would decide, but needs ptrace access to a process that has the socket."
    if value == side.start:
        return DEFAULT, f"As large as {side.default_name} makes it; {decides}"
    if side.cap is not None and value == side.cap:
        return CLAMPED, f"As large as {side.option} can make it with the present {side.cap_name}; {decides}"
    if side.start is None:
        return UNKNOWN, f"{side.default_name} is not visible here."
    if value == side.least:
        return RAISED, f"The kernel's lower bound for {side.option}."
    if side.tunes:
        if side.most is not None and value <= side.most:
            return UNKNOWN, f"Tuned by the kernel or set by {side.option}; {decides}"
        return (
            SET,
            f"More than the kernel's auto-tuning allows ({side.default_name}): set by {side.option} or its FORCE form.",
        )
    return (
        SET,
        f"Not {side.default_name}, and such a socket is not auto-tuned: {side.option} was called with {value // 2}.",
    )
