"""Everything that rules judge, as it was at one moment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.model.batch import Batch
    from sockdiag.model.cgroup_memory import CgroupMemory
    from sockdiag.model.conntrack import Conntrack
    from sockdiag.model.counters import Counters
    from sockdiag.model.drop_rule import DropRule
    from sockdiag.model.fdinfo import Descriptors
    from sockdiag.model.protocols import Protocol
    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.route import Neighbour, NeighbourTable
    from sockdiag.model.sockstat import SockStat, SockStat6
    from sockdiag.model.softnet import SoftnetCpu
    from sockdiag.model.sysctl import Sysctls


class Sample:
    """One sample of a network namespace and its host.

    Args:
        at: seconds of a monotonic clock.
        batches: its sockets.
        tables: the source of each table: netlink, proc, or None where the kernel offers neither.
        counters: event counters.
        limits: sysctls.
        sockstat: levels of /proc/net/sockstat, None where it could not be read.
        sockstat6: the same of sockstat6.
        protocols: rows of /proc/net/protocols.
        softnet: what each CPU received.
        conntrack: state of connection tracking, None where it is not loaded.
        qdiscs: queueing disciplines, None where they were not read.
        unanswering: neighbours that are being resolved or did not answer, None where they were not read.
        neighbour_tables: how full the host's tables of neighbours are, None where they were not read.
        drop_rules: rules of nftables that count and drop, None where they were not or may not be read.
        descriptors: by pid of the processes that are near their limit of open files: open ones, limit, inodes of
            the sockets among them, name.
        cgroups: those that are near the limit of their sockets' memory.
        page_size: bytes of a page.
        netns: inode of the network namespace.
        turns: of a probe, how often processes had been given a CPU, by pid: those that hold queues which seem to stand.
        filtered: sockets are left out that a filter or the choice of tables excludes, so that counters count those of others too.
        absent: why something could not be read, by its source: a file, ``rtnetlink:RTM_GETQDISC``, a table, ``skmem:TABLE``
            for its buffer sizes, ``some TABLE`` where not all of it was read.
    """

    __slots__ = (
        "absent",
        "at",
        "batches",
        "cgroups",
        "conntrack",
        "counters",
        "descriptors",
        "drop_rules",
        "filtered",
        "limits",
        "neighbour_tables",
        "netns",
        "page_size",
        "protocols",
        "qdiscs",
        "sockstat",
        "sockstat6",
        "softnet",
        "tables",
        "turns",
        "unanswering",
    )

    def __init__(
        self,
        at: float,
        batches: Iterable[Batch],
        *,
        tables: Mapping[str, str | None],
        counters: Counters,
        limits: Sysctls,
        sockstat: SockStat | None = None,
        sockstat6: SockStat6 | None = None,
        protocols: Iterable[Protocol] | None = None,
        softnet: Iterable[SoftnetCpu] | None = None,
        conntrack: Conntrack | None = None,
        qdiscs: Iterable[Qdisc] | None = None,
        unanswering: Iterable[Neighbour] | None = None,
        neighbour_tables: Iterable[NeighbourTable] | None = None,
        drop_rules: Iterable[DropRule] | None = None,
        descriptors: Mapping[int, Descriptors] | None = None,
        cgroups: Iterable[CgroupMemory] | None = None,
        page_size: int | None = None,
        netns: int | None = None,
        turns: Mapping[int, int] | None = None,
        filtered: bool = False,
        absent: Mapping[str, str] | None = None,
    ) -> None:
        self.at = at
        self.batches = tuple(batches)
        self.tables = tables
        self.counters = counters
        self.limits = limits
        self.sockstat = sockstat
        self.sockstat6 = sockstat6
        self.protocols = None if protocols is None else tuple(protocols)
        self.softnet = None if softnet is None else tuple(softnet)
        self.conntrack = conntrack
        self.qdiscs = None if qdiscs is None else tuple(qdiscs)
        self.unanswering = None if unanswering is None else tuple(unanswering)
        self.neighbour_tables = None if neighbour_tables is None else tuple(neighbour_tables)
        self.drop_rules = None if drop_rules is None else tuple(drop_rules)
        self.descriptors = descriptors
        self.cgroups = None if cgroups is None else tuple(cgroups)
        self.page_size = page_size
        self.netns = netns
        self.turns = turns
        self.filtered = filtered
        self.absent = absent or {}
