"""Record what is read of a system, and write it as a capture.

The recorders (``sockdiag.sources.capture.recorders``) note in a :class:`Recording` what passes through them, and the commands read the
same from the capture that :func:`write_capture` makes of it.
"""

from __future__ import annotations

import errno
import os

from sockdiag.errors import NotCaptured, SourceDenied, SourceError, SourceInterrupted, SourceUnavailable
from sockdiag.kernel.byte_order import S32, U16
from sockdiag.kernel.families import FAMILIES
from sockdiag.kernel.inet_diag import MD5SIG, MD5SIG_KEY, MD5SIG_STRUCT, MSG_ATTRIBUTES
from sockdiag.kernel.netlink import (
    NLA_HDRLEN,
    NLA_TYPE_MASK,
    NLATTR,
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
    align4,
)
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.sources.capture.transport import file_names
from sockdiag.sources.system.captured_root import STAT_FILE, Stat, format_stats
from sockdiag.sources.system.proc_root import source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockdiag.sources.system.transport import Request

# The part of a message's payload that identifies a socket.
_IDENTITY = {family.number: family.identity for family in FAMILIES}

_INET = {bytes((AF_INET,)), bytes((AF_INET6,))}
_MD5SIG_TYPE = U16.pack(MD5SIG)


class Recording:
    """Everything that was read: files, links and folders by path, answers by request."""

    __slots__ = ("answers", "files", "folders", "links", "stats")

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.folders: set[str] = set()
        self.stats: dict[str, Stat] = {}
        self.answers: dict[Request, Answer] = {}

    def refused(self, error: SourceError) -> None:
        """Note a file that could not be read, unless because it does not exist."""
        if error.errno not in {None, errno.ENOENT, errno.ESRCH, errno.ENOTDIR}:
            self._stat(error.source).errno = error.errno

    def inode(self, path: str, inode: int) -> None:
        """Note the inode that a path leads to."""
        self._stat(path).inode = inode

    def size(self, path: str, size: int) -> None:
        """Note the size of a file that could not be read."""
        self._stat(path).size = size

    def netlink(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each file of answers.

        Several answers to requests of one name (for other states, with other attributes) become one: each socket once,
        with the most attributes.
        """
        by_name: dict[str, list[Answer]] = {}
        for request, answer in self.answers.items():
            for part, name in zip(answer.split(request), file_names(request.name), strict=True):
                by_name.setdefault(name, []).append(part)
        for name, answers in by_name.items():
            best = next((a for a in answers if not a.failed), answers[0])
            merged = best.messages if len(answers) == 1 else _merged(answers)
            yield name, b"".join((*map(kept, merged), best.ending))

    def _stat(self, path: str) -> Stat:
        return self.stats.setdefault(path, Stat())


class Answer:
    """The messages that answered a request, and how the answer ended.

    Attributes:
        messages: with their headers.
        ending: NLMSG_DONE, or NLMSG_ERROR with the error that a replay shall raise.
        failed: the answer is not complete.
    """

    __slots__ = ("ending", "failed", "messages")

    def __init__(self, messages: list[bytes], ending: bytes, *, failed: bool) -> None:
        self.messages = messages
        self.ending = ending
        self.failed = failed

    def split(self, request: Request) -> list[Answer]:
        """Return one answer for each file: those of a walk of both families are kept by family."""
        if "+" not in request.name:
            return [self]
        by_family = ([m for m in self.messages if m[NLMSG_HDRLEN] == f] for f in (AF_INET, AF_INET6))
        return [Answer(part, self.ending, failed=self.failed) for part in by_family]


def write_capture(folder: str, recording: Recording, meta: Mapping[str, str | float]) -> None:
    """Write a recording as a capture.

    Args:
        folder: where to; it must not exist. Its parent must.
        recording: what was read.
        meta: for ``meta.toml``: kernel, arch, captured_at (seconds since the epoch), how.

    Raises:
        SourceError: it cannot be written.
    """
    try:
        os.mkdir(folder)
        for path in sorted(recording.folders):
            os.makedirs(_below(folder, path), exist_ok=True)
        for path, body in recording.files.items():
            _write(_below(folder, path), body)
        for path, text in recording.links.items():
            target = _below(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(text, target)
        for name, answer in recording.netlink():
            _write(f"{folder}/netlink/{name}.nl", answer)
        if recording.stats:
            _write(folder + STAT_FILE, format_stats(recording.stats))
        _write(f"{folder}/meta.toml", toml(meta))
    except OSError as error:
        raise source_error(folder, error) from None


def _below(folder: str, path: str) -> str:
    assert path.startswith("/"), path
    assert ".." not in path.split("/"), path
    return folder + path


def _write(path: str, body: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as out:
        out.write(body)


def toml(meta: Mapping[str, str | float]) -> bytes:
    """Format keys and values as TOML."""
    from json import dumps  # its strings are TOML's basic strings

    return "".join(f"{key} = {dumps(value)}\n" for key, value in meta.items()).encode()


def without_secrets(message: bytes) -> bytes:
    """Return an inet message with its TCP-MD5 keys, which are visible with CAP_NET_ADMIN, made unreadable."""
    if message[NLMSG_HDRLEN : NLMSG_HDRLEN + 1] not in _INET or _MD5SIG_TYPE not in message[MSG_ATTRIBUTES:]:
        return message
    hidden = bytearray(message)
    offset = MSG_ATTRIBUTES
    while len(message) - offset >= NLA_HDRLEN:
        length, kind = NLATTR.unpack_from(message, offset)
        if length < NLA_HDRLEN:
            break
        if kind & NLA_TYPE_MASK == MD5SIG:
            for place in range(offset + NLA_HDRLEN, min(offset + length, len(message)), MD5SIG_STRUCT.size):
                end = min(place + MD5SIG_STRUCT.size, len(message))
                start = min(place + MD5SIG_KEY, end)
                hidden[start:end] = bytes(b"*"[0] if byte else 0 for byte in message[start:end])
        offset += align4(length)
    return bytes(hidden)


def kept(message: bytes) -> bytes:
    """Return a message as a capture keeps it: without secrets, and padded so that another can follow."""
    message = without_secrets(message)
    return message + bytes(-len(message) & 3)


def done_message(flags: int) -> bytes:
    """Build the NLMSG_DONE that ends a whole answer."""
    return NLMSGHDR.pack(NLMSG_HDRLEN + 4, NLMSG_DONE, NLM_F_MULTI | flags, 0, 0) + S32.pack(0)


def error_message(number: int) -> bytes:
    """Build the NLMSG_ERROR that makes a replay raise errno *number*."""
    # struct nlmsgerr: the error, and the header of the request
    return NLMSGHDR.pack(NLMSG_HDRLEN + 20, NLMSG_ERROR, 0, 0, 0) + S32.pack(-number) + bytes(16)


UNREAD = error_message(errno.ENOBUFS)


def ending_of(error: SourceError | None) -> bytes | None:
    """Build the message that ends an answer as *error* ended it (None: it is whole); None if nobody was asked.

    An answer that was not read to its end, for whatever other reason, is replayed as one of which a part was lost.
    """
    if error is None:
        return done_message(0)
    if isinstance(error, SourceInterrupted):
        return done_message(NLM_F_DUMP_INTR)
    if isinstance(error, NotCaptured):
        return None
    if isinstance(error, (SourceUnavailable, SourceDenied)):
        return error_message(error.errno or errno.ENOENT)
    return UNREAD


def _merged(answers: list[Answer]) -> list[bytes]:
    merged = list(answers[0].messages)
    places = {_identity(message): place for place, message in enumerate(merged)}
    for answer in answers[1:]:
        for message in answer.messages:
            place = places.setdefault(_identity(message), len(merged))
            if place == len(merged):
                merged.append(message)
            elif len(message) > len(merged[place]):
                merged[place] = message
    return merged


def _identity(message: bytes) -> bytes:
    payload = message[NLMSG_HDRLEN:]
    return payload[:1] + payload[_IDENTITY.get(payload[0] if payload else 0, slice(0, None))]
