"""The blocks of the extended column that several families share, and the formats of their numbers.

**Source:** the behaviour of ss 6.1 and 7.1.
"""

from __future__ import annotations

from struct import unpack_from

from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.inet_diag import MEMINFO, SKMEMINFO
from sockdiag.kernel.sock_diag import RCV_SHUTDOWN, SEND_SHUTDOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.ss.names import Names
    from sockdiag.ss.row import SocketRow

_SKMEM = ("r", "rb", "t", "tb", "f", "w", "o", "bl", "d")
_TIMERS = ("off", "on", "keepalive", "timewait", "persist", "delack")


def timer_text(timer: int, expires: int, retrans: int, *, old: bool) -> str:
    """Print the timer block of -o; nothing where no timer runs."""
    if not timer:
        return ""
    name = _TIMERS[timer] if timer < (5 if old else 6) else "unknown"
    return f" timer:({name},{expiry(expires, old=old)},{retrans})"


def expiry(ms: int, *, old: bool) -> str:
    """Print milliseconds as the timer block does; 6.1 calls fractions of seconds ``ms``."""
    seconds, millis = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    text = ""
    if minutes:
        millis = 0
        text = f"{minutes}min"
        if minutes > 9:
            seconds = 0
    if seconds:
        if seconds > 9:
            millis = 0
        text += f"{seconds}." if millis else f"{seconds}sec"
    if millis:
        text += f"{millis:03d}{'sec' if seconds and not old else 'ms'}"
    return text


def sock_details(row: SocketRow, names: Names) -> str:
    """Print uid, inode, cookie, mark and cgroup."""
    text = f" ino:{row.ino} sk:{row.sk:x}"
    if row.uid:
        text = f" uid:{row.uid}{text}"
    return text + mark_text(row.mark) + cgroup_text(row.cgroup_id, names)


def mark_text(mark: int) -> str:
    """Print a firewall mark, if there is one."""
    return f" fwmark:0x{mark:x}" if mark else ""


def cgroup_text(number: int, names: Names) -> str:
    """Print a cgroup, if it is known."""
    return f" cgroup:{names.cgroup(number)}" if number else ""


def arrows(shutdown: int) -> str:
    """Print which directions are shut down."""
    return f" {'-' if shutdown & RCV_SHUTDOWN else '<'}-{'-' if shutdown & SEND_SHUTDOWN else '>'}"


def memory(attributes: Mapping[int, bytes], number: int = SKMEMINFO) -> str:
    """Print the memory block from attribute *number*, for an IP socket else from the older MEMINFO."""
    data = attributes.get(number)
    if data is None:
        if number == SKMEMINFO and len(attributes.get(MEMINFO, b"")) >= 16:
            rmem, wmem, fmem, tmem = unpack_from(f"{ORDER}IIII", attributes[MEMINFO])
            return f" mem:(r{rmem},w{wmem},f{fmem},t{tmem})"
        return ""
    words = unpack_from(f"{ORDER}{min(9, len(data) // 4)}I", data)
    # Backlog and drops came later than the others.
    values = (*words, *(0,) * (7 - len(words)))
    return f" skmem:({','.join(map('{}{}'.format, _SKMEM, values))})"


def bandwidth(value: float, *, numeric: bool) -> str:
    """Print bits per second."""
    if numeric:
        return f"{value:.0f}"
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:g}"
