"""The kernel's event counters of one moment, by their exact MIB names, and the changes between two moments.

A table of counters is a dict from name to number; the scope, width and source of a counter are declared once for each
MIB in :data:`MIBS` and looked up when needed.
"""

from __future__ import annotations

from sockdiag.model.record import COUNTER, GAUGE, HOST, ID, LABEL, NETNS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sockdiag.errors import ParseError

# Rows of which there is one per CPU.
CPU = "cpu"

U32 = 1 << 32
U64 = 1 << 64


class Mib(Record):
    """What the counters of one prefix have in common."""

    prefix: str = field("What stands before the dot of their names.", kind=LABEL)
    source: str = field("File that they are read from.", kind=LABEL)
    scope: str = field("Whose they are: netns or host.", kind=LABEL)
    wraps_at: int = field("They go from this number less one to 0.", kind=ID)
    rows: str = field("What their rows are, if there is one counter per row: cpu or device.", default="", kind=LABEL)


_SNMP = "/proc/net/snmp"
_SNMP6 = "/proc/net/snmp6"
_NETSTAT = "/proc/net/netstat"

# The members of all MIBs are unsigned long, those of the IP MIBs u64 (include/net/snmp.h), of a device u64
# (struct rtnl_link_stats64): all 64 bits wide on a 64-bit kernel. A 32-bit kernel wraps the unsigned longs at 2**32,
# which no file shows; delta() then finds that the counter went backwards, and reports that. struct softnet_data and
# struct ip_conntrack_stat hold unsigned int on every kernel, printed %08x.
MIBS: Mapping[str, Mib] = {
    mib.prefix: mib
    for mib in (
        *(Mib(p, _SNMP, NETNS, U64) for p in ("Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite")),
        *(Mib(p, _NETSTAT, NETNS, U64) for p in ("TcpExt", "IpExt", "MPTcpExt")),
        *(Mib(p, _SNMP6, NETNS, U64) for p in ("Ip6", "Icmp6", "Udp6", "UdpLite6")),
        Mib("Sctp", "/proc/net/sctp/snmp", NETNS, U64),
        Mib("Xfrm", "/proc/net/xfrm_stat", NETNS, U64),
        Mib("Tls", "/proc/net/tls_stat", NETNS, U64),
        Mib("dev", "/proc/net/dev", NETNS, U64, "device"),
        Mib("softnet_stat", "/proc/net/softnet_stat", HOST, U32, CPU),
        Mib("nf_conntrack", "/proc/net/stat/nf_conntrack", NETNS, U32, CPU),
        Mib("nft", "netlink:NFT_MSG_GETRULE", NETNS, U64),
        # struct gnet_stats_basic and gnet_stats_queue hold __u32.
        *(Mib(p, "rtnetlink:RTM_GETQDISC", NETNS, U32, "device") for p in ("qdisc", "qdisc_ingress")),
    )
}
# MIBs newer than this table stand in files that are per namespace.
_UNDECLARED = Mib("", "", NETNS, U64)

# Settings and levels that stand among the counters.
GAUGES = frozenset(
    {
        "Ip.Forwarding",
        "Ip.DefaultTTL",
        "Tcp.RtoAlgorithm",
        "Tcp.RtoMin",
        "Tcp.RtoMax",
        "Tcp.MaxConn",
        "Tcp.CurrEstab",
        "MPTcpExt.MPCurrEstab",
        "Sctp.CurrEstab",
        "Tls.CurrTxSw",
        "Tls.CurrRxSw",
        "Tls.CurrTxDevice",
        "Tls.CurrRxDevice",
    }
)


class Counter(Record):
    """One counter with all that is known of it."""

    name: str = field("Exact MIB name, such as TcpExt.ListenDrops.", kind=LABEL)
    value: int = field("Its value.", kind=COUNTER)
    kind: str = field("counter (only ever grows) or gauge.", kind=LABEL)
    scope: str = field("Whose number it is: netns or host.", kind=LABEL)
    wraps_at: int = field("A counter goes from this number less one to 0.", kind=ID)
    source: str = field("File that it was read from.", kind=LABEL)


class Delta(Record):
    """What changed in one counter between two moments."""

    name: str = field("Exact MIB name.", kind=LABEL)
    value: int | None = field("Events in between; of a gauge the difference.", default=None)
    reason: str = field("Why value is unknown.", default="", kind=LABEL)


class Counters:
    """Counters of one namespace or host at one moment; a counter that the kernel does not have is not in it.

    Args:
        values: value by exact name.
        errors: what could not be understood, bounded.
        netns: inode of the network namespace that they belong to, where known.
        boot_id: the boot that they belong to, where known.
    """

    __slots__ = ("_moved", "boot_id", "errors", "netns", "values")

    def __init__(
        self,
        values: Mapping[str, int],
        errors: tuple[ParseError, ...] = (),
        netns: int | None = None,
        boot_id: str | None = None,
    ) -> None:
        self.values = values
        self.errors = errors
        self.netns = netns
        self.boot_id = boot_id
        self._moved: tuple[Counters, dict[str, int | None]] | None = None

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Counters({len(self.values)} values)"

    def get(self, name: str) -> int | None:
        """Return a value, or None where this kernel has no such counter."""
        return self.values.get(name)

    def counter(self, name: str) -> Counter:
        """Return a counter with all that is known of it.

        Raises:
            KeyError: this kernel has no such counter.
        """
        mib = mib_of(name)
        kind = GAUGE if name in GAUGES else COUNTER
        return Counter(name, self.values[name], kind, mib.scope, mib.wraps_at, mib.source)

    def joined(self, *others: Counters) -> Counters:
        """Return these and others of the same moment and place as one."""
        values = dict(self.values)
        errors = self.errors
        for other in others:
            values.update(other.values)
            errors += other.errors
        return Counters(values, errors, self.netns, self.boot_id)

    def at(self, netns: int | None, boot_id: str | None) -> Counters:
        """Return the same values, known to belong to a namespace and a boot."""
        return Counters(self.values, self.errors, netns, boot_id)

    def since(self, before: Counters) -> Iterator[Delta]:
        """Yield the change of each counter that is there now, in order."""
        refusal = _places_differ(before, self)
        for name in self.values:
            if name not in before.values:
                # IcmpMsg lists only types that were seen, and devices come: the earlier value is unknown.
                yield Delta(name, None, "not there before")
            elif refusal and (refusal != _OTHER_NAMESPACE or mib_of(name).scope == NETNS):
                yield Delta(name, None, refusal)
            else:
                yield delta(before.counter(name), self.counter(name))

    def moved(self, before: Counters) -> Mapping[str, int | None]:
        """Return the change of each counter that is there now, None where it is unknown: the values of :meth:`since`."""
        # Rules, losses and the path ask for the same two samples, and most counters stand still.
        if self._moved is not None and self._moved[0] is before:
            return self._moved[1]
        then = before.values.get
        if _places_differ(before, self):
            changes = {change.name: change.value for change in self.since(before)}
        else:
            changes = {
                name: 0 if value == then(name) else self._change(before, name) for name, value in self.values.items()
            }
        # It would keep the sample before it, which would keep the one before that: a server all since it began.
        before._moved = None
        self._moved = before, changes
        return changes

    def _change(self, before: Counters, name: str) -> int | None:
        return delta(before.counter(name), self.counter(name)).value if name in before.values else None


_OTHER_NAMESPACE = "of another network namespace"


def _places_differ(before: Counters, after: Counters) -> str:
    if None not in (before.boot_id, after.boot_id) and before.boot_id != after.boot_id:
        return "the host was booted in between"
    if None not in (before.netns, after.netns) and before.netns != after.netns:
        return _OTHER_NAMESPACE
    return ""


def mib_of(name: str) -> Mib:
    """Return the declaration of a counter's MIB."""
    return MIBS.get(name.partition(".")[0], _UNDECLARED)


def of_all_cpus(name: str) -> str:
    """Return the name for the sum of a counter's rows if each CPU has one: ``softnet_stat.*.dropped``."""
    prefix, _, rest = name.partition(".")
    return f"{prefix}.*.{rest.rpartition('.')[2]}" if mib_of(name).rows == CPU else name


def delta(before: Counter, after: Counter) -> Delta:
    """Return the change between two values of one counter.

    A counter that went backwards has wrapped, or was set to zero (a new namespace or device under the old name, a
    driver reloaded). Half of the range separates the two: a 32-bit counter of packets needs more than eight minutes for half
    of its range at 4 million packets/s. (Two samples so far apart that it wrapped more than once show too little; no file
    reveals that.) A 64-bit counter does not wrap in practice.

    Returns:
        The difference, or None and the reason: of different scopes, or set to zero in between.
    """
    if before.name != after.name:
        return Delta(after.name, None, f"not the same counter as {before.name}")
    if before.scope != after.scope:
        return Delta(after.name, None, f"of different scopes: {before.scope} before, {after.scope} after")
    change = after.value - before.value
    if change >= 0 or after.kind == GAUGE:
        return Delta(after.name, change)
    if after.wraps_at == U32 and change + U32 < U32 // 2:
        return Delta(after.name, change + U32)
    return Delta(after.name, None, "set to zero in between")


def counters_of(prefix: str, rows: Iterable[Record]) -> Counters:
    """Name the counters of a table's rows PREFIX.ROW.COLUMN; a row's first field is its name, an unknown one is left out.

    Source: the record's own declaration marks the fields that are counters.
    """
    values: dict[str, int] = {}
    for row in rows:
        fields = zip(type(row).FIELDS, row._values(), strict=True)
        _label, label = next(fields)
        if isinstance(label, bytes):
            label = label.decode("utf-8", "surrogateescape")
        for one, value in fields:
            if one.kind == COUNTER and value is not None:
                values[f"{prefix}.{label}.{one.name}"] = value
    return Counters(values)
