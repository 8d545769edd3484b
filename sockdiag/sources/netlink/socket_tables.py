"""Read each table from the sock_diag family that has it."""

from __future__ import annotations

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.kernel.families import IP_TABLES, OTHER_TABLES
from sockdiag.model.batch import Batch
from sockdiag.model.query import TCP_INFO
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.kernel_version import kernel_version
from sockdiag.sources.system.transport import feeds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sockdiag.errors import ParseError, SourceError
    from sockdiag.model.query import Query
    from sockdiag.sources.netlink.inet_columns import Columns
    from sockdiag.sources.reading import Reading
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.transport import Request, Transport


def read(system: System, table: str, query: Query, gap: Callable[[SourceError | ParseError], None]) -> Iterator[Batch]:
    """Yield the sockets of one table.

    Args:
        system: the system to ask.
        table: netid of the table.
        query: what is wanted of it.
        gap: called with each thing that could not be seen, where the rest could.

    Raises:
        SourceUnavailable: the kernel has no handler for it, or there is none (icmp).
        SourceDenied: it may not be asked.
    """
    protocol = IP_TABLES.get(table)
    if protocol is not None and protocol.in_diag:
        yield from _inet(system, table, query, gap)
        return
    if table not in OTHER_TABLES:
        raise SourceUnavailable(f"netlink:{table}", "no sock_diag handler exists")
    module = __import__(f"sockdiag.sources.netlink.{table}_diag", fromlist=["read"])
    reading: Reading = module.read(system, query)
    for error in reading.errors:
        gap(error)
    yield Batch.of(reading.sockets)


def _inet(system: System, table: str, query: Query, gap: Callable[[SourceError | ParseError], None]) -> Iterator[Batch]:
    from sockdiag.sources.netlink.inet_columns import Columns
    from sockdiag.sources.netlink.inet_diag import extensions, inet_requests
    from sockdiag.sources.netlink.inet_request import compat_request

    interfaces, version = interface_names(system.files), kernel_version(system.files)
    transport = system.netlink
    guarded = None
    if table == "sctp" and system.files.live:
        # The protocol is a module that makes this folder; without it there is nothing to ask for, and no child to start.
        system.files.inode("/proc/net/sctp")
    if system.files.live and (TCP_INFO in query.needs or table == "sctp"):
        # tcp_info is filled under the socket lock, which a sleeping owner may hold for ever.
        from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport

        transport = guarded = system.guard or GuardedTransport(transport)
    answered = False
    # A capture holds answers and evaluates nothing; a question with tcp_info is asked again in parts by its guard.
    bytecode = query.bytecode if system.files.live and guarded is None else b""
    # One walk of TCP's hash gives both families; requests for tcp_info are better made in smaller parts.
    one_walk = table == "tcp" and system.files.live and guarded is None and len(set(query.families)) != 1

    def requests(bytecode: bytes) -> list[Request]:
        if one_walk:
            return [compat_request(query.states, extensions(query.needs), bytecode=bytecode)]
        return inet_requests(table, query.families, query.states, query.needs, bytecode)

    plain = requests(b"")
    sifted = requests(bytecode) if bytecode else plain
    for request, unsifted in zip(sifted, plain, strict=True):
        columns = Columns(table, request, interfaces, version)
        try:
            try:
                failure = yield from _batches(transport, request, columns)
            except (SourceUnavailable, SourceDenied):
                # Older kernels lack some operations, and marks are for CAP_NET_ADMIN.
                if request is unsifted:
                    raise
                failure = yield from _batches(transport, unsifted, columns)
        except (SourceUnavailable, SourceDenied) as error:
            # IPv6 may be switched off; without an answer for any family there is no table.
            if not answered:
                raise
            if not isinstance(error, SourceUnavailable):
                gap(error)
            continue
        answered = True
        yield from columns.rest()
        for problem in columns.errors:
            gap(problem)
        if failure is not None:
            gap(failure)
    for stuck in guarded.take_errors() if guarded is not None else ():
        gap(stuck)


def _batches(transport: Transport, request: Request, columns: Columns) -> Generator[Batch, None, SourceError | None]:
    """Yield the batches that fill up while an answer comes; return the error that left it incomplete."""
    attempts = feeds(transport, request, columns.begin)
    while True:
        try:
            datagram = next(attempts)
        except StopIteration as end:
            failure: SourceError | None = end.value
            return failure
        columns.take(datagram)
        yield from columns.full()
