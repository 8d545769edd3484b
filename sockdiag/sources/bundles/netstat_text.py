"""Text that ``netstat`` of net-tools printed, with whichever of -n, -e, -o, -p, -a, -l and -W.

netstat reads /proc/net: what that does not have, it has not either. A connection waits for accept(2) in the first number of a
listener; the second is 0 for whatever limit. Its programs are the beginning of their command lines, without descriptors.

Source: ``tcp_do_one()``, ``udp_do_one()``, ``unix_do_one()``, netstat.c of net-tools.
"""

from __future__ import annotations

import re

from sockdiag.errors import ParseError
from sockdiag.kernel.tcp_states import STATE_NAMES, state_number
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, Owner, Socket, Timer
from sockdiag.sources.bundles.text_cells import decimal, endpoint, fraction
from sockdiag.sources.bundles.text_table import TextTables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "netstat"

# Protocol: netid of the model, type, protocol.
_INET = {
    "tcp": ("tcp", "SOCK_STREAM", "TCP"),
    "udp": ("udp", "SOCK_DGRAM", "UDP"),
    "udpl": ("udplite", "SOCK_DGRAM", "UDPLITE"),
    "udplite": ("udplite", "SOCK_DGRAM", "UDPLITE"),
}
_UNIX_TYPES = {"STREAM": "SOCK_STREAM", "DGRAM": "SOCK_DGRAM", "SEQPACKET": "SOCK_SEQPACKET", "RAW": "SOCK_RAW"}
# State in the text, or flag: state of the model, and as /proc spells it.
_UNIX_STATES = {
    "LISTENING": ("LISTEN", "SS_UNCONNECTED"),
    "CONNECTED": ("ESTABLISHED", "SS_CONNECTED"),
    "CONNECTING": ("ESTABLISHED", "SS_CONNECTING"),
    "DISCONNECTING": ("CLOSE", "SS_DISCONNECTING"),
    "": ("CLOSE", "SS_UNCONNECTED"),
}
_TIMERS = {"on": "retransmit", "keepalive": "keepalive", "timewait": "timewait", "probe": "persist"}
_TIMER = re.compile(
    r"\s(off|on|keepalive|timewait|probe|unkn-\d{1,3}) \((\d{1,12}\.\d{1,2})/(-?\d{1,10})/(-?\d{1,10})\)\s*$"
)
_PROGRAM = re.compile(r"(\d{1,10})/(.*)$")
_UNIX_ROW = re.compile(
    r"unix +\d{1,10} +\[(?P<flags>[ A-Z]{0,20})\] +(?P<type>[A-Z]{1,12}) +"
    r"(?P<state>LISTENING|CONNECTED|CONNECTING|DISCONNECTING|FREE)? +(?P<inode>\d{1,20})(?: (?P<rest>.*))?$"
)
_PROGRAM_WIDTH = 20
# Without -W an address with its port has that many columns, and what does not fit is cut.
_CUT = 23


def is_netstat(head: bytes) -> bool:
    """Return whether a text begins as one that netstat printed."""
    return any(
        line.startswith((b"Active Internet connections", b"Active UNIX domain sockets"))
        or (line.startswith(b"Proto ") and (b"Recv-Q" in line or b"RefCnt" in line))
        for line in head.splitlines()[:8]
    )


def parse_netstat(body: bytes, path: str) -> TextTables:
    """Parse what netstat printed.

    Args:
        body: the text, with its headings.
        path: where it stands, for errors.

    Returns:
        Sockets by table; a ParseError for each malformed row (bounded).
    """
    tables = TextTables(SOURCE, path)
    columns = _Heading("")
    wide = False
    rows = list(_lines(body))
    wide = any(len(cell) > _CUT for _at, line in rows if line[:3] in ("tcp", "udp") for cell in line.split()[3:5])
    for at, line in rows:
        if line.startswith("Proto "):
            columns = _Heading(line)
            continue
        proto = line.split(None, 1)[0]
        try:
            if proto == "unix":
                tables.add(_unix(line, columns))
            elif proto.removesuffix("6") in _INET:
                tables.add(_inet(line, columns, wide=wide))
            elif proto[:1].islower() and proto.isalnum() and len(line.split()) > 4:
                tables.left_out(proto)
        except (ValueError, IndexError):
            tables.reject(ParseError(path, at, "row", "a row of netstat", line.encode("utf-8", "surrogateescape")[:80]))
    return tables


def _lines(body: bytes) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(body.split(b"\n"), 1):
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r")
        if line.strip():
            yield number, line


class _Heading:
    """Which columns a heading has."""

    def __init__(self, heading: str) -> None:
        self.users = " User " in heading
        self.programs = " PID/Program" in heading
        self.timers = " Timer" in heading


def _inet(line: str, columns: _Heading, *, wide: bool) -> Socket:
    timer = None
    if columns.timers:
        match = _TIMER.search(line)
        if match is None:
            raise ValueError(line)
        timer = match
        line = line[: match.start()]
    proto, recv_q, send_q, local_text, peer_text, *more = line.split(None, 5)
    rest = more[0] if more else ""
    six = proto.endswith("6")
    table, kind, protocol = _INET[proto.removesuffix("6")]
    state = None
    word, _blank, after = rest.partition(" ")
    number = state_number(word) if word.isupper() or "_" in word else None
    if number is not None:
        state, rest = STATE_NAMES[number], after.lstrip()
    elif table != "tcp":
        state = "CLOSE"  # netstat prints nothing
    else:
        raise ValueError(line)
    uid = inode = None
    if columns.users:
        user, inode_text, *behind = rest.split(None, 2)
        inode = decimal(inode_text)
        uid = int(user) if user.isdecimal() and len(user) <= 10 and (inode or int(user)) else None
        rest = behind[0] if behind else ""
    listens = state == "LISTEN"
    return Socket(
        netid=table,
        family="AF_INET6" if six else "AF_INET",
        type=kind,
        protocol=protocol,
        state=state,
        local=_end(local_text, table, six=six, wide=wide),
        peer=_end(peer_text, table, six=six, wide=wide),
        recv_q=decimal(recv_q),
        send_q=None if listens else decimal(send_q),
        recv_q_unit=IN_CONNECTIONS if listens else IN_BYTES,
        uid=uid,
        inode=inode,
        timer=_armed(timer),
        processes=_owners(rest) if columns.programs else None,
        source=SOURCE,
    )


def _end(text: str, table: str, *, six: bool, wide: bool) -> Endpoint:
    _family, end = endpoint(text, table, old=True, six=six)
    # An IPv6 address that fills its column may be the beginning of one.
    return end._replace(address=None) if six and not wide and len(text) == _CUT else end


def _armed(match: re.Match[str] | None) -> Timer | None:
    if match is None or match[1] not in _TIMERS:
        return None
    name = _TIMERS[match[1]]
    counted = match[3] if name == "retransmit" else match[4]
    return Timer(name, fraction(match[2], 1000), int(counted))


def _owners(text: str) -> tuple[Owner, ...] | None:
    match = _PROGRAM.match(text.strip())
    if match is None:
        return None
    return (Owner(pid=decimal(match[1]), comm=None, fd=None),)


def _unix(line: str, columns: _Heading) -> Socket:
    match = _UNIX_ROW.match(line)
    if match is None:
        raise ValueError(line)
    rest = match["rest"] or ""
    owners = None
    if columns.programs:
        # A column of 20 characters: the program may have blanks in it.
        owners, rest = _owners(rest[:_PROGRAM_WIDTH]), rest[_PROGRAM_WIDTH:]
    word = "LISTENING" if "ACC" in match["flags"] else match["state"] or ""
    state, socket_state = _UNIX_STATES.get(word, (None, None))
    name = rest.strip().encode("utf-8", "surrogateescape")
    listens = state == "LISTEN"
    return Socket(
        netid="unix",
        family="AF_UNIX",
        type=_UNIX_TYPES.get(match["type"]),
        state=state,
        local=Endpoint(b"\0" + name[1:] if name[:1] == b"@" else name) if name else NOWHERE,
        recv_q_unit=IN_CONNECTIONS if listens else IN_BYTES,
        inode=decimal(match["inode"]),
        unix=UnixAttrs(socket_state=socket_state),
        processes=owners,
        source=SOURCE,
    )
