"""The keys that sockets are grouped by, each declared once, and the groups that rows belong to."""

from __future__ import annotations

from sockdiag.errors import UsageError, unknown
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeAlias, TypeVar

    from sockdiag.model.batch import Batch
    from sockdiag.model.cgroup import Cgroup
    from sockdiag.model.socket import Owner

    # The labels of a group, one per key, and its process with the key "process".
    GroupId: TypeAlias = "tuple[tuple[str | None, ...], int | None]"

    G = TypeVar("G", bound="Grouped")

# Labels for sockets that no process can own (TIME_WAIT, SYN_RECV, orphans), and for those whose owner is not visible.
NO_FILE = "(no process)"
NOT_VISIBLE = "(not visible)"

LEGEND = {
    NO_FILE: "connections that no process holds: closed, not yet accepted, or in TIME_WAIT or SYN_RECV",
    NOT_VISIBLE: "sockets of the kernel, and of processes that could not be seen",
}


class Naming:
    """Where the labels of groups come from, apart from the sockets.

    Args:
        user: name of a uid.
        holder: process that holds an inode; None if none is visible.
        service: the same, but the service that got the socket from systemd rather than systemd.
        cgroup_path: path of a cgroup id.
        cgroup: unit and container that a cgroup path stands for.
        host: name of the host; None if it is not known.
    """

    __slots__ = ("_named", "cgroup", "cgroup_path", "holder", "host", "service", "user")

    def __init__(
        self,
        user: Callable[[int], str] = str,
        holder: Callable[[int], Owner | None] | None = None,
        service: Callable[[int], Owner | None] | None = None,
        cgroup_path: Callable[[int], str | None] | None = None,
        cgroup: Callable[[str], Cgroup] | None = None,
        host: str | None = None,
    ) -> None:
        self.host = host
        self.user = user
        self.holder = holder or _nobody
        self.service = service or self.holder
        self.cgroup_path = cgroup_path or _no_path
        self.cgroup = cgroup
        self._named: dict[int, Owner] = {}

    def named(self, owners: tuple[Owner, ...] | None) -> Owner | None:
        """Return the process that a text names for a socket, as one object for all sockets of it; the lowest pid of several."""
        if not owners:
            return None
        first = min(owners, key=lambda owner: owner.pid)
        return self._named.setdefault(first.pid, first)

    def of_cgroup(self, cgroup_id: int | None) -> Cgroup | None:
        """Return the unit and the container of a cgroup id; None if its path is not known."""
        path = None if cgroup_id is None else self.cgroup_path(cgroup_id)
        return None if path is None or self.cgroup is None else self.cgroup(path)


def _nobody(_inode: int) -> None:
    return None


def _no_path(_cgroup_id: int) -> None:
    return None


class GroupKey:
    """A key that sockets can be grouped by.

    Attributes:
        name: its name on the command line and in JSON.
        help: what it stands for.
        fields: dotted names of the fields that it is made of, in records and in columns alike.
        label: makes the text of a group of the values of these fields; None if there is none.
        owner: which process of a socket the label is made of: "holder" or "service" of :class:`Naming`, or "" for none. The
            label is then made of the process, 0 for a socket without a file, or None if no process is visible; the values
            of the other fields follow.
    """

    __slots__ = ("fields", "help", "label", "name", "owner")

    def __init__(
        self,
        name: str,
        help: str,
        fields: tuple[str, ...],
        label: Callable[..., str | None],
        owner: str = "",
    ) -> None:
        self.name = name
        self.help = help
        self.fields = fields
        self.label = label
        self.owner = owner

    def values(self, batch: Batch, names: Naming) -> Sequence[Any]:
        """Return what the label of each row is made of: the value of one field, or a tuple."""
        columns = [batch.values(name) for name in self.fields]
        if self.owner:
            holder = getattr(names, self.owner)
            inodes = batch.values("inode")
            holders = [holder(inode) if inode else 0 for inode in inodes]
            if batch.columns is None and None in inodes:
                # Text without inodes names the owners itself: by process, as one object for all sockets of one.
                rows = zip(inodes, batch.values("processes"), holders, strict=True)
                holders = [found if inode is not None else names.named(owners) for inode, owners, found in rows]
            columns.insert(0, holders)
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    @property
    def parts(self) -> int:
        """Number of values that a label is made of."""
        return len(self.fields) + bool(self.owner)


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _plain(_names: Naming, value: Any) -> str | None:
    return None if value is None else str(value)


def _host(names: Naming, _netid: str) -> str | None:
    return names.host


def _user(names: Naming, uid: int | None) -> str | None:
    return None if uid is None else names.user(uid)


def _unowned(owner: Owner | int | None) -> str | None:
    return NO_FILE if owner == 0 else NOT_VISIBLE


def _comm(_names: Naming, owner: Any) -> str | None:
    return _text(owner.comm) if owner else _unowned(owner)


def _unit(names: Naming, owner: Any, cgroup_id: int | None) -> str | None:
    if owner:
        return owner.unit  # type: ignore[no-any-return]
    found = names.of_cgroup(cgroup_id)
    return (found and found.unit) or _unowned(owner)


def _container(names: Naming, owner: Any, cgroup_id: int | None) -> str | None:
    if owner:
        return owner.container  # type: ignore[no-any-return]
    found = names.of_cgroup(cgroup_id)
    return (found and found.container) or _unowned(owner)


def _cgroup(names: Naming, cgroup_id: int | None) -> str | None:
    return None if cgroup_id is None else names.cgroup_path(cgroup_id)


# What the kernel shows for the remote end of a socket that is not connected.
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def _peer(_names: Naming, address: str | bytes | None) -> str | None:
    return None if address in _ANY else _text(address)


def _remote(_names: Naming, address: str | bytes | None, port: int | None) -> str | None:
    if address is None or address in _ANY:
        return None
    if port is None or isinstance(address, bytes):
        return _text(address)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


KEYS = {
    key.name: key
    for key in (
        GroupKey("process", "The process that holds the socket; the lowest PID if several do.", (), _comm, "holder"),
        GroupKey("command", "The name of that process: all processes of one name together.", (), _comm, "holder"),
        GroupKey("user", "The user that created the socket.", ("uid",), _user),
        GroupKey(
            "unit",
            "The systemd unit of the process that holds the socket; without a visible process, that of the socket's cgroup.",
            ("cgroup_id",),
            _unit,
            "service",
        ),
        GroupKey("container", "The container, found in the same way.", ("cgroup_id",), _container, "service"),
        GroupKey("cgroup", "The cgroup that an IP socket was created in.", ("cgroup_id",), _cgroup),
        GroupKey("port", "The local port.", ("local.port",), _plain),
        GroupKey("peer", "The remote address.", ("peer.address",), _peer),
        GroupKey("remote", "The remote address and port.", ("peer.address", "peer.port"), _remote),
        GroupKey("state", "The state.", ("state",), _plain),
        GroupKey("netid", "The table: tcp, udp, unix and so on.", ("netid",), _plain),
        GroupKey("host", "The host, of several captures.", ("netid",), _host),
        GroupKey("netns", "The network namespace; namespace is the same.", ("netns",), _plain),
    )
}
# Other names of keys.
SYNONYMS = {"namespace": "netns"}


def find_keys(text: str) -> tuple[str, ...]:
    """Return the names of the keys in a list such as ``process,remote``.

    Raises:
        UsageError: a key does not exist, or there is none.
    """
    found: dict[str, None] = {}
    for word in text.split(","):
        name = word.strip().lower()
        name = SYNONYMS.get(name, name)
        if name not in KEYS:
            raise UsageError(unknown("group key", word.strip(), KEYS))
        found[name] = None
    return tuple(found)


# What a group has only if a process is one of its keys.
BY_PROCESS = "process"


class Grouped(Record):
    """What identifies a group of sockets; the base of the records of groups."""

    key: str | None = field(
        "Key of the group; null if it is unknown or the sockets have none. Several keys are joined by blanks.",
        kind=LABEL,
    )
    pid: int | None = field("Process, with --by process.", kind=ID, needs=BY_PROCESS)
    keys: dict[str, str | None] = field("The value of each key of --by.", kind=LABEL)


class Grouping:
    """The keys that sockets are grouped by.

    Args:
        by: names of the keys.
        names: where labels come from.
    """

    def __init__(self, by: Sequence[str], names: Naming) -> None:
        self.by = tuple(by)
        self.keys = tuple(KEYS[name] for name in self.by)
        self.names = names
        self._known: dict[Any, GroupId] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that all labels are made of; with :attr:`owned`, the owner of the socket besides."""
        return tuple(name for key in self.keys for name in key.fields)

    @property
    def owned(self) -> bool:
        """Whether a key needs the process that holds the socket."""
        return any(key.owner for key in self.keys)

    def raw(self, batch: Batch) -> Sequence[Any]:
        """Return what the group of each row is made of: equal values are in one group."""
        columns = [key.values(batch, self.names) for key in self.keys]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def identity(self, raw: Any) -> GroupId:
        """Return the group that belongs to a value of :meth:`raw`."""
        found = self._known.get(raw)
        if found is None:
            found = self._known[raw] = self._identity(raw)
        return found

    def identity_of_fields(self, values: Sequence[Any]) -> GroupId:
        """Return the group that belongs to the values of :attr:`fields`; not for keys that need the owner."""
        labels, place = [], 0
        for key in self.keys:
            labels.append(key.label(self.names, *values[place : place + len(key.fields)]))
            place += len(key.fields)
        return tuple(labels), None

    def rows(self, batch: Batch) -> Sequence[GroupId]:
        """Return the group of each row."""
        raw = self.raw(batch)
        known = {value: self.identity(value) for value in set(raw)}
        return list(map(known.__getitem__, raw))

    def _identity(self, raw: Any) -> GroupId:
        values = raw if len(self.keys) > 1 else (raw,)
        labels, pid = [], None
        for key, value in zip(self.keys, values, strict=True):
            parts = value if key.parts > 1 else (value,)
            labels.append(key.label(self.names, *parts))
            if key.name == "process" and value:
                pid = value.pid
        return tuple(labels), pid

    def shown(self, group: GroupId) -> tuple[str | None, int | None, dict[str, str | None]]:
        """Return the fields of :class:`Grouped`."""
        labels, pid = group
        key = labels[0] if len(labels) == 1 else " ".join(["-" if label is None else label for label in labels])
        return key, pid, dict(zip(self.by, labels, strict=True))


def same_group(group: Grouped) -> tuple[Any, ...]:
    """Return what groups of several namespaces have in common if they are one."""
    return (*group.keys.values(), group.pid)


def merged(parts: Iterable[Iterable[G]], added: Callable[[G, G], G]) -> list[G]:
    """Merge the groups of several namespaces that are one, in the order in which they come.

    Args:
        parts: the groups of each namespace.
        added: adds up two groups.
    """
    found: dict[tuple[Any, ...], G] = {}
    for part in parts:
        for group in part:
            key = same_group(group)
            mine = found.get(key)
            found[key] = group if mine is None else added(mine, group)
    return list(found.values())


def legend(groups: Iterable[Grouped]) -> list[str]:
    """Return a line for each label among some groups that is not a name."""
    labels = {label for group in groups for label in group.keys.values()}
    return [f"{label}: {text}" for label, text in LEGEND.items() if label in labels]
