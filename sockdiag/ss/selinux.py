"""SELinux contexts of processes and their sockets (-Z, -z).

**Source:** /proc/filesystems, /proc/PID/attr/current, getfilecon(3) of /proc/PID/fd/N.
"""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.sources.process.sockets import comm, sockets, tasks
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.output import safe_text
from sockdiag.ss.owners import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.ss.settings import Settings

_FILES = ProcRoot()
_NONE = "unavailable"


def selinux_enabled() -> bool:
    """Return whether the kernel has SELinux and selinuxfs is mounted, as libselinux checks."""
    try:
        return any(b" selinuxfs " in line for line in _FILES.read("/proc/self/mounts").split(b"\n"))
    except SourceError:
        return False


def scan_labelled(root: str, settings: Settings) -> Mapping[int, list[str]]:
    """Find the holders of all sockets as :func:`sockdiag.ss.owners.scan` does, with their contexts."""
    held: dict[int, list[str]] = {}
    for pid, tid, folder in tasks(_FILES, root, threads=settings.threads):
        head = ""
        for fd, inode in sockets(_FILES, folder):
            if not head:
                name = shown(comm(_FILES, folder), old=settings.old)
                thread = f"tid={tid}," if settings.threads else ""
                head = f'("{name}",pid={pid},{thread}proc_ctx={_process_context(folder)},fd='
            entry = f"{head}{fd}"
            if settings.sock_context:
                entry += f",sock_ctx={_socket_context(f'{folder}/fd/{fd}')}"
            held.setdefault(inode, []).append(f"{entry})")
    return held


def _process_context(path: str) -> str:
    try:
        return safe_text(_FILES.read(f"{path}/attr/current").rstrip(b"\0\n")) or _NONE
    except SourceError:
        return _NONE


def _socket_context(path: str) -> str:
    try:
        return safe_text(os.getxattr(path, "security.selinux").rstrip(b"\0")) or _NONE
    except OSError:
        return _NONE
