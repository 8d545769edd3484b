"""The entries that a run keeps for the next one, and their form in a state file.

A state file has one entry per question and place, so hosts, namespaces and services that share a file do not disturb each
other. An entry has a length and a checksum, so a truncated one is recognised.
"""

from __future__ import annotations

from sockdiag.model.drop_rule import DropRule
from sockdiag.model.qdisc import Qdisc
from sockdiag.model.record import Record, field
from sockdiag.model.route import Neighbour, NeighbourTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

MAGIC = b"sockdiag check state "
VERSION = b"1"
_FIRST = MAGIC + VERSION + b"\n"

MOST_ENTRIES = 1024
# Size of the whole file; one entry of a busy host takes about 100 kB.
MOST_BYTES = 8 << 20


class NotOurs(ValueError):
    """The file was not written by this program."""


class BaselinePlace(Record):
    """The boot and namespace that a baseline is valid for: elsewhere the counters are different ones."""

    boot_id: str = field("Changes at every boot.")
    netns: str = field(
        "Inode of the network namespace and, if the kernel reports it, its cookie, which is never reused."
    )
    machine: str = field("Identity of the host across boots: its machine id, otherwise its name.")


class EarlierSocket(Record):
    """One socket of a baseline."""

    netid: str = field("Table.")
    cookie: int | None = field("Identity.", default=None)
    inode: int | None = field("Identity if there is no cookie.", default=None)
    ends: tuple[str, int, str, int] | None = field("Addresses and ports, if it has any.", default=None)
    state: str | None = field("State.", default=None)
    unit: str = field("Unit of the queues.", default="bytes")
    recv_q: int | None = field("Receive queue.", default=None)
    send_q: int | None = field("Send queue.", default=None)
    rmem_alloc: int | None = field("Receive buffer.", default=None)
    drops: int | None = field("Drops.", default=None)
    backlog: int | None = field("Backlog.", default=None)
    timer: str | None = field("Timer that was armed.", default=None)
    peer_inode: int | None = field("Peer of a unix socket.", default=None)
    interface: str | None = field("Interface that the local end is bound to.", default=None)
    further: tuple[int | str | None, ...] = field(
        "Further fields that rules compare, named by Earlier.columns.", default=()
    )


class Earlier(Record):
    """The parts of an earlier sample that rules and measures compare with."""

    counters: Mapping[str, int] = field("Event counters.")
    sockstat: Mapping[str, int] = field("Levels of /proc/net/sockstat by field name.", default={})
    conntrack: tuple[int | None, ...] | None = field(
        "Tracked connections, their limit, and losses (LOST_BY_CONNTRACK).", default=None
    )
    qdiscs: tuple[Qdisc, ...] | None = field("Queueing disciplines; None if they were not read.", default=None)
    tables: Mapping[str, str | None] = field("Where each table was read.", default={})
    absent: Mapping[str, str] = field("Parts of the sample that cannot be compared with, and why.", default={})
    cgroups: tuple[tuple[str, str, int, int, int | None], ...] | None = field(
        "Cgroups near the limit of their memory: path, file of the limit, limit, usage, how often throttled.",
        default=None,
    )
    sockets: tuple[EarlierSocket, ...] = field("The sockets that rules compare with.", default=())
    columns: tuple[str, ...] = field("Fields of sockets beyond those of EarlierSocket, by dotted name.", default=())
    unanswering: tuple[Neighbour, ...] | None = field("Neighbours that did not answer.", default=None)
    neighbour_tables: tuple[NeighbourTable, ...] | None = field("Tables of neighbours.", default=None)
    drop_rules: tuple[DropRule, ...] | None = field("Firewall rules that count and drop.", default=None)


class BaselineEntry(Record):
    """The entry of one run.

    Times are seconds of CLOCK_BOOTTIME, which steps of the clock do not change; *wall* shows which entries of other boots
    are out of date.
    """

    question: str = field("Digest of what the run checked.")
    place: BaselinePlace = field("Boot and namespace that it is valid for.")
    looked_at: float = field("When the sample was taken.")
    judged_at: float = field("When the alerts were raised: later, if a young sample was kept.")
    wall: float = field("Seconds since the epoch at that time.")
    earlier: Earlier = field("The sample.")
    alerts: Mapping[str, int] = field("Plugin status of each alert, by its name.", default={})


class Stored(Record):
    """An entry that is not decoded."""

    question: str = field("Digest of what the run checked.")
    place: BaselinePlace = field("Boot and namespace that it is valid for.")
    looked_at: float = field("When the sample was taken.")
    judged_at: float = field("When it was judged.")
    wall: float = field("The same since the epoch.")
    body: bytes = field("The rest.")

    def decode(self) -> BaselineEntry:
        """Decode the body.

        Raises:
            ValueError: it is not an entry of this version, in spite of its checksum.
        """
        try:
            return _decode(self)
        except (IndexError, TypeError, OverflowError) as error:
            raise ValueError(str(error)) from None


def stored(entry: BaselineEntry) -> Stored:
    """Encode an entry."""
    return Stored(entry.question, entry.place, entry.looked_at, entry.judged_at, entry.wall, _body(entry))


def write_entries(entries: Iterable[Stored]) -> bytes:
    """Build the content of a file from the newest entries, as many as fit."""
    from binascii import crc32

    pieces = [_FIRST]
    size = 0
    for entry in sorted(entries, key=lambda e: -e.wall)[:MOST_ENTRIES]:
        texts = (entry.question, entry.place.boot_id, entry.place.netns, entry.place.machine)
        words = [*map(_quoted, texts), repr(entry.looked_at), repr(entry.judged_at), repr(entry.wall)]
        head = "\t".join(words).encode("utf-8", "surrogateescape")
        whole = head + b"\n" + entry.body
        size += len(whole)
        if size > MOST_BYTES and len(pieces) > 1:
            break
        pieces += (b"entry\t%d\t%d\n" % (len(whole), crc32(whole)), whole, b"\n")
    return b"".join(pieces)


def read_entries(data: bytes) -> tuple[list[Stored], bool]:
    """Parse the content of a file.

    Returns:
        The intact entries, and whether anything was damaged.

    Raises:
        NotOurs: this program, or this version of it, did not write it.
    """
    from binascii import crc32

    if not data:
        return [], False
    if not data.startswith(_FIRST):
        if len(data) < len(_FIRST) and _FIRST.startswith(data):
            return [], True
        if data.startswith(MAGIC):
            raise NotOurs("another version of sockdiag wrote it")
        raise NotOurs("not a state file of sockdiag check")
    found: list[Stored] = []
    at = len(_FIRST)
    while at < len(data):
        end = data.find(b"\n", at, at + 64)
        words = data[at:end].split(b"\t") if end >= 0 else []
        if len(words) != 3 or words[0] != b"entry" or not (words[1].isdigit() and words[2].isdigit()):
            return found, True
        size = int(words[1])
        whole = data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
        entry = _head(whole) if len(whole) == size and crc32(whole) == int(words[2]) else None
        if entry is None:
            return found, True
        found.append(entry)
    return found, at != len(data)


def _head(whole: bytes) -> Stored | None:
    head, _newline, body = whole.partition(b"\n")
    words = head.decode("utf-8", "surrogateescape").split("\t")
    if len(words) != 7:
        return None
    try:
        looked_at, judged_at, wall = (_time(word) for word in words[4:])
    except ValueError:
        return None
    question, boot_id, netns, machine = map(_unquoted, words[:4])
    return Stored(question, BaselinePlace(boot_id, netns, machine), looked_at, judged_at, wall, body)


def _time(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e12:
        raise ValueError(text)
    return value


def _body(entry: BaselineEntry) -> bytes:
    earlier = entry.earlier
    lines = ["alert\t" + f"{status}\t{_quoted(name)}" for name, status in entry.alerts.items()]
    lines += [f"counter\t{value}\t{_quoted(name)}" for name, value in earlier.counters.items()]
    lines += [f"sockstat\t{value}\t{name}" for name, value in earlier.sockstat.items()]
    lines += [f"table\t{where or '-'}\t{table}" for table, where in earlier.tables.items()]
    lines += [f"absent\t{_quoted(what)}\t{_quoted(why)}" for what, why in earlier.absent.items()]
    if earlier.conntrack is not None:
        lines.append("conntrack\t" + "\t".join(map(_optional, earlier.conntrack)))
    if earlier.qdiscs is not None:
        lines.append("qdiscs")
        lines += ["qdisc\t" + "\t".join(_optional(value) for value in q._values()) for q in earlier.qdiscs]
    if earlier.cgroups is not None:
        lines.append("cgroups")
        lines += ["cgroup\t" + "\t".join(map(_optional, cells)) for cells in earlier.cgroups]
    for kind, part in _parts(earlier):
        if part is not None:
            lines.append(f"{kind}s")
            lines += [f"{kind}\t" + "\t".join(map(_optional, one._values())) for one in part]
    if earlier.columns:
        lines.append("columns\t" + "\t".join(earlier.columns))
    for one in earlier.sockets:
        *known, further = one._values()
        lines.append("\t".join(("socket", *map(_cell, known), *map(_further, further))))
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _decode(held: Stored) -> BaselineEntry:
    alerts: dict[str, int] = {}
    counters: dict[str, int] = {}
    sockstat: dict[str, int] = {}
    tables: dict[str, str | None] = {}
    absent: dict[str, str] = {}
    conntrack: Any = None
    qdiscs: list[Qdisc] | None = None
    cgroups: list[Any] | None = None
    parts: dict[str, list[Any]] = {}
    columns: tuple[str, ...] = ()
    sockets: list[EarlierSocket] = []
    for line in held.body.decode("utf-8", "surrogateescape").split("\n"):
        kind, *words = line.split("\t")
        if kind == "counter":
            counters[_unquoted(words[1])] = int(words[0])
        elif kind == "socket":
            known, further = words[: len(_SOCKET)], words[len(_SOCKET) :]
            sockets.append(EarlierSocket._make((*_values(_SOCKET, known), _values((_any,) * len(columns), further))))
        elif kind == "columns":
            columns = tuple(words)
        elif kind == "alert":
            alerts[_unquoted(words[1])] = int(words[0])
        elif kind == "sockstat":
            sockstat[words[1]] = int(words[0])
        elif kind == "table":
            tables[words[1]] = None if words[0] == "-" else words[0]
        elif kind == "absent":
            absent[_unquoted(words[0])] = _unquoted(words[1])
        elif kind == "conntrack":
            # The last column is newer than the others.
            conntrack = _values((_integer,) * max(5, min(6, len(words))), words)
        elif kind == "cgroups":
            cgroups = []
        elif kind == "cgroup" and cgroups is not None:
            cgroups.append(_values(_CGROUP, words))
        elif kind == "qdiscs":
            qdiscs = []
        elif kind == "qdisc" and qdiscs is not None:
            qdiscs.append(Qdisc(*_values(_QDISC, words)))
        elif line:
            _decode_part(kind, words, parts)
    earlier = Earlier(
        counters,
        sockstat,
        conntrack,
        None if qdiscs is None else tuple(qdiscs),
        tables,
        absent,
        None if cgroups is None else tuple(cgroups),
        tuple(sockets),
        columns,
        *(None if kind not in parts else tuple(parts[kind]) for kind in _PARTS),
    )
    return BaselineEntry(held.question, held.place, held.looked_at, held.judged_at, held.wall, earlier, alerts)


def _decode_part(kind: str, words: list[str], parts: dict[str, list[Any]]) -> None:
    if kind in parts:
        record, cells = _PARTS[kind]
        parts[kind].append(record(*_values(cells, words)))
    elif kind.removesuffix("s") in _PARTS and not words:
        parts[kind.removesuffix("s")] = []
    else:
        raise ValueError(f"not understood: {kind[:40]!r}")


def _quoted(text: Any) -> str:
    # Names are untrusted: a tab or newline in one must not be taken for ours.
    return str(text).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\t", "\t").replace("\\n", "\n").replace("\\-", "-") for part in parts)


def _optional(value: Any) -> str:
    return "-" if value is None else "\\-" if value == "-" else _quoted(value)


def _cell(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else _optional(value)


def _further(value: int | str | None) -> str:
    # The file of another release may have other columns, so each value carries its own type.
    return "-" if value is None else f"={_quoted(value)}" if isinstance(value, str) else str(int(value))


def _any(text: str) -> int | str:
    return _unquoted(text[1:]) if text.startswith("=") else int(text)


def _integer(text: str) -> int:
    return int(text)


def _ends(text: str) -> tuple[str, int, str, int]:
    local, port, peer, peer_port = text.split(" ")
    return local, int(port), peer, int(peer_port)


_SOCKET: tuple[Callable[[str], Any], ...] = (
    _unquoted,
    _integer,
    _integer,
    _ends,
    _unquoted,
    _unquoted,
    *(_integer,) * 5,
    _unquoted,
    _integer,
    _unquoted,
)
_CGROUP: tuple[Callable[[str], Any], ...] = (_unquoted, _unquoted, *(_integer,) * 3)
_QDISC: tuple[Callable[[str], Any], ...] = (_unquoted, _unquoted, *(_integer,) * 5)


# Parts that are lists of records, in the order of Earlier: by the kind of their lines.
_PARTS: dict[str, tuple[Callable[..., Any], tuple[Callable[[str], Any], ...]]] = {
    "neighbour": (Neighbour, (_unquoted, _integer, _unquoted, _integer, _unquoted, _integer)),
    "neighbour_table": (NeighbourTable, (_unquoted, *(_integer,) * 3)),
    "drop_rule": (DropRule, (*(_unquoted,) * 3, _integer, _unquoted, _integer)),
}


def _parts(earlier: Earlier) -> Iterable[tuple[str, tuple[Any, ...] | None]]:
    return zip(_PARTS, (earlier.unanswering, earlier.neighbour_tables, earlier.drop_rules), strict=True)


def _values(kinds: tuple[Callable[[str], Any], ...], words: list[str]) -> tuple[Any, ...]:
    return tuple(None if word == "-" else kind(word) for kind, word in zip(kinds, words, strict=True))
