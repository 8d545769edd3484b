"""The AF_NETLINK socket of all requests: send one dump request, give back the kernel's datagrams, turn every failure into an error.

An answer that ends early, an unsupported protocol (NLMSG_DONE carrying -ENOENT), a truncated datagram and an interrupted
dump all raise; only a dump that ended in NLMSG_DONE with 0 returns. "No sockets" and "unknown" stay apart.

Any process of a network namespace may send to any netlink port in it. A connected socket takes unicast from its peer, here
the kernel, only; what was queued before connect(2), and multicast, is recognized by its sender. A message of the kernel's
that answers another request has another sequence number or port id. All of them are dropped and counted.
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
from time import monotonic

from sockdiag import progress
from sockdiag.errors import (
    ModuleMissing,
    SourceDenied,
    SourceError,
    SourceInterrupted,
    SourceTruncated,
    SourceUnavailable,
    strerror,
)
from sockdiag.kernel.byte_order import ORDER, S32, U16, U32, U64, units
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
    align4,
)
from sockdiag.kernel.sock_diag import diag_module
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Protocol, TypeVar

    from sockdiag.sources.system.modules import Modules
    from sockdiag.sources.system.read_ahead import ReadAhead

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
# Bytes of an answer after which the rest is long enough for another process.
_SHORT = 1 << 20
_ATTEMPTS = 3
_PATIENCE_S = 10
_SO_NETNS_COOKIE = 71
_DONE = Struct(f"{ORDER}IH")  # nlmsg_len, nlmsg_type
_KIND = Struct(f"{ORDER}HH")  # nlmsg_type, nlmsg_flags
_IDENTITY = Struct(f"{ORDER}II")  # nlmsg_seq, nlmsg_pid


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
    """Ask the kernel of the current network namespace. Unprivileged users may.

    A request to a handler whose module is not loaded makes the kernel load it.

    Args:
        modules: where to look whether a handler is there; None to ask without a look.

    Attributes:
        dropped: messages so far that did not come from the kernel, or answered nothing that was asked.
    """

    __slots__ = ("_modules", "dropped")

    def __init__(self, modules: Modules | None = None) -> None:
        self.dropped = 0
        self._modules = modules

    def dump(self, request: Request) -> Iterator[bytes]:
        """Send a dump request and yield the answer's datagrams.

        Raises:
            ModuleMissing: no handler for the family or protocol (ENOENT, EOPNOTSUPP), or none that may be asked.
            SourceUnavailable: the same, by other errors (EINVAL, EPROTONOSUPPORT).
            SourceDenied: EPERM or EACCES.
            SourceInterrupted: the kernel flagged the dump as inconsistent; what was yielded is right but may be partial.
            SourceTruncated: a datagram was cut, lost (ENOBUFS) or malformed.
        """
        channel = KernelSocket(request, modules=self._modules)
        try:
            channel.send(NLM_F_REQUEST | NLM_F_DUMP)
            yield from _datagrams(channel)
        except SourceUnavailable as error:
            # The old form of a request gets EOPNOTSUPP: sock_diag_rcv_msg().
            if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP) or request.protocol != NETLINK_SOCK_DIAG:
                raise
            raise _without_handler(request, error.errno) from None
        finally:
            self._close(channel)

    def query(self, request: Request) -> bytes:
        """Ask for one socket; errors as :meth:`dump`, SourceUnavailable with ENOENT where there is no such socket."""
        return self._ask(request, NLM_F_REQUEST)

    def command(self, request: Request) -> None:
        """Ask for something to be done (SOCK_DESTROY) and wait until it is; errors as :meth:`query`."""
        self._ask(request, NLM_F_REQUEST | NLM_F_ACK)

    def events(self, name: str, groups: int) -> Iterator[bytes]:
        """Yield messages to multicast groups, for ever; those lost because they were not read in time are passed over.

        Args:
            name: names the groups in errors.
            groups: mask of ``1 << (SKNLGRP_… - 1)``.

        Raises:
            SourceDenied: it needs CAP_NET_ADMIN.
            SourceError: the kernel does not offer it.
        """
        channel = KernelSocket(Request(name=name, payload=b""), groups, self._modules)
        try:
            while True:
                try:
                    event = channel.event()
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise _error(channel.request, error.errno or 0) from None
                else:
                    if event:
                        yield event
        finally:
            self._close(channel)

    def _ask(self, request: Request, flags: int) -> bytes:
        channel = KernelSocket(request, modules=self._modules)
        try:
            channel.send(flags)
            answer = channel.receive()
            length, kind = _DONE.unpack_from(answer)
            if kind == NLMSG_ERROR:
                raise_errno(request, answer, 0)
            return answer[:length]
        finally:
            self._close(channel)

    def _close(self, channel: KernelSocket) -> None:
        channel.close()
        if channel.dropped:
            self.dropped += channel.dropped
            progress.tell(
                f"dropped {channel.dropped} netlink messages that are no answers of the kernel ({channel.request.source})"
            )


class KernelSocket:
    """A netlink socket for one request; it takes messages of the kernel only, and of those only the answer.

    Args:
        request: what is asked.
        groups: multicast groups to join; with any, events are read, not answers.
        modules: where to look whether the handler is there; None to ask without a look.

    Attributes:
        dropped: datagrams and messages that were not.
        request: see above.
        socket: the socket.

    Raises:
        ModuleMissing: the handler's module is not loaded.
        SourceUnavailable: there is no such netlink protocol.
        SourceError: the socket cannot be connected.
    """

    __slots__ = ("_ahead", "_identity", "_port", "_sequence", "dropped", "request", "socket")

    def __init__(self, request: Request, groups: int = 0, modules: Modules | None = None) -> None:
        if modules is not None and request.protocol == NETLINK_SOCK_DIAG:
            module = diag_module(request.name)
            lacking = modules.lacks(module)
            if lacking:
                raise ModuleMissing(request.source, lacking, hint=_loading(module))
        self.request = request
        self.dropped = 0
        self._ahead: ReadAhead | None = None
        # Nobody else can know it in advance.
        self._sequence = int.from_bytes(os.urandom(4), "little")
        try:
            self.socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, request.protocol)
        except OSError as error:
            raise SourceUnavailable(request.source, strerror(error.errno or 0), error.errno) from None
        try:
            if groups:
                self.socket.bind((0, groups))
            else:
                # The kernel answers at once or not at all; a handler that never ends its answer must not hang the program.
                self.socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", _PATIENCE_S, 0))
            self.socket.connect((0, 0))
            self._port = self.socket.getsockname()[0]
            self._identity = _IDENTITY.pack(self._sequence, self._port)
        except OSError as error:
            close_fd(self.socket.detach())
            raise _error(request, error.errno or 0) from None

    def close(self) -> None:
        """Close the socket."""
        if self._ahead is not None:
            self._ahead.close()
        close_fd(self.socket.detach())

    def send(self, flags: int) -> None:
        """Send the request; SourceError if the kernel refuses it."""
        payload = self.request.payload
        header = NLMSGHDR.pack(NLMSG_HDRLEN + len(payload), self.request.type, flags, self._sequence, 0)
        try:
            self.socket.send(header + payload)
        except OSError as error:
            raise _error(self.request, error.errno or 0) from None

    def read_ahead(self) -> None:
        """Receive what follows in another process, where that is worth it (``read_ahead.py``)."""
        from sockdiag.sources.system.read_ahead import ReadAhead, worthwhile

        if worthwhile():
            try:
                self._ahead = ReadAhead(self.socket, _BUFFER, self._is_last, self.request.source, _PATIENCE_S + 1)
            except SourceError:
                return  # no process could be made: it works without

    def _is_last(self, data: bytes, sender: int) -> bool:
        if sender or len(data) < NLMSG_HDRLEN or data[8:16] != self._identity:
            return False
        kind = _KIND.unpack_from(data, 4)[0]
        return kind == NLMSG_ERROR or self.end(data, kind) != len(data)

    def event(self) -> bytes:
        """Wait for a datagram; return nothing if it is not the kernel's; OSError as recvmsg(2)."""
        data, _ancillary, _flags, (sender, _groups) = self.socket.recvmsg(_BUFFER)
        if not sender:
            return data
        self.dropped += 1
        return b""

    def receive(self) -> bytes:
        """Wait for a datagram, and return its messages that answer the request, of which there is at least one.

        Raises:
            SourceTruncated: there is none within 10 s, a datagram was cut or part of it lost, or a message is malformed.
        """
        until = 0.0
        receive = self.socket.recvmsg if self._ahead is None else self._ahead.recvmsg
        while True:
            try:
                data, _ancillary, flags, (sender, _groups) = receive(_BUFFER)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    raise self._no_answer() from None
                raise _error(self.request, error.errno or 0) from None
            if sender:
                self.dropped += 1
            elif flags & MSG_TRUNC:
                reason = f"a datagram larger than {_BUFFER} bytes was truncated (MSG_TRUNC)"
                raise SourceTruncated(self.request.source, reason)
            else:
                answer = self._own(data)
                if answer:
                    return answer
            # Whoever sends without end must not keep us here.
            until = until or monotonic() + _PATIENCE_S
            if monotonic() > until:
                raise self._no_answer()

    def end(self, data: bytes, kind: int) -> int:
        """Return where the rows of a datagram end, whose first message is of some kind: before NLMSG_DONE, if it is there.

        Linux 6.9 and later append NLMSG_DONE to the last datagram if there is room. The identity of the request shows that
        it is no part of a name that ends the last message.
        """
        if kind == NLMSG_DONE:
            return 0
        done = data[-20:-14] == _DONE.pack(NLMSG_HDRLEN + 4, NLMSG_DONE) and data[-12:-4] == self._identity
        return len(data) - 20 if done else len(data)

    def _own(self, data: bytes) -> bytes:
        if len(data) < NLMSG_HDRLEN:
            reason = f"a datagram of {len(data)} bytes is shorter than a message header"
            raise SourceTruncated(self.request.source, reason)
        length = U32.unpack_from(data)[0]
        if length >= NLMSG_HDRLEN and not length & 3 and not len(data) % length:
            # Most datagrams hold messages of one length.
            words, step, rows = units(data, "I"), length >> 2, len(data) // length
            expected = (length, self._sequence, self._port)
            if all(words[at::step].tolist().count(of) == rows for at, of in zip((0, 2, 3), expected, strict=True)):
                return data
        offset, end, kept = 0, len(data), []
        while offset < end:
            length = U32.unpack_from(data, offset)[0] if end - offset >= NLMSG_HDRLEN else 0
            if not NLMSG_HDRLEN <= length <= end - offset:
                reason = f"a message of {length} bytes where {end - offset} are left"
                raise SourceTruncated(self.request.source, reason)
            after = min(offset + align4(length), end)
            if data[offset + 8 : offset + 16] == self._identity:
                kept.append((offset, after))
            else:
                self.dropped += 1
            offset = after
        if kept and kept[0][0] == 0 and sum(after - before for before, after in kept) == end:
            return data
        return b"".join([data[before:after] for before, after in kept])

    def _no_answer(self) -> SourceTruncated:
        reason = f"no answer within {_PATIENCE_S} s"
        if self.dropped:
            reason += f", but {self.dropped} messages that are no answers of the kernel"
        return SourceTruncated(self.request.source, reason, errno.ETIMEDOUT)


def _datagrams(channel: KernelSocket) -> Iterator[bytes]:
    request = channel.request
    interrupted = False
    read = 0
    while True:
        data = channel.receive()
        if read < _SHORT <= read + len(data):
            channel.read_ahead()
        read += len(data)
        progress.step("KiB of the kernel's answer", read >> 10)
        kind, flags = _KIND.unpack_from(data, 4)
        interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
        if kind == NLMSG_ERROR:
            raise_errno(request, data, 0)
        end = channel.end(data, kind)
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
    reason = strerror(number)
    if number in (errno.EPERM, errno.EACCES):
        return SourceDenied(request.source, reason, number, "run as root")
    if number in (errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.ECONNREFUSED):
        return SourceUnavailable(request.source, reason, number)
    if number == errno.ENOBUFS:
        return SourceTruncated(request.source, "part of the answer was lost (ENOBUFS)", number)
    return SourceTruncated(request.source, reason, number)


def _without_handler(request: Request, number: int) -> ModuleMissing:
    from sockdiag.sources.system.modules import Modules, loads_modules, not_loaded
    from sockdiag.sources.system.proc_root import ProcRoot

    module = diag_module(request.name)
    if loads_modules():
        if not Modules(ProcRoot(), symbols=False).lacks(module):
            # As UDP-Lite, which udp_diag listed before the kernel lost it.
            return ModuleMissing(request.source, f"{module} of this kernel lists no such sockets", number)
        return ModuleMissing(request.source, not_loaded(module), number, _loading(module))
    return ModuleMissing(request.source, f"the kernel was built without {module}", number)


def _loading(module: str) -> str:
    return f"modprobe {module}"


def netns_cookie() -> int | None:
    """Return the cookie of the current network namespace, which no other one gets until reboot; None before 5.14.

    Source: ``SO_NETNS_COOKIE``, sk_getsockopt(), net/core/sock.c.
    """
    try:
        channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        try:
            return int(U64.unpack(channel.getsockopt(SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0])
        finally:
            close_fd(channel.detach())
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
    attempts = feeds(transport, request, begin)
    damaged: SourceError | None = None
    while True:
        try:
            datagram = next(attempts) if damaged is None else attempts.throw(damaged)
        except StopIteration as end:
            failure: SourceError | None = end.value
            return failure
        damaged = None
        try:
            take(datagram)
        except (SourceInterrupted, SourceTruncated) as error:
            damaged = error


def feeds(
    transport: Transport, request: Request, begin: Callable[[], None]
) -> Generator[bytes, None, SourceError | None]:
    """Yield an answer's datagrams, and return what :func:`feed` does, for a caller that uses them as they come."""
    failure: SourceError | None = None
    for _attempt in range(_ATTEMPTS):
        begin()
        try:
            yield from transport.dump(request)
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
