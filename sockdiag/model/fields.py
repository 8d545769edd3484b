"""The catalogue of fields: each field of a record, and of the records in it, under its dotted name.

Tables, CSV, filters, ``sockdiag fields`` and the schema iterate it. A record class is imported when a name leads into
it, so that resolving ``recv_q`` costs nothing of tcp_info.
"""

from __future__ import annotations

from _operator import itemgetter  # start-up: docs/rejected.md

from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.model.derived import Derived, getter
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.model.batch import Batch
    from sockdiag.model.record import Field, Record

# Short names of what is often asked for.
ALIASES = {
    "process": "processes.comm",
    "comm": "processes.comm",
    "pid": "processes.pid",
    "fd": "processes.fd",
    "container": "processes.container",
    "unit": "processes.unit",
    "drops": "skmem.drops",
    "rtt": "tcp_info.rtt_us",
    "src": "local",
    "dst": "peer",
    "sport": "local.port",
    "dport": "peer.port",
    "dev": "local.interface",
    "fwmark": "mark",
    "ino": "inode",
}

# A name may be given without the unit it ends in.
_SUFFIXES = ("_us", "_ms", "_bytes", "_pages", "_ratio", "_per_s", "_bytes_per_s")

# Tables whose sockets can have the thing at all, by the longest leading part of the name; all where none is listed.
_IP = frozenset(IP_TABLES)
_TABLES = {
    **{
        name: _IP | {netid for netid, family in OTHER_TABLES.items() if name in family.has}
        for name in ("local.port", "local.interface", "peer", "peer.port", "shutdown")
    },
    "peer.interface": _IP,
    "protocol": _IP | {"netlink", "packet"},
    "mark": _IP,
    "cgroup_id": _IP,
    "cgroup": _IP,
    "timer": frozenset(("tcp", "mptcp", "sctp", "dccp")),
    "tcp_info": frozenset(("tcp",)),
    "inet": _IP,
    "mptcp_info": frozenset(("mptcp",)),
    "sctp_info": frozenset(("sctp",)),
    # Fields that only the sockets of one family have are named after its table.
    **{netid: frozenset((netid,)) for netid in OTHER_TABLES},
}

# Parts of a socket's record, with the tables whose sockets have them. What only /proc shows is missing elsewhere.
SOCKET_PARTS = {
    name: _TABLES.get(name, frozenset())
    for name in ("tcp_info", "inet", "mptcp_info", "sctp_info", "unix", "netlink", "packet", "xdp", "proc")
}

# Fields that TIME_WAIT and SYN_RECV sockets lack, because the kernel keeps only a stub of them.
_FULL_SOCKETS_ONLY = frozenset(
    ("skmem", "tcp_info", "inet", "cgroup_id", "cgroup", "shutdown", "uid", "user", "fill", "processes")
)
_STUB_STATES = ("TIME_WAIT", "SYN_RECV", "NEW_SYN_RECV")

# Fields that a process may lack.
_NONE_IN_ELEMENT = ("processes.container", "processes.unit")

# Here None from netlink means that no device is bound; in an SCTP address it does not.
_DEVICES = ("local.interface", "peer.interface")


class FieldEntry:
    """One field in the catalogue.

    Attributes:
        name: dotted name.
        field: its declaration.
        annotation: its type, as declared: ``int | None``. For a field below a tuple, the type in each element.
        get: its value in a record; None where it is unknown. Below a tuple, a tuple of the elements' values.
        many: it lies below a tuple of records (``processes.pid``).
        needs: the costly parts to request for it (``sockdiag.model.query``).
        tables: tables whose sockets can have it; None is all.
        elements_absent: None in an element means that there is none, not that it is unknown.
    """

    __slots__ = (
        "_absent",
        "_steps",
        "annotation",
        "elements_absent",
        "field",
        "get",
        "many",
        "name",
        "needs",
        "tables",
    )

    def __init__(
        self,
        name: str,
        field: Field,
        annotation: str,
        get: Callable[[Any], Any],
        *,
        many: bool = False,
        needs: frozenset[str] = frozenset(),
        steps: tuple[Callable[[Any], Any], ...] = (),
        absent: bool = False,
    ) -> None:
        self.name = name
        self.field = field
        self.annotation = annotation
        self.get = get
        self.many = many
        self.needs = needs
        self._steps = steps
        self.elements_absent = name in _NONE_IN_ELEMENT
        parts = name.split(".")
        leads = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        self.tables: frozenset[str] | None = next((_TABLES[lead] for lead in leads if lead in _TABLES), None)
        self._absent = absent or field.optional or name in _DEVICES

    def __repr__(self) -> str:
        return f"FieldEntry({self.name})"

    def is_absent(self, netid: str, state: str | None, source: str) -> bool:
        """Return whether None means that such a socket lacks the field, rather than that it is unknown.

        Args:
            netid: table of the socket.
            state: its state.
            source: where it was read.
        """
        if self.tables is not None and netid not in self.tables:
            return True
        top = self.name.partition(".")[0]
        if state in _STUB_STATES and top in _FULL_SOCKETS_ONLY:
            return True
        if state == "LISTEN" and top == "tcp_info":
            # The kernel fills in few members of it.
            return True
        if self.name == "local.address":
            # Only IP sockets always have one.
            return netid not in IP_TABLES
        if top == "peer" and netid in ("unix", "netlink"):
            # The file in /proc has no state and no other end of a netlink socket.
            return state in ("LISTEN", "CLOSE")
        return top == "timer" or (self._absent and source == "netlink")

    def values(self, batch: Batch) -> Sequence[Any]:
        """Return its value in each row of a batch, from the columns where the batch has them."""
        if batch.columns is not None and (self._steps or "." not in self.name):
            cut = batch.member(self.name)
            if cut is not None:
                return cut
            parts = self.name.split(".")
            for n in range(len(parts), 0, -1):
                lead = ".".join(parts[:n])
                if lead in batch.columns or batch.constants.get(lead) is not None:
                    return _descend(batch.values(lead), self._steps[n:])
            if self.name not in _DERIVED and record_class(self.field) is None:
                return [None] * batch.size
        return [self.get(socket) for socket in batch.sockets()]


def _descend(values: Sequence[Any], steps: Sequence[Callable[[Any], Any]]) -> Sequence[Any]:
    for step in steps:
        values = list(map(step, values))
    return values


def record_class(field: Field) -> Any:
    """Return the record class of a nested field, None of a plain one."""
    of = field.of
    if isinstance(of, str):
        module, _, name = of.partition(":")
        of = field.of = getattr(__import__(module, fromlist=(name,)), name)
    return of


def entries(record: Any, parent: FieldEntry | None = None) -> Iterator[FieldEntry]:
    """Yield an entry for each field of a record class, each followed by those of the records in it."""
    for index, field in enumerate(record.FIELDS):
        entry = _entry(record, index, field, parent)
        yield entry
        inner = record_class(field)
        if inner is not None:
            yield from entries(inner, entry)


def resolve_in(record: Any, name: str) -> FieldEntry | None:
    """Find a field by its dotted name, in which a unit suffix may be left out; None if there is none."""
    entry = None
    for part in name.split("."):
        if record is None:
            return None
        index = _position(record, part)
        if index is None:
            return None
        field = record.FIELDS[index]
        entry = _entry(record, index, field, entry)
        record = record_class(field)
    return entry


def _position(record: Any, name: str) -> int | None:
    # A heading comes before a name that only lacks its unit: IN heads in_bytes_per_s, and in_bytes is another column.
    index: dict[str, int] = record._INDEX
    if name in index:
        return index[name]
    for i, field in enumerate(record.FIELDS):
        if field.header.lower().replace("-", "_") == name:
            return i
    for suffix in _SUFFIXES:
        if name + suffix in index:
            return index[name + suffix]
    return next((i for i, field in enumerate(record.FIELDS) if name in field.also), None)


def _entry(record: Any, index: int, field: Field, parent: FieldEntry | None) -> FieldEntry:
    annotation = next(
        (c.__annotations__[field.name] for c in record.__mro__ if field.name in getattr(c, "__annotations__", ())), ""
    )
    own = frozenset((field.needs,)) if field.needs else frozenset()
    if parent is None:
        get = itemgetter(index)
        return FieldEntry(field.name, field, annotation, get, needs=own, steps=(get,))
    many = parent.many or parent.annotation.startswith("tuple[")
    step = _members(index) if many else _member(index)
    return FieldEntry(
        f"{parent.name}.{field.name}",
        field,
        annotation,
        _after(parent.get, step),
        many=many,
        needs=parent.needs | own,
        steps=(*parent._steps, step),
        absent=parent._absent,
    )


def _after(get: Callable[[Any], Any], step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda row: step(get(row))


def _member(index: int) -> Callable[[Any], Any]:
    return lambda value: None if value is None else value[index]


def _members(index: int) -> Callable[[Any], Any]:
    return lambda value: None if value is None else tuple([None if v is None else v[index] for v in value])


_all: list[FieldEntry] = []


def catalogue() -> list[FieldEntry]:
    """Return an entry for every field of a socket, derived ones last."""
    if not _all:
        _all.extend(entries(Socket))
        _all.extend(_derived(field) for field in Derived.FIELDS)
    return _all


def _derived(field: Field, user_name: Callable[[int], str] = str) -> FieldEntry:
    needs = frozenset((field.needs,)) if field.needs else frozenset()
    get = getter(field.name, user_name)
    return FieldEntry(field.name, field, Derived.__annotations__[field.name], get, needs=needs)


_DERIVED = frozenset([field.name for field in Derived.FIELDS])


def resolve(name: str, user_name: Callable[[int], str] = str) -> FieldEntry | None:
    """Find a field of a socket by its dotted name, by an alias, or by its name without the unit; None if there is none.

    Args:
        name: as the user wrote it.
        user_name: names users, who are numbers without it.
    """
    name = name.removeprefix("socket.")
    name = ALIASES.get(name, name)
    for field in Derived.FIELDS:
        if field.name == name:
            return _derived(field, user_name)
    return resolve_in(Socket, name)


def find(record: type[Record], name: str, user_name: Callable[[int], str] = str) -> FieldEntry:
    """Find a field of a record class by its name, an alias, or its heading in any case.

    Args:
        record: the class.
        name: as the user wrote it.
        user_name: names users, who are numbers without it.

    Raises:
        UsageError: there is none.
    """
    wanted = name.lower().replace("-", "_")
    of_socket = record is Socket
    entry = resolve(wanted, user_name) if of_socket else resolve_in(record, wanted) or _of_subject(record, wanted)
    if entry is not None:
        return entry
    from sockdiag.errors import UsageError, unknown

    near = suggest(wanted) if of_socket else None
    if near:
        raise UsageError(f"there is no column '{name}'; did you mean '{near}'?")
    names = [one.name for one in (catalogue() if of_socket else entries(record))]
    see = "'sockdiag fields' lists them" if of_socket else "the manual page lists them" if len(names) > _MANY else ""
    raise UsageError(unknown("column", name, names, see))


# Names up to which an error lists them all.
_MANY = 20


def _of_subject(record: Any, name: str) -> FieldEntry | None:
    # What a row says of its socket has the name that it has in a list of sockets: local is socket.local.
    for part in ("socket", "subject"):
        if part in record._INDEX:
            return resolve_in(record, f"{part}.{name}") or resolve_in(record, f"{part}.{ALIASES.get(name, name)}")
    return None


def suggest(name: str) -> str | None:
    """Return the name that was probably meant by one that does not exist, None if there is none."""
    from sockdiag.errors import nearest

    names = {entry.name: entry.name for entry in catalogue()}
    for entry in catalogue():
        leaf = entry.name.rpartition(".")[2]
        for suffix in _SUFFIXES:
            names.setdefault(entry.name.removesuffix(suffix), entry.name)
            names.setdefault(leaf.removesuffix(suffix), entry.name)
        names.setdefault(leaf, entry.name)
    names.update(zip(ALIASES, ALIASES, strict=True))
    lower = name.lower().replace("-", "_")
    if lower in names:
        return names[lower]
    # A field of the socket itself is meant more often than one that is deep in it.
    found = nearest(lower, [n for n, whole in names.items() if n == whole and "." not in n])
    if found is None:
        # A word in common counts for more than letters in common: snd_cwnd for cwnd.
        parent, _, leaf = lower.rpartition(".")
        for known, entry_name in names.items():
            above, _, below = known.rpartition(".")
            if leaf in below.split("_") and parent in ("", above):
                return entry_name
        found = nearest(lower, names)
    return names[found] if found else None
