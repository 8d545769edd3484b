"""The AF_NETLINK socket of all requests: send one dump request, give back the kernel's datagrams, turn every failure into an error.

An answer that ends early, an unsupported protocol (NLMSG_DONE carrying -ENOENT), a truncated datagram and an interrupted
dump all raise; only a dump that ended in NLMSG_DONE with 0 returns. "No sockets" and "unknown" stay apart.
"""

from __future__ import annotations

import errno
import os
from _socket import (  # start-up: docs/rejected.md
    AF_NETLINK,
    MSG_TRUNC,
    SO_RCVTIMEO,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)
from struct import Struct, pack
from struct import error as struct_error

from sockdiag import progress
from sockdiag.errors import SourceDenied, SourceError, SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.kernel.byte_order import ORDER, S32, U16, U32, U64
from sockdiag.kernel.netlink import (
    NETLINK_ROUTE,
    NETLINK_SOCK_DIAG,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
)
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol, TypeVar

    T = TypeVar("T")

    class Transport(Protocol):
        """Anything that can answer a dump request: the kernel, a capture, a test."""

        def dump(self, request: Request) -> Iterator[bytes]:
            """Yield datagrams of whole messages, without NLMSG_DONE; raise SourceError if the answer is not complete."""
            ...

        def query(self, request: Request) -> bytes:
            """Return the single message that answers a request without NLM_F_DUMP."""
            ...


# The kernel fills at most 32 KiB a datagram (netlink_recvmsg() remembers the largest buffer it was offered).
_BUFFER = 65536
_ATTEMPTS = 3
_SO_NETNS_COOKIE = 71
# nlmsg_len and nlmsg_type of a NLMSG_DONE
_DONE = Struct(f"{ORDER}IH")

_MODULE_HINT = "the kernel has no handler: the module {} is not loaded or not built"


class Request(Record):
    """One request to NETLINK_SOCK_DIAG, or another netlink protocol.

    ``name`` (``inet_diag_tcp``) is the source in gaps, and the stem of the file that holds the answer in a capture.
    """

    name: str = field("Name of the question; also the stem of the file in a capture.", kind=LABEL)
    payload: bytes = field("The family's request struct and its attributes.", kind=ID)
    type: int = field("nlmsg_type.", default=20, kind=ID)
    states: int = field("Mask of the states asked for, for captures that hold more.", default=0xFFFFFFFF, kind=ID)
    protocol: int = field("Netlink protocol.", default=NETLINK_SOCK_DIAG, kind=ID)

    @property
    def source(self) -> str:
        """Name of the source in gaps."""
        return f"{'rtnetlink' if self.protocol == NETLINK_ROUTE else 'netlink'}:{self.name}"


class KernelTransport:
    """Ask the kernel of the current network namespace. Unprivileged users may."""

    __slots__ = ("_seq",)

    def __init__(self) -> None:
        # Answers are matched by sequence number; start where no other socket of this process would.
        self._seq = (os.getpid() << 8) & 0x7FFFFFFF

    def dump(self, request: Request) -> Iterator[bytes]:
        """Send a dump request and yield the answer's datagrams.

        Raises:
            SourceUnavailable: no handler for the family or protocol (ENOENT, EINVAL, EPROTONOSUPPORT).
            SourceDenied: EPERM or EACCES.
            SourceInterrupted: the kernel flagged the dump as inconsistent; what was yielded is right but may be partial.
            SourceTruncated: a datagram was cut, lost (ENOBUFS) or malformed.
        """
        self._seq += 1
        channel = _open(request)
        try:
            message = NLMSGHDR.pack(
                NLMSG_HDRLEN + len(request.payload), request.type, NLM_F_REQUEST | NLM_F_DUMP, self._seq, 0
            )
            _call(request, channel.send, message + request.payload)
            yield from _datagrams(request, channel, self._seq)
        finally:
            channel.close()

    def query(self, request: Request) -> bytes:
        """Ask for one socket; errors as :meth:`dump`, SourceUnavailable with ENOENT where there is no such socket."""
        self._seq += 1
        channel = _open(request)
        try:
            message = NLMSGHDR.pack(NLMSG_HDRLEN + len(request.payload), request.type, NLM_F_REQUEST, self._seq, 0)
            _call(request, channel.send, message + request.payload)
            answer = _receive(request, channel)
            length, kind, _flags, _seq, _pid = _header(request, answer)
            if kind == NLMSG_ERROR:
                raise_errno(request, answer, 0)
            return answer[:length]
        finally:
            channel.close()

    def command(self, request: Request) -> None:
        """Ask for something to be done (SOCK_DESTROY) and wait until it is; errors as :meth:`query`."""
        self._seq += 1
        channel = _open(request)
        try:
            message = NLMSGHDR.pack(
                NLMSG_HDRLEN + len(request.payload), request.type, NLM_F_REQUEST | NLM_F_ACK, self._seq, 0
            )
            _call(request, channel.send, message + request.payload)
            answer = _receive(request, channel)
            if _header(request, answer)[1] == NLMSG_ERROR:
                raise_errno(request, answer, 0)
        finally:
            channel.close()

    def events(self, name: str, groups: int) -> Iterator[bytes]:
        """Yield messages to multicast groups, for ever; those lost because they were not read in time are passed over.

        Args:
            name: names the groups in errors.
            groups: mask of ``1 << (SKNLGRP_… - 1)``.

        Raises:
            SourceDenied: it needs CAP_NET_ADMIN.
            SourceError: the kernel does not offer it.
        """
        request = Request(name=name, payload=b"")
        channel = _open(request)
        try:
            channel.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", 0, 0))
            _call(request, channel.bind, (0, groups))
            while True:
                try:
                    yield channel.recv(_BUFFER)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise _error(request, error.errno or 0) from None
        finally:
            channel.close()


def _open(request: Request) -> socket:
    try:
        channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, request.protocol)
    except OSError as error:
        raise SourceUnavailable(request.source, os.strerror(error.errno or 0), error.errno) from None
    # The kernel answers at once or not at all; a handler that never ends its answer must not hang the program.
    channel.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", 10, 0))
    return channel


def _call(request: Request, function: object, *arguments: object) -> object:
    try:
        return function(*arguments)  # type: ignore[operator]
    except OSError as error:
        raise _error(request, error.errno or 0) from None


def _receive(request: Request, channel: socket) -> bytes:
    try:
        data, _ancillary, flags, _address = channel.recvmsg(_BUFFER)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise SourceTruncated(request.source, "no answer within 10 s", errno.ETIMEDOUT) from None
        raise _error(request, error.errno or 0) from None
    if flags & MSG_TRUNC:
        raise SourceTruncated(request.source, f"a datagram larger than {_BUFFER} bytes was truncated (MSG_TRUNC)")
    return data


def _header(request: Request, data: bytes) -> tuple[int, int, int, int, int]:
    if len(data) < NLMSG_HDRLEN:
        raise SourceTruncated(request.source, f"a datagram of {len(data)} bytes is shorter than a message header")
    length, kind, flags, seq, pid = NLMSGHDR.unpack_from(data)
    if not NLMSG_HDRLEN <= length <= len(data):
        raise SourceTruncated(request.source, f"a message of {length} bytes in a datagram of {len(data)}")
    return length, kind, flags, seq, pid


def _datagrams(request: Request, channel: socket, seq: int) -> Iterator[bytes]:
    interrupted = False
    done = _DONE.pack(NLMSG_HDRLEN + 4, NLMSG_DONE)
    read = 0
    while True:
        data = _receive(request, channel)
        read += len(data)
        progress.step("KiB of the kernel's answer", read >> 10)
        _length, kind, flags, answer_seq, _pid = _header(request, data)
        if answer_seq != seq:
            continue
        interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
        if kind == NLMSG_ERROR:
            raise_errno(request, data, 0)
        end = len(data)
        if kind == NLMSG_DONE:
            end = 0
        elif data[-20:-14] == done and U32.unpack_from(data, end - 12)[0] == seq:
            end -= 20  # Linux 6.9 and later append NLMSG_DONE to the last datagram when there is room
        if end:
            yield data if end == len(data) else data[:end]
        if end != len(data):
            interrupted = interrupted or bool(U16.unpack_from(data, end + 6)[0] & NLM_F_DUMP_INTR)
            if len(data) >= end + NLMSG_HDRLEN + 4:
                raise_errno(request, data, end)
            if interrupted:
                raise SourceInterrupted(
                    request.source, "the table changed while the kernel dumped it (NLM_F_DUMP_INTR)"
                )
            return


def raise_errno(request: Request, data: bytes, offset: int) -> None:
    """Raise the error that the NLMSG_ERROR or NLMSG_DONE message at *offset* carries, if it carries one."""
    try:
        number = -int(S32.unpack_from(data, offset + NLMSG_HDRLEN)[0])
    except struct_error:
        raise SourceTruncated(request.source, "an error message without an error number") from None
    if number:
        raise _error(request, number)


def _error(request: Request, number: int) -> SourceError:
    reason = os.strerror(number)
    if number in (errno.EPERM, errno.EACCES):
        return SourceDenied(request.source, reason, number, "run as root")
    if number in (errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.ECONNREFUSED):
        hint = ""
        if request.protocol == NETLINK_SOCK_DIAG:
            hint = _MODULE_HINT.format(request.name.split("_diag")[0] + "_diag")
        return SourceUnavailable(request.source, reason, number, hint)
    if number == errno.ENOBUFS:
        return SourceTruncated(request.source, "part of the answer was lost (ENOBUFS)", number)
    return SourceTruncated(request.source, reason, number)


def netns_cookie() -> int | None:
    """Return the cookie of the current network namespace, which no other one gets until reboot; None before 5.14.

    Source: ``SO_NETNS_COOKIE``, sk_getsockopt(), net/core/sock.c.
    """
    try:
        channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        try:
            return int(U64.unpack(channel.getsockopt(SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0])
        finally:
            channel.close()
    except (OSError, struct_error):
        return None


def feed(
    transport: Transport, request: Request, begin: Callable[[], None], take: Callable[[bytes], None]
) -> SourceError | None:
    """Feed an answer's datagrams to *take*, again from the start where one was interrupted or lost in part.

    Args:
        transport: who answers.
        request: what is asked.
        begin: called before each attempt; forgets what *take* was given.
        take: called with each datagram.

    Returns:
        None, or after three attempts the error that left the last answer incomplete; what *take* got by then is right.

    Raises:
        SourceUnavailable: there is no such table.
        SourceDenied: it may not be read.
    """
    failure: SourceError | None = None
    for _attempt in range(_ATTEMPTS):
        begin()
        try:
            for datagram in transport.dump(request):
                take(datagram)
        except (SourceInterrupted, SourceTruncated) as error:
            failure = error
        else:
            return None
    return failure


def read_all(transport: Transport | None, request: Request, decode: Callable[[bytes], T | None]) -> list[T]:
    """Ask for a table that is of no use in part, and decode each message of the answer.

    Args:
        transport: who answers; None: the kernel.
        request: what is asked.
        decode: returns None for a message to leave out.

    Raises:
        SourceError: the table cannot be read, or the answer is not complete after three attempts.
        ParseError: *decode* does not understand a message.
    """
    found: list[T] = []

    def take(datagram: bytes) -> None:
        found.extend(one for message in messages(request, datagram) if (one := decode(message)) is not None)

    failure = feed(transport or KernelTransport(), request, found.clear, take)
    if failure is not None:
        raise failure
    return found


def check_type(request: Request, message: bytes, name: str, kind: int, size: int) -> None:
    """Check that a message is of the type of an answer.

    Args:
        request: what was asked.
        message: the message, header included.
        name: name of the type.
        kind: its number.
        size: bytes of its fixed part.

    Raises:
        SourceTruncated: it is of another type, or shorter.
    """
    if len(message) < NLMSG_HDRLEN + size or NLMSGHDR.unpack_from(message)[1] != kind:
        raise SourceTruncated(request.source, f"not an {name} message")


def messages(request: Request, datagram: bytes) -> Iterator[bytes]:
    """Split a datagram into its messages, headers included.

    Raises:
        SourceTruncated: a message claims more bytes than there are, or fewer than a header.
    """
    offset, end = 0, len(datagram)
    while offset < end:
        if end - offset < NLMSG_HDRLEN:
            raise SourceTruncated(request.source, f"{end - offset} bytes after the last message")
        (length,) = U32.unpack_from(datagram, offset)
        if not NLMSG_HDRLEN <= length <= end - offset:
            raise SourceTruncated(request.source, f"a message of {length} bytes where {end - offset} are left")
        yield datagram[offset : offset + length]
        offset += (length + 3) & ~3
