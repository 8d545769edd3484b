"""Connection tracking: how full its table is, and what it lost."""

from __future__ import annotations

from sockdiag.model.record import COUNT, COUNTER, HOST, ID, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.errors import ParseError

_PATH = "/proc/net/stat/nf_conntrack"


def _counter(help: str, column: str) -> Any:
    return field(
        help,
        default=None,
        unit=COUNT,
        kind=COUNTER,
        kernel=f"ip_conntrack_stat.{column}",
        sources=(f"{_PATH}: {column}",),
    )


class ConntrackCpu(Record):
    """What one CPU counted in this namespace; the counters are 32 bits wide and wrap.

    Source: ``ct_cpu_seq_show()``, net/netfilter/nf_conntrack_standalone.c. Names are those of the file's heading; a
    column that this kernel does not have is None. searched, new, delete and delete_list are 0 from 4.9 to 5.8, which
    print them and do not count them any more.
    """

    cpu: int = field("Position among the possible CPUs.", kind=ID, sources=(f"{_PATH}: line number",))
    searched: int | None = _counter("Entries compared during lookups (until 4.8).", "searched")
    clashres: int | None = _counter("Insertions that met an equal entry and were merged with it (5.9).", "clashres")
    found: int | None = _counter("Lookups that found an entry.", "found")
    new: int | None = _counter("Entries that were not expected (until 4.8).", "new")
    invalid: int | None = _counter("Packets that cannot be tracked.", "invalid")
    ignore: int | None = _counter("Packets that were tracked already (until 5.8).", "ignore")
    delete: int | None = _counter("Entries removed (until 4.8).", "delete")
    delete_list: int | None = _counter("Entries put on the dying list (until 4.8).", "delete_list")
    chainlength: int | None = _counter("Insertions refused because a hash chain was too long (5.15).", "chainlength")
    insert: int | None = _counter("Entries inserted.", "insert")
    insert_failed: int | None = _counter("Insertions that failed; the packet is dropped.", "insert_failed")
    drop: int | None = _counter("Packets dropped because the table is full or no memory is left.", "drop")
    early_drop: int | None = _counter("Entries removed to make room for a new one.", "early_drop")
    icmp_error: int | None = _counter("Packets with an error that could not be tracked.", "icmp_error")
    expect_new: int | None = _counter("Entries that an expectation announced.", "expect_new")
    expect_create: int | None = _counter("Expectations made.", "expect_create")
    expect_delete: int | None = _counter("Expectations removed.", "expect_delete")
    search_restart: int | None = _counter("Lookups begun anew because the table was resized.", "search_restart")
    more: tuple[tuple[str, int], ...] = field("Columns that are not declared here, by name.", default=())


class Conntrack(Record):
    """State of connection tracking as one namespace sees it. Tracking is off until a rule asks for it."""

    count: int | None = field(
        "Entries of this namespace.",
        default=None,
        unit=COUNT,
        kernel="nf_conntrack_count(net)",
        sources=("/proc/sys/net/netfilter/nf_conntrack_count", f"{_PATH}: entries"),
    )
    max: int | None = field(
        "Entries that a namespace may have; one limit for each namespace, set for all of them by the first.",
        default=None,
        unit=COUNT,
        scope=HOST,
        kernel="nf_conntrack_max",
        sources=("/proc/sys/net/netfilter/nf_conntrack_max",),
    )
    buckets: int | None = field(
        "Buckets of the hash table, which all namespaces share.",
        default=None,
        unit=COUNT,
        scope=HOST,
        kernel="nf_conntrack_htable_size",
        sources=("/proc/sys/net/netfilter/nf_conntrack_buckets",),
    )
    cpus: tuple[ConntrackCpu, ...] = field("Counters of each CPU.", default=(), of=ConntrackCpu)
    errors: tuple[ParseError, ...] = field("What was not understood, bounded.", default=())

    def total(self, column: str) -> int | None:
        """Return a column's sum over the CPUs; None where it is not there."""
        values = [cpu._asdict()[column] for cpu in self.cpus]
        return None if not values or None in values else sum(values)
