"""The owners of sockets that a text names."""

from __future__ import annotations

from sockdiag.model.provenance import Gap
from sockdiag.model.quantity import counted
from sockdiag.sources.process.fd import OwnerScan, named_owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.proc_root import ProcRoot


def owner_scan(
    files: ProcRoot, source: str, sockets: Iterable[Socket], inodes: Collection[int] | None, *, numeric: bool
) -> OwnerScan:
    """Return the owners that the rows of a text name.

    Args:
        files: tells more of the processes.
        source: where the text stands, for gaps.
        sockets: its rows.
        inodes: those of the sockets in question; None for all.
        numeric: give users by number.
    """
    named = []
    unowned = 0
    pids = set()
    for socket in sockets:
        for owner in socket.processes or ():
            pids.add(owner.pid)
            if socket.inode and (inodes is None or socket.inode in inodes):
                named.append((socket.inode, owner.pid, owner.comm, owner.fd))
        unowned += bool(socket.inode) and not socket.processes
    # The text lists a process in the order in which the kernel did.
    named.sort(key=lambda row: (row[1], -1 if row[3] is None else row[3]))
    gaps: tuple[Gap, ...] = ()
    if unowned:
        # Sockets of the kernel have no process either.
        reason = f"names no process for {counted(unowned, 'socket')}"
        gaps = (Gap(source, reason, None, "collect it as root: others' processes are not shown to a user"),)
    return OwnerScan(named_owners(files, named, numeric=numeric), gaps, len(pids), 0)
