"""Netlink answers of a captured system: ``netlink/NAME.nl`` holds the messages that answered the request NAME.

A capture of several moments is itself the last of them; ``moments/N`` holds the earlier ones in the same form, the first
sample and then what was probed between the two samples.

The messages stand one after the other as the kernel sent them, as ``ss -D`` writes them and ``TCPDIAG_FILE`` reads them;
NLMSG_DONE may be there or not. A capture holds all states and attributes, so those not asked for are left out here.
"""

from __future__ import annotations

import errno
import os
import time
from struct import Struct

from sockdiag.errors import NotCaptured, SourceError, SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.kernel.byte_order import ORDER
from sockdiag.kernel.families import FAMILIES
from sockdiag.kernel.inet_diag import MSG_SOCKID
from sockdiag.kernel.netlink import NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN, align4
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, SOCK_DIAG_BY_FAMILY
from sockdiag.kernel.tcp_states import BOUND_INACTIVE, CLOSE
from sockdiag.sources.bundles.layouts import layout_of
from sockdiag.sources.bundles.texts import texts_of
from sockdiag.sources.bundles.tree import bundle_tree
from sockdiag.sources.capture.answers import read_answers
from sockdiag.sources.capture.asked import Asked
from sockdiag.sources.capture.namespaces import NamespaceTree, captured_namespaces
from sockdiag.sources.system.captured_root import CapturedRoot
from sockdiag.sources.system.captured_tree import FolderTree, SubTree
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.proc_root import source_error
from sockdiag.sources.system.transport import raise_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.sources.system.captured_tree import Tree
    from sockdiag.sources.system.transport import Request

MOMENTS = "/moments"
# The kernel's size, so that readers see the same datagrams as on a live system.
DATAGRAM = 32768
# No diag message is near this; a damaged length must not make us wait for a gigabyte.
MAX_MESSAGE = 1 << 20
# Of an interval; a capture of this program has five.
_MOST_MOMENTS = 64
# The end of the year 9999 in UTC, the last that datetime can show.
_LAST_TIME = 253402300799

# Offset of the state in the payload, of the families that have one that can be asked for.
_STATE_AT = {family.number: family.state_at for family in FAMILIES if family.state_at is not None}

_IP_FAMILIES = {bytes((AF_INET,)), bytes((AF_INET6,))}

_HEADER = Struct(f"{ORDER}IHH")


class CaptureTransport:
    """Answer requests from a capture.

    Args:
        root: the capture's files, or the folder that holds them.
    """

    __slots__ = ("_by_cookie", "_files")

    def __init__(self, root: str | Tree) -> None:
        self._files = CapturedRoot(root)
        # By name of the request, and what it asks for: messages of single sockets, which are asked for one after the other.
        self._by_cookie: dict[tuple[str, frozenset[int]], dict[bytes, bytes]] = {}

    def dump(self, request: Request) -> Iterator[bytes]:
        """Yield the captured answer as datagrams, without messages that the request did not ask for.

        Raises:
            SourceUnavailable: there is no such file; or what the kernel answered when it was captured.
            SourceDenied: the same.
            SourceInterrupted: the captured dump was inconsistent.
            SourceTruncated: the file ends within a message, or is damaged; or part of the answer was lost then.
        """
        # All files are opened before the first message is given out: half an answer would not fall back to /proc.
        opened = [(name, self._opened(request, name)) for name in file_names(request.name)]
        keep = _wanted_states(request)
        by_family = request.type == SOCK_DIAG_BY_FAMILY and request.payload[:1] in _IP_FAMILIES
        for name, (first, rest) in opened:
            other = 0
            # An IP table of both families is in one file, and under both names, where ss -D wrote it.
            if by_family:
                other = AF_INET + AF_INET6 - request.payload[0]
            elif len(opened) > 1:
                other = AF_INET if name.endswith("6") else AF_INET6
            yield from _answer(request, name, first, rest, keep, other)

    def query(self, request: Request) -> bytes:
        """Return the captured message of one socket, found by the cookie in the request or else by its addresses.

        Raises:
            SourceUnavailable: it is not in the capture; else as :meth:`dump`.
        """
        from sockdiag.sources.system.transport import messages

        wanted = request.payload[8:56]  # idiag_req_v2.id; the answer has it at 4
        cookie = wanted[40:48]
        key = request.name, Asked(request).unasked
        if key not in self._by_cookie:
            every = (message for datagram in self.dump(request) for message in messages(request, datagram))
            self._by_cookie[key] = {message[MSG_SOCKID][40:48]: message for message in every}
        found = self._by_cookie[key]
        if cookie != b"\xff" * 8:
            if cookie in found:
                return found[cookie]
        else:
            for message in found.values():
                if message[MSG_SOCKID][:36] == wanted[:36]:
                    return message
        raise SourceUnavailable(request.source, os.strerror(errno.ENOENT), errno.ENOENT)

    def _opened(self, request: Request, name: str) -> tuple[bytes, Iterator[bytes]]:
        rest = self._files.chunks(f"/netlink/{name}.nl")
        try:
            return next(rest, b""), rest
        except SourceUnavailable as error:
            if error.errno == errno.ENOENT:
                reason = f"not captured (no netlink/{name}.nl)"
                raise NotCaptured(request.source, reason, error.errno) from None
            raise SourceUnavailable(request.source, error.reason, error.errno) from None


def file_names(name: str) -> list[str]:
    """Return the stems of the files that answer a request: ``inet_diag_tcp+tcp6`` is in one for each family."""
    first, *others = name.split("+")
    prefix = first[: first.rfind("_") + 1]
    return [first, *(prefix + other for other in others)]


def captured_system(root: str) -> System:
    """Return a captured system.

    Args:
        root: folder or archive: a capture, a copied /proc tree in ``proc``, or a sosreport.

    Raises:
        SourceUnavailable: there is none.
        SourceTruncated: the archive is damaged.
    """
    return system_of(open_capture(root), root)


def system_of(tree: Tree, root: str) -> System:
    """Return the captured system whose files are those of a tree; *root* names it in messages."""
    last = _system(tree, root, lambda part: SubTree(tree, part))

    def open_namespace(part: Tree | None) -> System:
        if part is None:
            return last
        there = _system(
            NamespaceTree(part, tree), root, lambda moment: NamespaceTree(SubTree(part, moment), SubTree(tree, moment))
        )
        there.namespaces = last.namespaces
        return there

    last.namespaces = captured_namespaces(tree, last.files, open_namespace)
    return last


def _system(tree: Tree, root: str, part: Callable[[str], Tree]) -> System:
    # What a capture holds of one namespace; *part* gives the files of an earlier moment, by its folder.
    last = _moment(tree, root)
    last.moments = _moments(tree, root, last.monotonic(), part)
    last.answers = read_answers(last.files)
    last.texts = texts_of(last.files)
    reader = _noted(tree, b"pid")
    last.reader = None if reader is None else int(reader)
    return last


def _moment(tree: Tree, root: str) -> System:
    taken, at = capture_time(tree), _noted(tree, b"monotonic") or 0.0
    clock = time.time if taken is None else lambda: taken
    read = _noted(tree, b"processes_monotonic")
    age = 0.0 if read is None else max(0.0, at - read)
    return System(CapturedRoot(tree), CaptureTransport(tree), clock, root, monotonic=lambda: at, processes_age_s=age)


def _moments(tree: Tree, root: str, end: float, part: Callable[[str], Tree]) -> tuple[System, ...]:
    """Return the earlier moments of a capture; none if their times are not known or do not rise to *end*."""
    try:
        numbers = sorted(
            int(n) for n, is_folder in tree.folders(MOMENTS) if is_folder and n.isascii() and n.isdecimal()
        )
    except OSError:
        return ()
    found = tuple(_moment(part(f"{MOMENTS}/{n}"), root) for n in numbers[:_MOST_MOMENTS])
    times = [0.0, *(moment.monotonic() for moment in found), end]
    rise = times == sorted(set(times))
    return found if rise else ()


def open_capture(root: str) -> Tree:
    """Return the files of a captured system: those of *root*, or of an archive, or of the only folder in either.

    Raises:
        SourceUnavailable: it does not exist, or holds neither ``proc`` nor ``netlink``.
        SourceTruncated: it is a damaged archive.
    """
    from sockdiag.sources.capture.archive import NO_CAPTURE, is_archive, read_archive, read_text_file

    if is_archive(root):
        try:
            found = read_text_file(root)
        except OSError as error:
            raise source_error(root, error) from None
        return found or bundle_tree(read_archive(root))
    try:
        inner = [name for name, _is_folder in FolderTree(root).folders("/")]
    except NotADirectoryError as error:
        if os.path.exists(root):
            raise SourceUnavailable(root, "neither a regular file nor a folder", error.errno) from None
        raise source_error(root, error) from None
    except OSError as error:
        raise source_error(root, error) from None
    # A link would lead out of it.
    for tree in (FolderTree(root), *(FolderTree(root, name) for name in inner if len(inner) == 1)):
        try:
            if any(name in ("proc", "netlink") and is_folder for name, is_folder in tree.folders("/")) or layout_of(
                tree
            ):
                return bundle_tree(tree)
        except OSError:
            continue
    raise SourceUnavailable(root, NO_CAPTURE, errno.ENOENT)


def capture_time(root: str | Tree) -> float | None:
    """Return when a capture was made (``captured_at`` of its meta.toml), in seconds since the epoch.

    None: it has no such line, or one that is no time between 1970 and 9999, which no clock shows.
    """
    return _noted(root, b"captured_at")


def _noted(root: str | Tree, name: bytes) -> float | None:
    # A time of meta.toml.
    try:
        meta = CapturedRoot(root).read("/meta.toml")
    except (SourceUnavailable, SourceTruncated):
        return None
    for line in meta.splitlines():
        key, equals, value = line.partition(b"=")
        if equals and key.strip() == name:
            try:
                at = float(value)
            except ValueError:
                return None
            return at if 0 <= at <= _LAST_TIME else None
    return None


def _wanted_states(request: Request) -> bytes:
    # By state number, 1 if it was asked for; states that no mask can name are kept.
    states = request.states
    keep = bytearray(b"\1" * 256)
    for state in range(32):
        keep[state] = states >> state & 1
    if request.name.startswith("inet_diag_tcp"):
        # Linux lists no other closed TCP sockets than bound ones, and those by a bit of their own (6.8).
        keep[CLOSE] = states >> BOUND_INACTIVE & 1
    return bytes(keep)


def _answer(
    request: Request, name: str, first: bytes, rest: Iterator[bytes], keep: bytes, other: int
) -> Iterator[bytes]:
    # *other*: the family whose messages are left out; 0 for none.
    asked = Asked(request)
    interrupted = False
    ready = bytearray()
    try:
        for data, offset, length, kind, flags in _messages(request, name, first, rest):
            if flags & NLM_F_DUMP_INTR:
                interrupted = True
            if kind in {NLMSG_DONE, NLMSG_ERROR}:
                if length >= NLMSG_HDRLEN + 4:
                    raise_errno(request, data, offset)
                continue
            family = data[offset + NLMSG_HDRLEN] if length > NLMSG_HDRLEN else 0
            place = _STATE_AT.get(family)
            if place is not None:
                if family == other:
                    continue
                if length > NLMSG_HDRLEN + place and not keep[data[offset + NLMSG_HDRLEN + place]]:
                    continue
            if ready and len(ready) + length > DATAGRAM:
                yield bytes(ready)
                ready.clear()
            if place is not None and asked.unasked:
                ready += asked.of(data[offset : offset + length])
            else:
                ready += data[offset : offset + align4(length)]
            # A file may end without the padding of its last message.
            ready += bytes(-len(ready) & 3)
    except SourceError:
        if ready:
            yield bytes(ready)
        raise
    if ready:
        yield bytes(ready)
    if interrupted:
        raise SourceInterrupted(request.source, "the table changed while the kernel dumped it (NLM_F_DUMP_INTR)")


def _messages(
    request: Request, name: str, data: bytes, rest: Iterator[bytes]
) -> Iterator[tuple[bytes, int, int, int, int]]:
    # Buffer, offset, length, type and flags of each message; the file is read as they are asked for.
    position = 0
    while data:
        offset, end = 0, len(data)
        while end - offset >= NLMSG_HDRLEN:
            length, kind, flags = _HEADER.unpack_from(data, offset)
            if not NLMSG_HDRLEN <= length <= MAX_MESSAGE:
                raise _damaged(request, name, position + offset, f"a message of {length} bytes")
            if length > end - offset:
                break
            yield data, offset, length, kind, flags
            offset += align4(length)
        position += offset
        # Padding that has not been read yet is left out of the next piece.
        padding = max(0, offset - end)
        more = next(rest, b"")
        while more and len(more) <= padding:
            padding -= len(more)
            more = next(rest, b"")
        if not more and offset < end:
            raise _damaged(request, name, position, f"{end - offset} bytes of an incomplete message")
        data = data[offset:] + more[padding:]


def _damaged(request: Request, name: str, position: int, what: str) -> SourceTruncated:
    return SourceTruncated(request.source, f"netlink/{name}.nl is damaged at byte {position}: {what}")
