"""Columns of the /proc/net tables of IP sockets: their positions and contents.

Source: ``get_tcp4_sock()``, net/ipv4/tcp_ipv4.c; ``udp4_format_sock()``, net/ipv4/udp.c; ``ip6_dgram_sock_seq_show()``,
net/ipv6/datagram.c.
"""

from __future__ import annotations

from _socket import AF_INET6, inet_ntoa, inet_ntop  # start-up: docs/rejected.md
from binascii import a2b_hex

from sockdiag.kernel.inet_diag import TIMER_NAMES
from sockdiag.kernel.tcp_states import BOUND_INACTIVE, HASHED_STATES, state_name
from sockdiag.model.address import Endpoint
from sockdiag.sources.proc.table import DIGITS, HEX, decimal, hexadecimal, pointer, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Check = tuple[str, str, Callable[[bytes], object]]

HEADING = "sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode"

# Names in the heading, one for each token of a row; each second name of _JOINED shares the token of the first.
_NAMED = (
    ("sl",),
    ("local_address",),
    ("rem_address", "remote_address"),
    ("st",),
    ("tx_queue",),
    ("tr",),
    ("retrnsmt",),
    ("uid",),
    ("timeout",),
    ("inode",),
)
_JOINED = (("tx_queue", "rx_queue"), ("tr", "tm->when"))

# Columns that every row has: the named ones, ref and pointer.
COMMON = 12
# Columns after them in rows of full TCP sockets; no heading names them.
TCP_TAIL = ("rto", "ato", "quick", "cwnd", "ssthresh")

# From here on a timer is one that fired late: kernels without jiffies_delta_to_clock_t() print the negative time that is
# left as an unsigned long divided by HZ / USER_HZ, at least 2**32 / 10. The longest keepalive has 2**31 / HZ seconds.
_PASSED = 0x19000000

COLON = 0x3A


class ProcLayout:
    """Where the columns are, by the heading.

    Attributes:
        order: index in a row of the named columns, ref, pointer and drops; None where they are the first, in order.
        drops: there is a drops column.
    """

    __slots__ = ("drops", "order")

    def __init__(self, order: list[int], drops: bool) -> None:
        self.drops = drops
        self.order = None if order == list(range(len(order))) else order

    @classmethod
    def of(cls, heading: bytes) -> ProcLayout | None:
        """Find the columns in a heading line; None where one that all kernels have is missing."""
        words = heading.decode("latin-1").lower().split()
        for first, second in _JOINED:
            if second not in words or words[words.index(second) - 1] != first:
                return None
            words.remove(second)
        order = []
        for spellings in _NAMED:
            index = next((i for i, word in enumerate(words) if word in spellings), None)
            if index is None:
                return None
            order.append(index)
        if "ref" in words and "pointer" in words:
            order += [words.index("ref"), words.index("pointer")]
        else:
            order += [order[-1] + 1, order[-1] + 2]
        drops = "drops" in words
        if drops:
            # Linux 2.6.24 to 2.6.26 name it in raw, but not the two columns before it.
            order.append(words.index("drops") if "pointer" in words else order[-1] + 1)
        return cls(order, drops)

    def arrange(self, tokens: list[bytes]) -> list[bytes]:
        """Put the columns of a row in their usual order; those that only the heading names go last."""
        order = self.order or []
        known = [tokens[index] for index in order if index < len(tokens)]
        if len(known) < len(order):
            return known
        last = max(order)
        others = [token for index, token in enumerate(tokens[:last]) if index not in order]
        return known + tokens[last + 1 :] + others


class Memo(dict[bytes, "Any"]):
    """Values of a column by their text: a table repeats most of them.

    Args:
        parse: makes the value; raises ValueError or IndexError where the text is wrong.
        expected: what the text should be.
    """

    __slots__ = ("expected", "parse")

    def __init__(self, parse: Callable[[bytes], Any], expected: str) -> None:
        super().__init__()
        self.parse = parse
        self.expected = expected

    def __missing__(self, token: bytes) -> Any:
        """Parse a text not seen before."""
        value = self[token] = self.parse(token)
        return value


class Cells:
    """Parsers of the columns, for one table.

    Args:
        ipv6: addresses have 32 digits.
        states: mask of the states that are wanted; ``state`` gives None for the others.
        byteorder: ``little`` or ``big``, of the system that wrote the table.
        user_hz: its ticks per second.
    """

    __slots__ = ("count", "decimal", "endpoint", "queues", "signed", "state", "ticks", "timer", "uid")

    def __init__(self, ipv6: bool, states: int, byteorder: str, user_hz: int) -> None:
        self.endpoint = _Endpoints(ipv6, byteorder == "little")
        self.state = _states(states)
        self.queues = Memo(_queues, "8 hexadecimal digits, ':' and 8 more")
        self.timer = _timers(user_hz)
        self.count = Memo(hexadecimal, HEX)
        self.decimal = Memo(decimal, DIGITS)
        self.signed = Memo(signed, DIGITS)
        # Kernels before 3.5 print a uid with %d.
        self.uid = Memo(lambda token: signed(token) & 0xFFFFFFFF, DIGITS)
        self.ticks = Memo(lambda token: -(-decimal(token) * 1000 // user_hz), DIGITS)

    def complain(self, tokens: list[bytes], line: bytes, tail: tuple[str, ...]) -> tuple[str, str, bytes]:
        """Return the error of a row, from the parsers that failed on it: column, expected and actual content."""
        columns: list[Check] = [
            ("sl", "a number and ':'", slot),
            *_checks(self.endpoint, "local_address", "rem_address"),
            *_checks(self.state, "st"),
            *_checks(self.queues, "tx_queue:rx_queue"),
            *_checks(self.timer, "tr:tm->when"),
            *_checks(self.count, "retrnsmt"),
            *_checks(self.uid, "uid"),
            *_checks(self.decimal, "timeout", "inode", "ref"),
            ("pointer", HEX, pointer),
        ]
        for name in tail:
            columns += _checks(self.signed if name == "ssthresh" else self.decimal, name)
        for index, (name, expected, parse) in enumerate(columns):
            if index >= len(tokens):
                return name, f"a row of {len(columns)} columns", line
            try:
                parse(tokens[index])
            except (ValueError, IndexError):
                return name, expected, tokens[index]
        return "row", "a known layout", line


def slot(token: bytes) -> None:
    """Check the column ``sl``, the number of the row or hash bucket."""
    if token[-1] != COLON or not token[:-1].isdigit():
        raise ValueError


def _checks(memo: Memo, *names: str) -> list[Check]:
    return [(name, memo.expected, memo.parse) for name in names]


class _Endpoints(Memo):
    # An address is printed as 32-bit words in host byte order, a port as the number that it is.
    __slots__ = ("_addresses", "_width")

    def __init__(self, ipv6: bool, little: bool) -> None:
        self._width = 32 if ipv6 else 8
        super().__init__(self.__missing__, f"{self._width} hexadecimal digits, ':' and 4 more")

        def address(digits: bytes) -> str:
            raw = a2b_hex(digits)
            if little:
                raw = b"".join([raw[i : i + 4][::-1] for i in range(0, len(raw), 4)])
            return inet_ntop(AF_INET6, raw) if ipv6 else inet_ntoa(raw)

        self._addresses = Memo(address, "")

    def __missing__(self, token: bytes) -> Endpoint:
        width = self._width
        if len(token) != width + 5 or token[width] != COLON:
            raise ValueError
        port = token[width + 1 :]
        if not port.isalnum():
            raise ValueError
        # The 1 makes "0x1f" wrong.
        end = self[token] = Endpoint._make((self._addresses[token[:width]], int(b"1" + port, 16) - 0x10000, None))
        return end


def _states(wanted: int) -> Memo:
    everything = wanted & HASHED_STATES == HASHED_STATES

    def state(token: bytes) -> str | None:
        number = hexadecimal(token)
        return state_name(number) if wanted >> number & 1 or (everything and number > BOUND_INACTIVE) else None

    return Memo(state, HEX)


def _queues(token: bytes) -> tuple[int, int]:
    if len(token) != 17 or token[8] != COLON:
        raise ValueError
    received = int.from_bytes(a2b_hex(token[9:]), "big")
    # Kernels without max_t() in tcp's rx_queue print -1 after a FIN was read.
    return int.from_bytes(a2b_hex(token[:8]), "big"), received if received < 0x80000000 else 0


def _timers(user_hz: int) -> Memo:
    def timer(token: bytes) -> tuple[int, str, int] | None:
        number, when = hexadecimal(token[:2]), hexadecimal(token[3:])
        if token[2] != COLON or len(token) < 11:
            raise ValueError
        if not number:
            return None
        name = TIMER_NAMES[number] if number < len(TIMER_NAMES) else f"unknown({number})"
        return number, name, 0 if when >= _PASSED else -(-when * 1000 // user_hz)

    return Memo(timer, "2 hexadecimal digits, ':' and 8 or more")
