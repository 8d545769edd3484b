"""The Process column: which processes hold a socket, in the order in which the reference lists them, newest found first.

**Source:** /proc/PID/fd, /proc/PID/stat.
"""

from __future__ import annotations

from sockdiag.sources.process.sockets import comm, sockets, tasks
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.output import bytes_text, safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class OwnerTexts:
    """The Process column.

    Args:
        held: by inode, the text of its holder, or of each of several, the first found first.
    """

    __slots__ = ("_held",)

    def __init__(self, held: Mapping[int, str | list[str]]) -> None:
        self._held = held

    def text(self, inode: int) -> str:
        """Print the Process column of a socket."""
        held = self._held.get(inode) if inode else None
        if held is None:
            return ""
        return f" users:({held if isinstance(held, str) else ','.join(reversed(held))})"


def scan(root: str, *, threads: bool, old: bool) -> dict[int, str | list[str]]:
    """Find the holders of all sockets, in one pass over the processes of the /proc folder *root*."""
    files = ProcRoot()
    held: dict[int, str | list[str]] = {}
    known = held.get
    for pid, tid, folder in tasks(files, root, threads=threads):
        head = ""
        for fd, inode in sockets(files, folder):
            if not head:
                name = shown(comm(files, folder), old=old)
                head = f'("{name}",pid={pid},' + (f"tid={tid},fd=" if threads else "fd=")
            before = known(inode)
            if before is None:
                held[inode] = f"{head}{fd})"
            elif isinstance(before, str):
                held[inode] = [before, f"{head}{fd})"]
            else:
                before.append(f"{head}{fd})")
    return held


_SHOWN = bytes([ord("?") if c >= 0x80 else ord(".") if c < 0x20 or c == 0x7F else c for c in range(256)])


def shown(name: bytes, *, old: bool) -> str:
    """Make a process name printable as 7.1 does; 6.1 prints it as any name."""
    return safe_text(name) if old else bytes_text(name.translate(_SHOWN))
