"""Answers of the kernel: request a table, split the answer into messages, report what went wrong."""

from __future__ import annotations

import os

from sockdiag.defaults import LOAD_MODULES, LOAD_MODULES_VARIABLE
from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceInterrupted, SourceUnavailable
from sockdiag.sources.system.transport import KernelTransport, Request, messages
from sockdiag.ss.output import Stop, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.transport import Transport
    from sockdiag.ss.listing import Listing

# The kernel does not answer; another source may.
REFUSED = (SourceUnavailable, SourceDenied)


def kernel() -> KernelTransport:
    """Return the kernel, which is not asked for what its loaded modules do not answer if the environment says so.

    Raises:
        Stop: the environment says something else.
    """
    said = os.environ.get(LOAD_MODULES_VARIABLE) or LOAD_MODULES[0]
    if said == LOAD_MODULES[0]:
        return KernelTransport()
    if said not in LOAD_MODULES:
        raise Stop(255, f"ss: {LOAD_MODULES_VARIABLE} is {' or '.join(LOAD_MODULES)}, not {said!r}")
    from sockdiag.sources.system.modules import Modules
    from sockdiag.sources.system.proc_root import ProcRoot

    return KernelTransport(Modules(ProcRoot()))


def dumped(listing: Listing, request: Request) -> Iterator[bytes]:
    """Yield the datagrams of an answer; report on standard error what is missing of it.

    Args:
        listing: the run.
        request: what is asked.

    Raises:
        SourceUnavailable: there is no such table.
        SourceDenied: the kernel refuses to answer this.
    """
    transport: Transport = listing.transport or KernelTransport()
    guard: GuardedTransport | None = None
    if listing.settings.info:
        # Asking for tcp_info waits, beyond the reach of signals, for an owner that sleeps with its socket locked.
        from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport

        transport = guard = GuardedTransport(transport)
    try:
        yield from transport.dump(request)
    except SourceInterrupted:
        complain("Dump was interrupted and may be inconsistent.\n")
    except REFUSED:
        raise
    except SourceError as error:
        complain(f"ss: {error}\n")
    finally:
        if guard is not None:
            for locked in guard.take_errors():
                complain(f"ss: {locked}\n")
            guard.close()


def report(error: SourceError, listing: Listing, table: int) -> None:
    """Tell a person who asked for this very table that the kernel has no handler for it; scripts expect silence."""
    if isinstance(error, SourceUnavailable) and listing.settings.selection.named & table and os.isatty(2):
        complain(f"ss: {error}{f': {error.hint}' if error.hint else ''}\n")


def split(datagram: bytes, name: str) -> Iterator[bytes]:
    """Split a datagram into messages; report on standard error if its last message is cut."""
    try:
        yield from messages(Request(name=name, payload=b""), datagram)
    except SourceError as error:
        complain(f"ss: {error}\n")


def records(listing: Listing, request: Request, offset: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield each message of an answer with its attributes; errors as :func:`dumped`."""
    from sockdiag.sources.netlink.attributes import attributes

    for datagram in dumped(listing, request):
        for message in split(datagram, request.name):
            if len(message) < offset:
                continue
            try:
                found = attributes(message, offset, request.source)
            except ParseError as error:
                complain(f"ss: {error}\n")
                found = {}
            yield message, found
