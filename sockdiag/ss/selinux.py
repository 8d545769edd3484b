"""SELinux contexts of processes and their sockets (-Z, -z).

**Source:** /proc/mounts, /proc/PID/attr/current, the attribute security.selinux of /proc/PID/fd/N, selinuxfs.
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
_CONFIG = "/etc/selinux/config"
_NONE = "unavailable"


def selinux_enabled() -> bool:
    """Return whether SELinux is on as libselinux has it: selinuxfs is mounted, not read-only, and there is a config file."""
    return _mount() is not None and os.path.exists(_CONFIG)


def _mount() -> str | None:
    try:
        lines = _FILES.read("/proc/self/mounts").decode("utf-8", "surrogateescape").split("\n")
    except SourceError:
        return None
    for line in lines:
        words = line.split(" ")
        # Containers have a read-only one, and are told that there is none.
        if len(words) > 3 and words[2] == "selinuxfs" and "ro" not in words[3].split(","):
            return words[1]
    return None


def netlink_context(portid: int) -> str:
    """Return the context of the process that a port id names, of the kernel for 0."""
    if portid < 0:
        return _NONE
    if portid:
        return _process_context(str(portid))
    try:
        return _text(_FILES.read(f"{_mount() or ''}/initial_contexts/kernel"))
    except SourceError:
        return _NONE


def scan_labelled(root: str, settings: Settings) -> Mapping[int, list[str]]:
    """Find the holders of all sockets as :func:`sockdiag.ss.owners.scan` does, with their contexts."""
    held: dict[int, list[str]] = {}
    for pid, tid, folder in tasks(_FILES, root, threads=settings.threads):
        head = ""
        for fd, inode in sockets(_FILES, folder):
            if not head:
                name = shown(comm(_FILES, folder), old=settings.old)
                thread = f"tid={tid}," if settings.threads else ""
                head = f'("{name}",pid={pid},{thread}proc_ctx={_process_context(tid)},fd='
            entry = f"{head}{fd}"
            if settings.proc_context & settings.sock_context:
                entry += f",sock_ctx={_socket_context(f'{folder}/fd/{fd}')}"
            held.setdefault(inode, []).append(f"{entry})")
    return held


def _process_context(task: str) -> str:
    # libselinux knows nothing of PROC_ROOT.
    try:
        return _text(_FILES.read(f"/proc/{task}/attr/current"))
    except SourceError:
        return _NONE


def _text(context: bytes) -> str:
    return safe_text(context.rstrip(b"\0\n")) or _NONE


def _socket_context(path: str) -> str:
    try:
        return _text(os.getxattr(path, "security.selinux"))
    except OSError:
        return _NONE
