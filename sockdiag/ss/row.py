"""A socket as the program sees it: what it filters by and prints, with 0 where the kernel sent nothing; texts of cells."""

from __future__ import annotations

from sockdiag.kernel.sock_diag import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class SocketRow:
    """One socket.

    Attributes:
        family: AF_….
        type: protocol number of an IP socket, socket type of others.
        state: state number.
        local, remote: address bytes of an IP socket; the name of a unix socket, its peer's name.
        lport, rport: ports; the inodes of a unix socket and its peer; the port id of a netlink socket.
        number: protocol of a netlink or packet socket.
        attributes: payload by attribute number, for what only some options show.
    """

    __slots__ = (
        "attributes",
        "cgroup_id",
        "expires",
        "family",
        "iface",
        "ino",
        "local",
        "lport",
        "mark",
        "number",
        "remote",
        "retrans",
        "rport",
        "rq",
        "sk",
        "state",
        "timer",
        "type",
        "uid",
        "v6only",
        "wq",
    )

    def __init__(self, family: int, kind: int, state: int) -> None:
        self.family = family
        self.type = kind
        self.state = state
        self.local: bytes | None = None
        self.remote: bytes | None = None
        self.lport = self.rport = self.iface = self.ino = self.sk = self.uid = self.rq = self.wq = 0
        self.mark = self.cgroup_id = self.timer = self.expires = self.retrans = self.number = 0
        self.v6only = False
        self.attributes: Mapping[int, bytes] = {}

    @property
    def is_inet(self) -> bool:
        """Return whether the socket has IP addresses."""
        return self.family in (AF_INET, AF_INET6)


# States in the words of the State column. The kernel reports neither 12 nor 13.
STATE_WORDS = (
    "UNKNOWN",
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "UNCONN",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "UNDEF",
    "UNDEF",
    "UNDEF",
    "UNDEF",
)


_STATE_WORDS_6 = (*STATE_WORDS[:12], "UNKNOWN", "established")


def state_word(state: int, *, old: bool = False) -> str:
    """Name a state as the State column does; 6.1 has no words for 12 and 13, and prints what follows its table."""
    words = _STATE_WORDS_6 if old else STATE_WORDS
    return words[state] if state < len(words) else "UNDEF"


def queue(value: int) -> str:
    """Print a queue length: signed 32 bit, at least six characters."""
    return f"{value - (1 << 32) if value & 1 << 31 else value:<6}"


class Texts(dict):  # type: ignore[type-arg]
    """Text of each value met so far, and the longest of them.

    Args:
        make: prints a value.
    """

    __slots__ = ("_make", "longest")

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make
        self.longest = 0

    def __missing__(self, key: object) -> str:
        text = self[key] = self._make(key)
        self.longest = max(self.longest, len(text))
        return text


def texts(memo: Texts, keys: Sequence[Any]) -> str | list[str]:
    """Return the text of each key, or the one text that all of them have."""
    first = keys[0]
    return memo[first] if keys.count(first) == len(keys) else list(map(memo.__getitem__, keys))
