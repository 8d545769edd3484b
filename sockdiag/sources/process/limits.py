"""Find processes near their limit of open files: /proc/PID/limits and the number of descriptors."""

from __future__ import annotations

from math import inf

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.model.fdinfo import Descriptors
from sockdiag.sources.proc.table import number
from sockdiag.sources.process.refusals import Refusals
from sockdiag.sources.process.sockets import LONGEST_LINK
from sockdiag.sources.process.visible import visible_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.provenance import Gap
    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

SOURCE = "/proc/PID/limits"
_LINE = b"Max open files"
_ROOM = b"FDSize:"
_SOCKET = b"socket:["

# Descriptors of a process that are read, lowest first: a server makes its listeners before it accepts.
_LOOKED_AT = 1024


def parse_open_files(body: bytes, path: str) -> int | None:
    """Return the soft limit of open files; None is unlimited.

    Source: ``proc_pid_limits()``, fs/proc/base.c.
    Units: descriptors.

    Raises:
        ParseError: the line is not there, or no number is in it.
    """
    for line, text in enumerate(body.split(b"\n"), 1):
        if text.startswith(_LINE):
            token = text[len(_LINE) :].split()[:1]
            if token == [b"unlimited"]:
                return None
            value = number(token[0]) if token else None
            if value is None:
                raise ParseError(path, line, "soft limit", "a number or unlimited", text)
            return value
    raise ParseError(path, 1, "Max open files", "a line of this name", body[:80])


def parse_room(body: bytes) -> float:
    """Return how many descriptors a process has room for before its table grows; infinity if that is not told.

    Source: ``FDSize`` of ``task_state()``, fs/proc/array.c.
    """
    for line in body.split(b"\n"):
        if line.startswith(_ROOM):
            room = number(line[len(_ROOM) :].strip())
            return inf if room is None else room
    return inf


def read_open_files(files: ProcRoot, pids: Iterable[int]) -> dict[int, int]:
    """Read the soft limit of open files of some processes; one that has none or cannot be read is left out."""
    found = {}
    for pid in pids:
        try:
            with files.process(pid) as process:
                limit = parse_open_files(process.read("limits"), f"{process.path}/limits")
        except (SourceError, ParseError):
            continue
        if limit is not None:
            found[pid] = limit
    return found


def read_crowded(files: ProcRoot, share: float) -> tuple[dict[int, Descriptors], list[Gap]]:
    """Find the processes whose open files are at least *share* of their soft limit.

    A process that ends meanwhile is left out.

    Source: ``/proc/PID/limits``; the size of ``/proc/PID/fd`` is the number of descriptors since 6.2, before they are listed;
    ``FDSize`` of ``/proc/PID/status`` bounds it where they may not be listed.

    Returns:
        The processes by pid, and what could not be seen.
    """
    found: dict[int, Descriptors] = {}
    pids, hidden = visible_processes(files)
    refused = Refusals(SOURCE, "open files")
    for pid in pids:
        try:
            with files.process(pid) as process:
                one = _look(pid, process, share)
        except SourceError as error:
            if not (files.live and isinstance(error, SourceUnavailable)):
                refused.add(error)
            continue
        except ParseError:
            continue
        if one is not None:
            found[pid] = one
    # One gap: the rule that lacks them names it.
    return found, [hidden._replace(source=SOURCE)] if hidden is not None else refused.gaps(len(pids))


def _look(pid: int, process: ProcessFiles, share: float) -> Descriptors | None:
    limit = parse_open_files(process.read("limits"), f"{process.path}/limits")
    if not limit:
        return None
    try:
        # A capture notes the size only where it could not list them.
        count = process.size("fd") or len(process.names("fd"))
    except SourceDenied as denied:
        # Others may see how many it has room for.
        try:
            room = parse_room(process.read("status"))
        except SourceError:
            raise denied from None
        if room < share * limit:
            return None
        raise
    if count < share * limit:
        return None
    inodes = frozenset(
        int(target[8:-1])
        for _fd, target in process.descriptors(_LOOKED_AT)
        if target[:8] == _SOCKET and target[8:-1].isdigit() and len(target) <= LONGEST_LINK
    )
    return Descriptors(pid, process.read("comm").removesuffix(b"\n"), count, limit, inodes)
