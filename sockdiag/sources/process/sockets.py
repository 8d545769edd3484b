"""Processes and threads of any /proc tree, the sockets that each has open, and its name, in the order of the folders.

``sockdiag ss`` reads these: it shows that order, threads, and the names of processes as ``stat`` has them.
``sockdiag.sources.process.fd`` finds owners for everything else: it is as fast per socket, but loads 2 ms of modules, a
twelfth of the time in which ``ss`` starts.
"""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.proc_root import ProcRoot

# Longest name of a task, TASK_COMM_LEN without the NUL.
COMM = 15
# Inodes of sockets are an unsigned int (get_next_ino()); in a capture any text may stand there.
LONGEST_LINK = len("socket:[4294967295]")


def tasks(files: ProcRoot, root: str, *, threads: bool) -> Iterator[tuple[str, str, str]]:
    """Yield process, thread and folder of each process, with *threads* of each of its other threads too.

    Args:
        files: where to read.
        root: path of the /proc folder, without a slash at its end.
        threads: whether threads are wanted. The first one of a process has the number of the process.
    """
    for pid in _names(files, root or "/"):
        if not pid.isdecimal():
            continue
        yield pid, pid, f"{root}/{pid}"
        if threads:
            for tid in _names(files, f"{root}/{pid}/task"):
                if tid != pid and tid.isdecimal():
                    yield pid, tid, f"{root}/{tid}"


def _names(files: ProcRoot, path: str) -> list[str]:
    try:
        return files.names(path)
    except SourceError:
        return []


def sockets(files: ProcRoot, folder: str) -> Iterator[tuple[str, int]]:
    """Yield descriptor and inode of each socket that a process has open; nothing if they may not be read."""
    try:
        for fd, link in files.links(f"{folder}/fd"):
            if link[:8] == "socket:[" and fd.isdecimal() and link[8:-1].isdecimal() and len(link) <= LONGEST_LINK:
                yield fd, int(link[8:-1])
    except SourceError:
        return


def comm(files: ProcRoot, folder: str, most: int = COMM) -> bytes:
    """Return the name of a process as ss has it: what stat has up to its first closing parenthesis, at most *most* bytes."""
    try:
        stat = files.read(f"{folder}/stat")
    except SourceError:
        return b""
    return stat.partition(b"(")[2].partition(b")")[0][:most]
