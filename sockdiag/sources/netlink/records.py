"""Read a table and decode its messages one by one: all tables but those of IP, which can be too long for that."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.sources.reading import MAX_ERRORS, Reading
from sockdiag.sources.system.transport import feed, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sockdiag.errors import SourceError
    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.transport import Request, Transport


def read_records(
    transport: Transport,
    request: Request,
    decode: Callable[[bytes], Socket],
    identity: Callable[[Socket], Hashable] | None = None,
) -> Reading:
    """Ask for a table and decode each message of the answer.

    Args:
        transport: answers the request.
        request: the dump request.
        decode: makes a socket of a message, or raises ParseError.
        identity: distinguishes sockets if the kernel may send one twice; the first one stays.

    Raises:
        SourceUnavailable: there is no such table.
        SourceDenied: it may not be read.
    """
    sockets: list[Socket] = []
    errors: list[ParseError | SourceError] = []
    seen: set[Hashable] = set()

    def begin() -> None:
        sockets.clear()
        errors.clear()
        seen.clear()

    def take(datagram: bytes) -> None:
        for message in messages(request, datagram):
            try:
                socket = decode(message)
            except ParseError as error:
                if len(errors) < MAX_ERRORS:
                    errors.append(error)
                continue
            if identity is not None:
                key = identity(socket)
                if key in seen:
                    continue
                seen.add(key)
            sockets.append(socket)

    failure = feed(transport, request, begin, take)
    if failure is not None:
        errors.append(failure)
    return Reading(sockets, tuple(errors))
