"""The sockets that a text of a program lists, by table, and what it does not tell."""

from __future__ import annotations

from sockdiag.sources.reading import MAX_ERRORS, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.errors import ParseError
    from sockdiag.model.socket import Socket

_NETID_CHARACTERS = 16
# What ss and netstat call the rows of tables that are left out.
_NAMES = {
    "raw": ("raw", "raw6"),
    "icmp": ("icmp", "icmp6"),
    "netlink": ("nl",),
    "packet": ("p_raw", "p_dgr"),
    "vsock": ("v_str", "v_dgr"),
}


class TextTables:
    """Sockets of one text.

    Attributes:
        source: the program: ``ss`` or ``netstat``.
        path: where the text stands.
        sockets: by netid, in the text's order.
        errors: of malformed rows, bounded.
    """

    __slots__ = ("_others", "errors", "path", "sockets", "source")

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.sockets: dict[str, list[Socket]] = {}
        self.errors: list[ParseError] = []
        self._others: dict[str, int] = {}

    def add(self, socket: Socket) -> None:
        """Add one socket."""
        self.sockets.setdefault(socket.netid, []).append(socket)

    def reject(self, error: ParseError) -> None:
        """Note a malformed row."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)

    def left_out(self, netid: str) -> None:
        """Count a row of a table that is read elsewhere or not at all."""
        self._others[netid[:_NETID_CHARACTERS]] = self._others.get(netid[:_NETID_CHARACTERS], 0) + 1

    def others(self, table: str) -> int:
        """Return how many rows of a table were left out."""
        return sum(self._others.get(name, 0) for name in _NAMES.get(table, (table,)))

    def reading(self, table: str, families: tuple[str, ...], states: int) -> Reading | None:
        """Return what the text says of one table; None if it lists none of its sockets."""
        from sockdiag.kernel.tcp_states import STATE_NUMBERS

        listed = self.sockets.get(table)
        if listed is None:
            return None
        wanted = [
            socket
            for socket in listed
            if (not families or socket.family in families or not socket.is_inet)
            and (socket.state is None or states >> STATE_NUMBERS.get(socket.state, 0) & 1)
        ]
        return Reading(wanted, tuple(self.errors))

    def has_all_states(self, table: str) -> bool:
        """Return whether it lists listeners and others: ss prints both only with -a."""
        found = {socket.state in {"LISTEN", "CLOSE"} for socket in self.sockets.get(table, ())}
        return len(found) == 2
