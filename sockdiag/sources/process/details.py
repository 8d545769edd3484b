"""Describe a process: by psutil on this system, from its files in a capture.

psutil reads the running system's /proc only, and takes longer to import than a command takes: functions import it. Its
state is read from its stat file in both (``sockdiag.sources.process.stat``), as rules read it.
"""

from __future__ import annotations

import os
import time

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.model.process import Ancestor, Process
from sockdiag.model.provenance import Gap
from sockdiag.sources.process.cgroup import CgroupPaths
from sockdiag.sources.process.stat import parse_stat, read_stat, read_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.sources.process.stat import ProcessStat
    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

SOURCE = "/proc/PID/stat"

# A command line may have megabytes.
MAX_COMMAND = 4096

# In a captured /proc a process may be its own ancestor.
_MAX_ANCESTORS = 64

# Ticks of starttime: USER_HZ, which is 100 but on alpha and ia64.
_USER_HZ = 100

_YEAR_10000 = 253_402_300_800


def read_process(files: ProcRoot, pid: int, user: Callable[[int], str]) -> tuple[Process, list[Gap]]:
    """Read the description of a process.

    Args:
        files: the system.
        pid: the process.
        user: names a user by number.

    Returns:
        The process, and what a capture does not have of it.

    Raises:
        SourceUnavailable: it has ended, no capture has it, or psutil is not installed.
        SourceDenied: it may not be read.
    """
    if files.live:
        return _running(files, pid, user), []
    with files.process(pid) as process:
        return _captured(files, pid, process, user)


def resident_bytes(pid: int) -> int | None:
    """Return the resident memory of a process of this system; None if it has ended or may not be read."""
    from psutil import Error
    from psutil import Process as Running

    try:
        return int(Running(pid).memory_info().rss)
    except Error:
        return None


def _running(files: ProcRoot, pid: int, user: Callable[[int], str]) -> Process:
    path = f"/proc/{pid}"
    try:
        from psutil import AccessDenied, NoSuchProcess, ZombieProcess
        from psutil import Process as Running
    except ImportError as error:
        raise SourceUnavailable(path, f"psutil cannot be imported: {error}", hint="install psutil") from None
    try:
        process = Running(pid)
        with process.oneshot():
            try:
                command = _command(map(os.fsencode, process.cmdline()))
            except ZombieProcess:
                command = None  # its memory is gone
            found = Process(
                command,
                user=user(process.uids().real),
                started=_utc(process.create_time()),
                ancestors=tuple(Ancestor(parent.pid, _comm(files, parent.pid)) for parent in process.parents()),
            )
        found = _with_state(files, pid, found)
        if not process.is_running():
            raise NoSuchProcess(pid)
    except NoSuchProcess:
        raise SourceUnavailable(path, "the process has ended") from None
    except AccessDenied:
        raise SourceDenied(path, "Permission denied", hint="run as root") from None
    return found


def _with_state(files: ProcRoot, pid: int, found: Process) -> Process:
    try:
        with files.process(pid) as process:
            state = read_state(files, process, CgroupPaths(files))
            return found._replace(state=state, threads=read_stat(process).threads, waits_in=_wchan(process))
    except (SourceError, ParseError):
        return found


def _wchan(process: ProcessFiles) -> str | None:
    try:
        name = process.read("wchan")
    except SourceError:
        return None
    text = name.decode("ascii", "backslashreplace").strip()
    return text if text not in ("", "0") else None


def _command(arguments: Iterable[bytes]) -> bytes:
    # Who overwrites its command line leaves NULs after the new one.
    return b" ".join(arguments).rstrip()[:MAX_COMMAND]


def _utc(seconds: float) -> str | None:
    if seconds >= _YEAR_10000:
        return None
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03}Z"


def _comm(files: ProcRoot, pid: int) -> bytes | None:
    try:
        return files.read(f"/proc/{pid}/comm").removesuffix(b"\n")
    except SourceError:
        return None


def _captured(
    files: ProcRoot, pid: int, process: ProcessFiles, user: Callable[[int], str]
) -> tuple[Process, list[Gap]]:
    missing: list[str] = []

    def content(read: Callable[[str], bytes], name: str) -> bytes | None:
        try:
            return read(name)
        except SourceError as error:
            missing.append(error.source)
            return None

    command, status, stat = (content(process.read, name) for name in ("cmdline", "status", "stat"))
    labels = _labels(status or b"")
    parsed = _parsed(stat, f"{process.path}/stat")
    ticks = None if parsed is None else parsed.start_ticks
    boot = None if ticks is None else _boot_time(content(files.read, "/proc/stat") or b"")
    uid = _number(labels.get(b"Uid", b"").partition(b"\t")[0])
    parent = _number(labels.get(b"PPid", b""))
    found = Process(
        None if command is None else _command(command.split(b"\0")),
        read_state(files, process, CgroupPaths(files)),
        None if uid is None else user(uid),
        None if boot is None or ticks is None else _utc(boot + ticks / _USER_HZ),
        None if parent is None else tuple(_ancestors(files, parent, {pid})),
        None if parsed is None else parsed.threads,
        _wchan(process),
    )
    if not missing:
        return found, []
    return found, [Gap(", ".join(missing), "not captured", None, "inspect the running system")]


def _labels(body: bytes) -> dict[bytes, bytes]:
    """Split /proc/PID/status; of a label that is there twice the first counts."""
    found: dict[bytes, bytes] = {}
    for line in body.split(b"\n"):
        label, _, value = line.partition(b":")
        found.setdefault(label, value.strip())
    return found


def _parsed(body: bytes | None, path: str) -> ProcessStat | None:
    try:
        return None if body is None else parse_stat(body, path)
    except ParseError:
        return None


def _boot_time(body: bytes) -> int | None:
    return next((_number(line[6:].strip()) for line in body.split(b"\n") if line.startswith(b"btime ")), None)


def _ancestors(files: ProcRoot, pid: int, known: set[int]) -> Iterable[Ancestor]:
    while pid and pid not in known and len(known) <= _MAX_ANCESTORS:
        known.add(pid)
        yield Ancestor(pid, _comm(files, pid))
        try:
            labels = _labels(files.read(f"/proc/{pid}/status"))
        except SourceError:
            return
        pid = _number(labels.get(b"PPid", b"")) or 0


def _number(token: bytes) -> int | None:
    return int(token) if token.isdigit() and len(token) <= 19 else None
