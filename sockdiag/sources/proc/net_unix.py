"""Unix sockets from /proc/net/unix."""

from __future__ import annotations

from sockdiag.kernel.sock_diag import TYPE_NAMES
from sockdiag.kernel.tcp_states import ALL_STATES, STATE_NUMBERS
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.proc_attrs import ProcAttrs
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, Socket
from sockdiag.sources.proc.table import (
    DIGITS,
    HEX,
    BadColumn,
    Rejected,
    cell,
    decimal,
    hexadecimal,
    pointer,
    read_tables,
    table_lines,
)
from sockdiag.sources.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/unix"

_HEADING = "Num RefCount Protocol Flags Type St Inode Path"
# A patched kernel shows the inode of the other end and both queues instead of the first three.
_USUAL = {"num", "refcount"}
_PEERS = {"peer:", "rcvqueue", "sendqueue"}
_NEEDED = {"flags", "type", "st", "inode"}

_ACCEPTCON = 0x10000  # __SO_ACCEPTCON, which stands for LISTEN
# enum sock_state, include/uapi/linux/net.h: whether there is a file, and whether sk_state is ESTABLISHED.
_SOCKET_STATES = {
    1: ("SS_UNCONNECTED", "CLOSE"),
    2: ("SS_CONNECTING", "ESTABLISHED"),
    3: ("SS_CONNECTED", "ESTABLISHED"),
    4: ("SS_DISCONNECTING", "CLOSE"),
}

_UNIX_PATH_MAX = 108


def parse_unix(body: bytes, states: int = ALL_STATES) -> Reading:
    """Parse the text of ``/proc/net/unix``.

    A name is printed as it is, with ``@`` for every NUL of an abstract one: of those only the first is known to be one.
    A name that begins with ``@`` is taken for an abstract one, though a relative path may begin so too. A line that does
    not begin like a row is what follows a newline in the name before it.

    Source: ``unix_seq_show()``, net/unix/af_unix.c.
    Units: the queues, the owner and the other end are not in this file.
    Shape: a connection that waits in a listener's queue has inode 0 and the listener's name.

    Args:
        body: the whole file.
        states: mask of ``1 << state``, of ESTABLISHED, CLOSE and LISTEN; other rows are left out.

    Returns:
        Sockets in file order; a ParseError for each malformed row (bounded), or one for an unknown heading.
    """
    rejected = Rejected(PATH)
    lines = table_lines(body, rejected)
    *names, last = (lines[0].decode("latin-1").lower().split() if lines else []) or [""]
    known = set(names)
    if last != "path" or not known >= _NEEDED or not (known >= _USUAL or known >= _PEERS):
        if lines or not body:
            rejected.add(1, "heading", _HEADING, lines[0] if lines else b"")
        return Reading([], rejected.errors())
    sockets = []
    for number, tokens, name in _rows(lines, len(names), rejected):
        try:
            socket = _socket(dict(zip(names, tokens, strict=True)), name)
        except BadColumn as error:
            rejected.add(number, *error.args)
        else:
            if socket.state is None or states >> STATE_NUMBERS[socket.state] & 1:
                sockets.append(socket)
    return Reading(sockets, rejected.errors())


def read_unix(files: ProcRoot, states: int = ALL_STATES) -> Reading:
    """Read and parse /proc/net/unix; if it cannot be read, that is the error of the reading."""
    return read_tables(files, ("unix",), lambda body, _name: parse_unix(body, states))


def _rows(lines: list[bytes], columns: int, rejected: Rejected) -> Iterator[tuple[int, list[bytes], bytes]]:
    # Number, tokens before the name, and name of each row.
    number, tokens = 0, [b""]
    name: bytes | None = None
    for line_number, line in enumerate(lines[1:], 2):
        begins = _begins_row(line)
        if not begins and name is not None and len(name) + len(line) < _UNIX_PATH_MAX:
            name += b"\n" + line
            continue
        if number:
            yield number, tokens, name or b""
        number, tokens, name = line_number, *_split(line, columns)
        if not begins or len(tokens) < columns:
            rejected.add(number, "row", f"a row of {columns} columns and perhaps a name", line)
            number, name = 0, None
    if number:
        yield number, tokens, name or b""


def _begins_row(line: bytes) -> bool:
    # %pK: of fixed width, 32 or 64 bits.
    return line[8:9] == b":" or line[16:17] == b":"


def _split(line: bytes, columns: int) -> tuple[list[bytes], bytes | None]:
    # The columns and the name. One blank stands before a name, whose own blanks are a part of it.
    tokens = line.split(None, columns)
    rest = tokens.pop() if len(tokens) > columns else b""
    end = len(line[: len(line) - len(rest)].rstrip())
    return tokens, line[end + 1 :] if len(line) > end else None


def _socket(columns: dict[str, bytes], name: bytes) -> Socket:
    flags = cell("Flags", columns["flags"], hexadecimal, HEX)
    kind = cell("Type", columns["type"], hexadecimal, HEX)
    number = cell("St", columns["st"], hexadecimal, HEX)
    inode = cell("Inode", columns["inode"], decimal, DIGITS)
    socket_state, state = _SOCKET_STATES.get(number, (f"unknown({number})", None))
    listening = flags & _ACCEPTCON != 0
    address = peer = refs = recv_q = send_q = None
    if "num" in columns:
        address = cell("Num", columns["num"], _first, f"{HEX} and ':'")
        refs = cell("RefCount", columns["refcount"], hexadecimal, HEX)
    else:
        peer = cell("Peer", columns["peer:"], _first, f"{HEX} and ':'")
        recv_q = cell("RcvQueue", columns["rcvqueue"], hexadecimal, HEX)
        send_q = cell("SendQueue", columns["sendqueue"], hexadecimal, HEX)
    if name[:1] == b"@":
        name = b"\0" + name[1:]
    return Socket(
        netid="unix",
        family="AF_UNIX",
        type=TYPE_NAMES.get(kind) or f"SOCK_{kind}",
        state="LISTEN" if listening else state,
        local=Endpoint(name) if name else NOWHERE,
        recv_q=recv_q,
        send_q=send_q,
        recv_q_unit=IN_CONNECTIONS if listening else IN_BYTES,
        inode=inode,
        unix=UnixAttrs(peer_inode=peer, socket_state=socket_state, refs=refs),
        proc=ProcAttrs(address),
        source="proc",
    )


def _first(token: bytes) -> int | None:
    if token[-1:] != b":":
        raise ValueError
    return pointer(token[:-1])
