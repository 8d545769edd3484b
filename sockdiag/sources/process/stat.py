"""/proc/PID/stat: name, state, parent, threads and start of a process; and whether its cgroup is frozen."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError
from sockdiag.kernel.task_states import FROZEN, TASK_STATES
from sockdiag.model.record import COUNT, ID, LABEL, Record, field
from sockdiag.sources.proc.table import number
from sockdiag.sources.process.cgroup import CgroupPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

SOURCE = "/proc/PID/stat"

# Columns behind the name, the first of which is the state: include/uapi and proc_pid_stat(5) count from 3.
_STATE, _PPID, _TTY, _THREADS, _STARTTIME = 0, 1, 4, 17, 19


class ProcessStat(Record):
    """One process. Source: ``do_task_stat()``, fs/proc/array.c."""

    comm: bytes = field("Name.", kind=LABEL)
    letter: str = field("State, as ps shows it.", kind=LABEL)
    parent: int | None = field("Its parent; 0 if that is in another pid namespace.", default=None, kind=ID)
    threads: int | None = field("Threads.", default=None, unit=COUNT)
    start_ticks: int | None = field("Start, in ticks after boot.", default=None)
    terminal: int | None = field("Device number of its controlling terminal; 0 for none.", default=None, kind=ID)


def parse_stat(body: bytes, path: str = SOURCE) -> ProcessStat:
    """Parse a process's stat file.

    Source: ``do_task_stat()``: ``pid (comm) state ppid …``. The name may itself hold parentheses, blanks and newlines; the
    last parenthesis ends it, because only numbers follow.

    Raises:
        ParseError: there is no name, or no state behind it.
    """
    start, end = body.find(b"("), body.rfind(b")")
    columns = body[end + 1 :].split()
    if not 0 <= start < end or not columns or len(columns[0]) != 1 or not columns[0].isalpha():
        raise ParseError(path, 1, "state", "pid (comm) state …", body[:80])

    def column(place: int) -> int | None:
        return number(columns[place]) if len(columns) > place else None

    letter = columns[_STATE].decode("ascii")
    name = body[start + 1 : end]
    return ProcessStat(name, letter, column(_PPID), column(_THREADS), column(_STARTTIME), column(_TTY))


def read_stat(process: ProcessFiles) -> ProcessStat:
    """Read the stat file of a process.

    Raises:
        SourceError: it has ended, may not be read, or the capture lacks it.
        ParseError: it is of another shape.
    """
    return parse_stat(process.read("stat"), f"{process.path}/stat")


def read_states(files: ProcRoot, pids: Iterable[int]) -> dict[int, str]:
    """Read the states of a few processes: the kernel's word, or ``frozen`` if their cgroup is frozen.

    A process that has ended, or that may not be read, is left out.
    """
    found: dict[int, str] = {}
    cgroups = CgroupPaths(files)
    for pid in pids:
        try:
            with files.process(pid) as process:
                state = read_state(files, process, cgroups)
        except SourceError:
            continue
        if state is not None:
            found[pid] = state
    return found


def read_turns(files: ProcRoot, pids: Iterable[int]) -> dict[int, int]:
    """Count how often the threads of a few processes were given a CPU.

    As long as the number stays, none of them ran, unless one has been running all the time. A process that has ended, that may
    not be read, or of a kernel without the file is left out.

    Source: ``proc_pid_schedstat()``, fs/proc/base.c: ``sched_info.pcount`` of each thread.
    """
    found: dict[int, int] = {}
    for pid in pids:
        try:
            with files.process(pid) as process:
                numbers = [process.read(f"task/{thread}/schedstat").split() for thread in process.names("task")]
        except SourceError:
            continue
        turns = [number(columns[2]) for columns in numbers if len(columns) > 2]
        known = [n for n in turns if n is not None]
        if known and len(known) == len(numbers):
            found[pid] = sum(known)
    return found


def read_state(files: ProcRoot, process: ProcessFiles, cgroups: CgroupPaths) -> str | None:
    """Return the state of a process: the kernel's word, or ``frozen`` if its cgroup is frozen; None if that is unknown.

    A capture may have the status file only.
    """
    try:
        letter = read_stat(process).letter
    except (SourceError, ParseError):
        letter = _letter_in_status(process)
    if not letter:
        return None
    return FROZEN if letter in "SD" and _is_frozen(files, process, cgroups) else TASK_STATES.get(letter, letter)


def _letter_in_status(process: ProcessFiles) -> str:
    try:
        lines = process.read("status").split(b"\n")
    except SourceError:
        return ""
    # State:	D (disk sleep)
    words = next((line.split() for line in lines if line.startswith(b"State:")), [])
    letter = words[1] if len(words) > 1 else b""
    return letter.decode("ascii") if len(letter) == 1 and letter.isalpha() else ""


def _is_frozen(files: ProcRoot, process: ProcessFiles, cgroups: CgroupPaths) -> bool:
    """Return whether a process's cgroup is frozen, as ``docker pause`` and ``systemctl freeze`` do it.

    Source: ``cgroup_events_show()``, kernel/cgroup/cgroup.c.
    """
    try:
        for line in process.read("cgroup").split(b"\n"):
            # The root cannot be frozen, and ".." is a cgroup outside this process's cgroup namespace.
            if line.startswith(b"0::/") and line != b"0::/" and b"/.." not in line:
                point = cgroups.mount()
                path = line[3:].removesuffix(b" (deleted)").decode("utf-8", "surrogateescape")
                return point is not None and b"frozen 1" in files.read(f"{point}{path}/cgroup.events").split(b"\n")
    except SourceError:
        return False  # a cgroup namespace, a kernel without cgroup2, or a capture without the file
    return False
