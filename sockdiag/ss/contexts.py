"""SELinux contexts of processes and their sockets (-Z, -z).

**Source:** /proc/filesystems, /proc/PID/attr/current, getfilecon(3) of /proc/PID/fd/N.
"""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.owners import comm, directory, shown, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.options import Settings

_FILES = ProcRoot()
_NONE = "unavailable"


def selinux_enabled() -> bool:
    """Tell whether the kernel has SELinux and it is mounted, as libselinux does."""
    try:
        return any(b" selinuxfs " in line for line in _FILES.read("/proc/self/mounts").split(b"\n"))
    except SourceError:
        return False


def scan(settings: Settings, root: str) -> dict[int, str | list[str]]:
    """Find owners as :class:`sockdiag.ss.owners.Owners` does, with their contexts."""
    held: dict[int, list[str]] = {}
    root = root.rstrip("/")
    for pid in directory(root):
        if not pid.isdecimal():
            continue
        tids = [pid]
        if settings.threads:
            tids += [tid for tid in directory(f"{root}/{pid}/task") if tid != pid and tid.isdecimal()]
        for tid in tids:
            _holder(held, f"{root}/{tid}", pid, tid, settings)
    return dict(held)


def _holder(held: dict[int, list[str]], path: str, pid: str, tid: str, settings: Settings) -> None:
    head = ""
    for fd, inode in sockets(path):
        if not head:
            thread = f"tid={tid}," if settings.threads else ""
            head = f'("{shown(comm(path), old=settings.old)}",pid={pid},{thread}proc_ctx={_process_context(path)},fd='
        entry = f"{head}{fd}"
        if settings.sock_context:
            entry += f",sock_ctx={_socket_context(f'{path}/fd/{fd}')}"
        held.setdefault(inode, []).append(f"{entry})")


def _process_context(path: str) -> str:
    try:
        return _FILES.read(f"{path}/attr/current").rstrip(b"\0\n").decode("latin-1") or _NONE
    except SourceError:
        return _NONE


def _socket_context(path: str) -> str:
    try:
        return os.getxattr(path, "security.selinux").rstrip(b"\0").decode("latin-1") or _NONE
    except OSError:
        return _NONE
