"""Which processes hold a socket, in the order in which the reference lists them.

**Source:** /proc/PID/fd, /proc/PID/stat. One scan, newest found first.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.sources.system.proc_root import ProcRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.ss.options import Settings

_COMM = 15
_FILES = ProcRoot()


class Owners:
    """Owners by inode.

    Args:
        settings: which columns an entry has.
        root: the /proc directory.
    """

    __slots__ = ("_held", "_old", "_texts")

    def __init__(self, settings: Settings, root: str) -> None:
        self._old = settings.old
        self._texts: dict[int, str] = {}
        if settings.proc_context or settings.sock_context:
            from sockdiag.ss.contexts import scan

            self._held = scan(settings, root)
        else:
            self._held = _scan(root.rstrip("/") or "/", threads=settings.threads, old=settings.old)

    def text(self, inode: int) -> str:
        """Print the Process column of a socket."""
        held = self._held.get(inode) if inode else None
        if held is None:
            return ""
        return f" users:({held if isinstance(held, str) else ','.join(reversed(held))})"


def _scan(root: str, *, threads: bool, old: bool) -> dict[int, str | list[str]]:
    held: dict[int, str | list[str]] = {}
    for name in directory(root):
        if not name.isdecimal():
            continue
        _holder(held, f"{root}/{name}", name, name if threads else "", old=old)
        if threads:
            for tid in directory(f"{root}/{name}/task"):
                if tid != name and tid.isdecimal():
                    _holder(held, f"{root}/{tid}", name, tid, old=old)
    return held


def _holder(held: dict[int, str | list[str]], path: str, pid: str, tid: str, *, old: bool) -> None:
    """Enter the sockets of one process or thread."""
    known = held.get
    head = ""
    for fd, inode in sockets(path):
        if not head:
            head = f'("{shown(comm(path), old=old)}",pid={pid},' + (f"tid={tid},fd=" if tid else "fd=")
        before = known(inode)
        if before is None:
            held[inode] = f"{head}{fd})"
        elif isinstance(before, str):
            held[inode] = [before, f"{head}{fd})"]
        else:
            before.append(f"{head}{fd})")


def sockets(path: str) -> Iterator[tuple[str, int]]:
    """Yield descriptor and inode of each socket that a process has open, in readdir order."""
    try:
        for fd, link in _FILES.links(f"{path}/fd"):
            if link[:8] == "socket:[" and fd.isdecimal() and link[8:-1].isdecimal():
                yield fd, int(link[8:-1])
    except SourceError:
        return


def directory(path: str) -> list[str]:
    """List a directory in readdir order; nothing where it cannot be read."""
    try:
        return _FILES.names(path)
    except SourceError:
        return []


def comm(path: str, most: int = _COMM) -> bytes:
    """Return the name of a process: the text in parentheses of its stat, at most *most* bytes.

    A name may contain a parenthesis; where stat leaves that open, the kernel's comm file decides.
    """
    try:
        stat = _FILES.read(f"{path}/stat")
    except SourceError:
        return b""
    name = stat.partition(b"(")[2]
    first, last = name.find(b")"), name.rfind(b")")
    if first != last:
        try:
            return _FILES.read(f"{path}/comm").removesuffix(b"\n")[:most]
        except SourceError:
            pass
    return name[: min(first, most) if first >= 0 else most]


_SHOWN = bytes([ord("?") if c >= 0x80 else ord(".") if c < 0x20 or c == 0x7F else c for c in range(256)])


def shown(name: bytes, *, old: bool) -> str:
    """Make a process name printable as 7.1 does; 6.1 prints it as it is."""
    return (name if old else name.translate(_SHOWN)).decode("latin-1")
