"""Memory of the sockets of a cgroup, against its limit."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, HOST, ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.provenance import Gap


class CgroupMemory(Record):
    """One cgroup that bounds the memory of its sockets.

    Source: ``mem_cgroup_sk_charge()`` (before 6.18 ``mem_cgroup_charge_skmem()``), mm/memcontrol.c;
    ``memcg1_charge_skmem()``, mm/memcontrol-v1.c. Version 1 has a limit for sockets alone, of TCP and of UDP. In version 2
    they share memory.max with everything else, of which the page cache gives way to them.
    """

    path: str = field("Path below the mount.", kind=LABEL)
    file: str = field("File that holds the limit.", kind=LABEL)
    limit_bytes: int = field(
        "The limit.",
        unit=BYTES,
        scope=HOST,
        kernel="memcg->tcpmem.max, memcg->memory.max",
        sources=("memory.kmem.tcp.limit_in_bytes", "memory.max"),
    )
    usage_bytes: int = field(
        "What counts against it and cannot be reclaimed: in version 2 without file pages and reclaimable slabs.",
        unit=BYTES,
        scope=HOST,
        kernel="memcg->tcpmem, memcg->memory",
        sources=("memory.kmem.tcp.usage_in_bytes", "memory.current, memory.stat"),
    )
    sock_bytes: int | None = field(
        "What of it sockets hold.",
        default=None,
        unit=BYTES,
        scope=HOST,
        kernel="MEMCG_SOCK",
        sources=("memory.kmem.tcp.usage_in_bytes", "memory.stat: sock"),
    )
    throttled: int | None = field(
        "How often sockets were slowed down or refused memory; null where the kernel does not count that.",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        sources=("memory.kmem.tcp.failcnt (not from 6.12 on)", "memory.events: sock_throttled (6.19)"),
    )
    ids: frozenset[int] = field(
        "Ids of it and of the cgroups below it, as sockets carry them; of version 2 only.", default=frozenset(), kind=ID
    )
    members: tuple[tuple[int, int], ...] = field(
        "Inode of each network namespace that has processes in it, or below, and the first of these.",
        default=(),
        kind=ID,
    )
    unseen: bool = field("Of some processes in it the network namespace could not be seen.", default=False, kind=LABEL)

    @property
    def ratio(self) -> float:
        """Share of the limit in use; above 1 where the kernel charged more than it allows."""
        return self.usage_bytes / self.limit_bytes if self.limit_bytes else 1.0


class CgroupMemories(Record):
    """The cgroups of a system that are near a limit.

    Attributes:
        cgroups: those that are near their limit, or were.
        errors: what could not be read of others.
    """

    cgroups: tuple[CgroupMemory, ...] = field("Cgroups.", default=(), of=CgroupMemory)
    errors: tuple[Gap, ...] = field("What could not be seen.", default=())
