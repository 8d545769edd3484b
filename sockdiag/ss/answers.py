"""Answers of the kernel: ask for a table, split what comes, tell what went wrong."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceInterrupted, SourceUnavailable
from sockdiag.sources.system.transport import KernelTransport, Request, messages
from sockdiag.ss.output import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.transport import Transport
    from sockdiag.ss.context import Context


def dumped(context: Context, name: str, payload: bytes, *, quiet: bool = False) -> Iterator[bytes]:
    """Yield the datagrams of an answer; tell what went wrong on standard error.

    Args:
        context: the run.
        name: what is asked, for messages.
        payload: the request.
        quiet: raise SourceUnavailable instead of telling it.

    Raises:
        SourceUnavailable: there is no such table, and *quiet*.
    """
    request = Request(name=name, payload=payload)
    transport: Transport = KernelTransport()
    guard: GuardedTransport | None = None
    if context.settings.info:
        # Asking for tcp_info waits, beyond the reach of signals, for an owner that sleeps with its socket locked.
        from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport

        transport = guard = GuardedTransport(transport)
    try:
        yield from transport.dump(request)
    except SourceInterrupted:
        complain("Dump was interrupted and may be inconsistent.\n")
    except SourceUnavailable as error:
        if quiet:
            raise
        tell(error, context)
    except SourceError as error:
        complain(f"ss: {error}\n")
    finally:
        if guard is not None:
            for locked in guard.take_errors():
                complain(f"ss: {locked}\n")
            guard.close()


def tell(error: SourceUnavailable, context: Context) -> None:
    """Tell that a table cannot be had, unless nobody asked for it by name."""
    if not context.settings.selection.by_default:
        complain(f"ss: {error}{f': {error.hint}' if error.hint else ''}\n")


def split(datagram: bytes, name: str) -> Iterator[bytes]:
    """Split a datagram into messages; tell on standard error if it does not end where its last message does."""
    try:
        yield from messages(Request(name=name, payload=b""), datagram)
    except SourceError as error:
        complain(f"ss: {error}\n")


def records(context: Context, name: str, payload: bytes, offset: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield each message of an answer with its attributes; SourceUnavailable as :func:`dumped` if quiet."""
    from sockdiag.sources.netlink.attributes import attributes

    for datagram in dumped(context, name, payload, quiet=True):
        for message in split(datagram, name):
            if len(message) < offset:
                continue
            try:
                found = attributes(message, offset, f"netlink:{name}")
            except ParseError as error:
                complain(f"ss: {error}\n")
                found = {}
            yield message, found
