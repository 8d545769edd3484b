"""/proc/net/tcp, udp and raw as the reference reads them.

``sockdiag.sources.proc.inet`` reads the same files strictly, and a row that it refuses ss still prints: of a short line,
it takes the numbers that are there; a line without its newline within 255 bytes ends the table, and one without the
expected colons ends the file.
**Source:** ``get_tcp4_sock()``, net/ipv4/tcp_ipv4.c.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.inet_diag import TIMER_NAMES
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_TCP
from sockdiag.sources.proc.table import hexadecimal, signed
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss import inet
from sockdiag.ss.details import sock_details, timer_text
from sockdiag.ss.listing import proc_path
from sockdiag.ss.output import safe_text
from sockdiag.ss.row import SocketRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.ss.listing import Listing

_LONGEST = 255
_USER_HZ = 100
_RETRANSMIT = TIMER_NAMES.index("retransmit")


class BrokenLine(Exception):
    """A line does not end within 255 bytes."""


def read_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines after the header.

    Raises:
        BrokenLine: a line has no newline where the reference looks for it.
    """
    start = data.find(b"\n", 0, _LONGEST) + 1 or min(_LONGEST, len(data))
    while start < len(data):
        end = data.find(b"\n", start, start + _LONGEST)
        if end < 0:
            raise BrokenLine
        yield data[start:end]
        start = end + 1


def table(listing: Listing, name: str, protocol: int) -> None:
    """Show a table: the IPv4 file, then the IPv6 one.

    Args:
        listing: the run.
        name: tcp, udp or raw.
        protocol: what the rows are.
    """
    families = listing.settings.selection.families
    for family, file in ((AF_INET, name), (AF_INET6, f"{name}6")):
        if not families >> family & 1:
            continue
        try:
            data = ProcRoot().read(proc_path(f"PROC_NET_{file.upper()}", f"net/{file}"))
        except SourceError:
            return
        try:
            _file(listing, data, family, protocol)
        except BrokenLine:
            return


def _file(listing: Listing, data: bytes, family: int, protocol: int) -> None:
    states, accepts = listing.settings.selection.states, listing.accepts
    for line in read_lines(data):
        parts = _split(line)
        if parts is None:
            return
        local, remote, rest = parts
        digit = rest[1:2]
        state = int(digit, 16) if digit and digit in b"0123456789ABCDEF" else 0
        if not states >> state & 1:
            continue
        row = SocketRow(family, protocol, state)
        row.local, row.lport = _address(local, family)
        row.remote, row.rport = _address(remote, family)
        if accepts is not None and not accepts(row):
            continue
        if protocol == IPPROTO_TCP:
            listing.layout.row(_tcp(row, rest, listing))
        else:
            _numbers(row, rest)
            listing.layout.row(inet.cells(row, listing, protocol))


def _split(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Find the addresses and what follows them by the colons."""
    local = line.find(b":") + 2
    colon = line.find(b":", local) if local > 1 else -1
    remote = colon + 6
    second = line.find(b":", remote) if colon >= 0 else -1
    if second < 0:
        return None
    return line[local : colon + 5], line[remote : second + 5], line[second + 6 :]


def _address(text: bytes, family: int) -> tuple[bytes, int]:
    address, _, port = text.strip().partition(b":")
    size = 8 if family == AF_INET else 32
    try:
        words = [hexadecimal(address[i : i + 8] or b"0") for i in range(0, size, 8)]
        return b"".join([U32.pack(word) for word in words]), hexadecimal(port)
    except ValueError:
        return bytes(size // 2), 0


def _numbers(row: SocketRow, rest: bytes) -> list[bytes]:
    """Take the numbers up to the pointer, as many as there are; return the words after it."""
    words = rest.split(None, 14)
    try:
        row.state = hexadecimal(words[0])
        tx, _, rx = words[1].partition(b":")
        row.wq, row.rq = hexadecimal(tx), hexadecimal(rx)
        timer, _, when = words[2].partition(b":")
        row.timer, row.expires = hexadecimal(timer), hexadecimal(when)
        row.retrans, row.uid = hexadecimal(words[3]), signed(words[4])
        probes = signed(words[5])
        if row.timer != _RETRANSMIT:
            row.retrans = probes
        row.ino = signed(words[6])
        row.sk = hexadecimal(words[8])
    except (ValueError, IndexError):
        return []
    return words[9:]


def _tcp(row: SocketRow, rest: bytes, listing: Listing) -> list[str]:
    settings = listing.settings
    tail = _numbers(row, rest)
    columns = inet.cells(row, listing, row.type)
    ext = ""
    if settings.timers:
        expires = (row.expires * 1000 + _USER_HZ - 1) // _USER_HZ
        ext += timer_text(row.timer, expires, row.retrans, old=settings.old)
    if settings.details:
        ext += sock_details(row, listing.names)
        if len(tail) > 5:
            ext += f' opt:"{safe_text(tail[5])}"'
    if settings.info:
        ext += _internals(tail, row.retrans)
    columns[-1] = ext
    return columns


def _internals(tail: list[bytes], retrans: int) -> str:
    """Print rto, ato, quick acks, window and threshold of a line."""
    try:
        rto, ato, quick, cwnd, ssthresh = (signed(word) for word in tail[:5])
    except ValueError:
        rto = ato = quick = 0
        cwnd, ssthresh = 2, -1
    text = ""
    if rto and rto != 3 * _USER_HZ:
        text += f" rto:{rto / _USER_HZ:g}"
    if ato:
        text += f" ato:{ato / _USER_HZ:g}"
    quick //= 2
    if quick:
        text += f" qack:{quick}"
    if quick & 1:
        text += " bidir"
    if cwnd:
        text += f" cwnd:{cwnd}"
    if ssthresh not in (-1, 0):
        text += f" ssthresh:{ssthresh}"
    if retrans:
        text += f" retrans:{retrans}/0"
    return text + " reordering:0"
