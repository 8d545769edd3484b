"""What sockdiag says of a namespace; runs in the process that holds its sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.batch import all_sockets
from sockdiag.model.query import Query
from sockdiag.model.record import Record
from sockdiag.sources.process.fd import scan_owners
from sockdiag.sources.system.machine import this_system
from sockdiag.survey.collection import Collection
from tests.live.world import sockopts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Socket


def sockets(
    table: str, source: str, needs: Iterable[str] = (), states: int = ALL_STATES
) -> tuple[list[Socket], list[Gap]]:
    """Read a table from one source; return its sockets, and what could not be seen."""
    query = Query(tables=(table,), source=source, needs=frozenset(needs), states=states)
    system = this_system()
    collection = Collection(system, query, tables_named=True, owners=lambda: scan_owners(system.files))
    return list(all_sockets(collection.batches())), collection.gaps


def flat(record: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every field of a record by its dotted name, those of nested records in their place."""
    for field, value in zip(record.FIELDS, record._values(), strict=True):
        if isinstance(value, Record):
            yield from flat(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def both(table: str, needs: Iterable[str]) -> tuple[list[Socket], list[Socket], list[Socket], list[Gap]]:
    """Read a table by netlink, from /proc, and by netlink again, as fast as it goes."""
    before, gaps = sockets(table, "netlink", needs)
    proc, more = sockets(table, "proc", needs)
    after, again = sockets(table, "netlink", needs)
    return before, proc, after, gaps + more + again


def beside_owner(
    table: str, fds: list[int], needs: Iterable[str] = ()
) -> tuple[dict[int, dict[str, Any]], list[Socket], dict[int, dict[str, Any]], list[Gap]]:
    """Ask the owner of *fds*, then sockdiag, then the owner again."""
    before = sockopts.told_all(fds)
    found, gaps = sockets(table, "auto", needs)
    return before, found, sockopts.told_all(fds), gaps
