"""/proc/net/unix, packet and netlink as the reference reads them.

**Source:** ``unix_seq_show()``, ``packet_seq_show()``, ``netlink_seq_show()``.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.kernel.sock_diag import AF_PACKET, AF_UNIX, SOCK_DGRAM, SOCK_RAW
from sockdiag.kernel.tcp_states import CLOSE, CLOSING, ESTABLISHED, LISTEN, SYN_SENT
from sockdiag.sources.proc.table import hexadecimal, signed
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss import netlink, packet, unix
from sockdiag.ss.listing import proc_path
from sockdiag.ss.proc_inet import BrokenLine, read_lines
from sockdiag.ss.row import SocketRow
from sockdiag.ss.tables import PACKET_DGRAM, PACKET_RAW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.ss.listing import Listing

_LISTENS = 1 << 16
# Column St of /proc/net/unix: SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING
_UNIX_STATES = (CLOSE, CLOSE, SYN_SENT, ESTABLISHED, CLOSING)


def _read(variable: str, name: str) -> bytes | None:
    try:
        return ProcRoot().read(proc_path(variable, name))
    except SourceError:
        return None


def unix_table(listing: Listing) -> None:
    """Show /proc/net/unix, by type and inode."""
    data = _read("PROC_NET_UNIX", "net/unix")
    if data is None:
        return
    selection, accepts = listing.settings.selection, listing.accepts
    names: dict[int, bytes] = {}
    rows: list[SocketRow] = []
    for row in _unix_rows(data):
        if not (selection.tables & unix.table(row.type) and selection.states >> row.state & 1):
            continue
        if row.rport:
            # Only sockets that were listed before are known.
            row.remote = names.get(row.rport, b"?")
        if accepts is not None and not accepts(_names_only(row)):
            continue
        names.setdefault(row.lport, row.local or b"*")
        rows.append(row)
    rows.sort(key=lambda row: (row.type, row.ino))
    for row in rows:
        listing.layout.row(unix.cells(row, listing))


def _names_only(row: SocketRow) -> SocketRow:
    """Return what a filter sees of a row: its ports are 0."""
    seen = SocketRow(AF_UNIX, row.type, row.state)
    seen.local = row.local
    seen.remote = row.remote if row.remote != b"*" else None
    return seen


def _unix_rows(data: bytes) -> Iterator[SocketRow]:
    """Yield the rows, of a damaged line what can be read of it: its flags are then those of the line before."""
    new = data.startswith(b"Peer")
    flags = 0
    for line in data.split(b"\n")[1:-1]:
        words = line.split()
        numbers = _leading(words)
        if len(numbers) > 3:
            flags = numbers[3]
        numbers += [0] * (7 - len(numbers))
        kind, place = numbers[4:6]
        state = LISTEN if flags & _LISTENS else _UNIX_STATES[place] if place < len(_UNIX_STATES) else CLOSE
        if kind == SOCK_DGRAM and state == CLOSE and numbers[0] & 0xFFFFFFFF:
            # The first column is the peer, or (in kernels without it) the address of the socket.
            state = ESTABLISHED
        row = SocketRow(AF_UNIX, kind, state)
        row.ino = row.lport = numbers[6]
        if new:
            row.rport, row.rq, row.wq = numbers[:3]
        if len(words) > 7:
            row.local = words[7]
        yield row


def _leading(words: list[bytes]) -> list[int]:
    """Return the numbers of a line up to the first word that is none."""
    numbers: list[int] = []
    try:
        for place, word in enumerate(words[:7]):
            numbers.append((signed if place == 6 else hexadecimal)(word if place else word.removesuffix(b":")))
    except ValueError:
        pass
    return numbers


def packet_table(listing: Listing) -> None:
    """Show /proc/net/packet."""
    data = _read("PROC_NET_PACKET", "net/packet")
    if data is None:
        return
    selection, accepts = listing.settings.selection, listing.accepts
    try:
        for line in read_lines(data):
            words = line.split()
            try:
                kind, number, iface, _running, rmem, uid, inode = (
                    signed(words[2]),
                    hexadecimal(words[3]),
                    signed(words[4]),
                    signed(words[5]),
                    signed(words[6]),
                    signed(words[7]),
                    signed(words[8]),
                )
            except (ValueError, IndexError):
                return
            wanted = PACKET_RAW if kind == SOCK_RAW else PACKET_DGRAM
            if not listing.settings.old and not selection.tables & wanted:
                continue
            row = SocketRow(AF_PACKET, SOCK_RAW if kind == SOCK_RAW else SOCK_DGRAM, CLOSE)
            row.number, row.iface, row.lport, row.rq, row.uid, row.ino = number, iface, iface, rmem, uid, inode
            if accepts is None or accepts(row):
                listing.layout.row(packet.cells(row, listing))
    except BrokenLine:
        return


def netlink_table(listing: Listing) -> None:
    """Show /proc/net/netlink."""
    data = _read("PROC_NET_NETLINK", "net/netlink")
    if data is None:
        return
    try:
        for line in read_lines(data):
            words = line.split()
            try:
                sk, protocol, portid, groups, rmem, wmem, callback = (
                    hexadecimal(words[0]),
                    signed(words[1]),
                    signed(words[2]),
                    hexadecimal(words[3]),
                    signed(words[4]),
                    signed(words[5]),
                    hexadecimal(words[6]),
                )
            except (ValueError, IndexError):
                return
            row = netlink.new_row(protocol, portid)
            row.rq, row.wq = rmem, wmem
            if listing.accepts is None or listing.accepts(row):
                details = f" sk={sk:x} cb={callback:x} groups=0x{groups:08x}"
                netlink.put(row, netlink.NO_PEER, details, listing)
    except BrokenLine:
        return
