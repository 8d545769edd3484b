"""List the processes, and say if there may be more than /proc shows: hidden ones could hold any socket."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.model.provenance import Gap
from sockdiag.sources.proc.mountinfo import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_SOURCE = "/proc"
_INIT = 1
_CAP_SYS_PTRACE = 19  # include/uapi/linux/capability.h
# Modes of hidepid= in which others' processes are listed all the same. Source: proc_fs_info, fs/proc/root.c.
_LISTED = ("hidepid=0", "hidepid=off", "hidepid=1", "hidepid=noaccess")
_PTRACEABLE = ("hidepid=4", "hidepid=ptraceable")


def visible_processes(files: ProcRoot) -> tuple[list[int], Gap | None]:
    """Return the processes that /proc shows, lowest number first, and a gap if it shows none, or may hide some."""
    try:
        pids = files.pids()
    except SourceError as error:
        return [], Gap.from_error(error)
    if not pids:
        return pids, Gap(_SOURCE, "no processes found")
    return pids, _hidden(files, pids) if files.live else None


def _hidden(files: ProcRoot, pids: list[int]) -> Gap | None:
    try:
        own = int(files.link("/proc/self"))
    except (SourceError, ValueError):
        return Gap(
            _SOURCE,
            "shows the processes of another PID namespace, and not this one",
            None,
            "mount a new one: mount -t proc proc /proc",
        )
    complete = pids[0] == _INIT
    try:
        options = [m.options for m in mounts(files) if m.point == _SOURCE][-1]
    except (SourceError, IndexError):
        return None if complete else Gap(_SOURCE, "may hide processes of other users", None, "run as root")
    said = next((option for option in options if option.startswith("hidepid=")), _LISTED[0])
    if said in _LISTED or (complete and _exempt(files, own, said, options)):
        return None
    return Gap(_SOURCE, f"processes of other users are hidden (mounted with {said})", None, "run as root")


def _exempt(files: ProcRoot, own: int, said: str, options: tuple[str, ...]) -> bool:
    """Return whether this process sees all of its PID namespace. Source: ``has_pid_permissions()``, fs/proc/base.c."""
    try:
        status = dict(line.partition(b":")[::2] for line in files.read(f"/proc/{own}/status").splitlines())
        if int(status[b"CapEff"], 16) >> _CAP_SYS_PTRACE & 1:
            return True
    except (SourceError, KeyError, ValueError):
        return False
    group = next((option[4:] for option in options if option.startswith("gid=")), "")
    return said not in _PTRACEABLE and group in map(str, (os.getegid(), *os.getgroups()))
