"""Find every network namespace of the host, however it is held."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap, Namespace
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.sources.namespaces.netns import CLONE_NEWNET, OWN, current, inode_in, named
from sockdiag.sources.proc.mountinfo import parse_mountinfo
from sockdiag.sources.process.ancestors import init_and_ancestors
from sockdiag.sources.process.refusals import Refusals
from sockdiag.sources.process.visible import visible_processes
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

_NS_GET_NSTYPE = 0xB703  # _IO(NSIO, 3), include/uapi/linux/nsfs.h
_FIRST_INODE = 0xEFFFFFF0  # PROC_DYNAMIC_FIRST, and the initial namespaces' below it (6.18)
_SOURCE = "/proc/PID/ns/net"
_SOCKET = b"socket:["
# Stands for the inode of this process's own namespace where /proc does not give it.
_NO_INODE = 0
# Other ways into a namespace that are kept.
_OTHERS = 4


class FoundNamespace(Record):
    """A network namespace and a way into it."""

    namespace: Namespace = field("Which one.", of=Namespace)
    path: str = field("A file to enter it by, as long as what holds it is there.", kind=ID)
    held_by: str = field("self, name, mount, process, fd or socket: what keeps it.", kind=LABEL)
    others: tuple[str, ...] = field(
        "More files to enter it by, in case the process that the first one belongs to has ended.", default=()
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """All files to enter it by, the first to try first."""
        return (self.path, *self.others)


class FoundNamespaces(Record):
    """Every network namespace that could be found, each once: this process's, the named by name, the others by inode."""

    places: tuple[FoundNamespace, ...] = field("The namespaces.")
    gaps: tuple[Gap, ...] = field("Where there may be more; bounded.", default=())
    sockets: dict[int, tuple[int, int]] = field(
        "Inodes of the sockets that processes hold, with a process and descriptor of each.", default={}
    )


def list_all(files: ProcRoot, *, descriptors: bool = True) -> FoundNamespaces:
    """Find every network namespace: named, mounted anywhere, or held by a process, a thread or an open descriptor.

    One that only a socket keeps, with no process in it, is not found here: see
    ``sockdiag.sources.namespaces.kept_by_sockets``.

    Args:
        files: the system; of a captured one only the namespace it was made in is known.
        descriptors: search all open descriptors too, at 5 µs each.
    """
    search = _Search(files)
    try:
        search.add(current(files).inode, OWN, "self")
    except SourceError as error:
        search.gaps.append(Gap.from_error(error))
        if files.live:
            # Netlink answers all the same.
            search.found[_NO_INODE] = FoundNamespace(Namespace(), OWN, "self")
    if files.live:
        search.look(descriptors)
    own = {p.namespace.inode for p in search.found.values() if p.held_by == "self"}
    ordered = sorted(
        search.found.values(),
        key=lambda p: (p.namespace.inode not in own, p.namespace.name is None, p.namespace.name, p.namespace.inode),
    )
    return FoundNamespaces(tuple(ordered), (*search.gaps, *search.refused.gaps(search.processes)), search.sockets)


def outer_places(files: ProcRoot) -> Iterator[str]:
    """Yield files of namespaces that init and the ancestors of this process are in, where they differ from its own.

    The initial namespace, which alone shows the limits of the host, is mostly among them.
    """
    try:
        seen = {files.link(OWN)}
    except SourceError:
        return
    for one in init_and_ancestors(files):
        path = f"/proc/{one}/ns/net"
        try:
            link = files.link(path)
        except SourceError:
            continue
        if link not in seen:
            seen.add(link)
            yield path


class _Search:
    """Namespaces by inode, with the first ways into each that are found."""

    def __init__(self, files: ProcRoot) -> None:
        self.files = files
        self.found: dict[int, FoundNamespace] = {}
        self.gaps: list[Gap] = []
        self.refused = Refusals(_SOURCE, "network namespaces")
        self.processes = 0
        self.sockets: dict[int, tuple[int, int]] = {}
        self._names: dict[int, str] = {}
        self._mounts: set[str] = set()

    def add(self, inode: int | None, path: str, held_by: str) -> None:
        if inode is None:
            return
        known = self.found.get(inode)
        if known is None:
            self.found[inode] = FoundNamespace(Namespace(self._names.get(inode), inode), path, held_by)
        elif known.held_by == "process" and len(known.others) < _OTHERS:
            # The first process may be one that only passes through, such as a job of cron, and the next the one that stays.
            self.found[inode] = known._replace(others=(*known.others, path))

    def look(self, descriptors: bool) -> None:
        for inode, name, path in named():
            self._names.setdefault(inode, name)
            self.add(inode, path, "name")
        for inode, place in self.found.items():
            if inode != _NO_INODE:
                self.found[inode] = place._replace(namespace=Namespace(self._names.get(inode), inode))
        pids, hidden = visible_processes(self.files)
        if hidden is not None:
            self.gaps.append(hidden)
        # The paths of this process's own mounts lead to them as they are.
        self._mounted("/proc/self", "")
        for pid in pids:
            try:
                with self.files.process(pid) as process:
                    self._process(process, descriptors)
            except SourceUnavailable:
                continue  # it has ended
            except SourceError as error:
                self.refused.add(error)
            self.processes += 1

    def _mounted(self, process: str, root: str) -> None:
        try:
            if (space := self.files.link(f"{process}/ns/mnt")) in self._mounts:
                return
            self._mounts.add(space)
            body = self.files.read(f"{process}/mountinfo")
        except SourceError:
            return
        for mount in parse_mountinfo(body) if b" - nsfs " in body else ():
            self.add(inode_in(mount.root), f"{root}{mount.point}", "mount")

    def _process(self, process: ProcessFiles, descriptors: bool) -> None:
        self.add(inode_in(process.link("ns/net")), f"{process.path}/ns/net", "process")
        threads = process.names("task")
        for thread in threads if len(threads) > 1 else ():
            try:
                self.add(
                    inode_in(process.link(f"task/{thread}/ns/net")), f"{process.path}/task/{thread}/ns/net", "process"
                )
            except SourceUnavailable:
                continue
        self._mounted(process.path, f"{process.path}/root")
        if descriptors:
            pid = int(process.path.rpartition("/")[2])
            for number, target in process.descriptors():
                if target[:8] == _SOCKET:
                    self.sockets.setdefault(int(target[8:-1]), (pid, int(number)))
                elif target[:5] == b"net:[":
                    self.add(inode_in(target.decode("ascii", "replace")), f"{process.path}/fd/{number.decode()}", "fd")
                elif target == b"/":
                    self.add(_unmounted(process, number.decode()), f"{process.path}/fd/{number.decode()}", "fd")


def _unmounted(process: ProcessFiles, number: str) -> int | None:
    """Return the inode of a network namespace whose file was opened by a name since unmounted: the link reads /.

    Source: ``seq_show()``, fs/proc/fd.c (the inode, since 5.14); ``NS_GET_NSTYPE``.
    """
    try:
        lines = process.read(f"fdinfo/{number}").split(b"\n")
        inode = next((int(line[4:]) for line in lines if line.startswith(b"ino:")), 0)
        # Do not touch files of other file systems: stat(2) waits for one that is dead.
        if inode < _FIRST_INODE:
            return None
        path = f"{process.path}/fd/{number}"
        if os.stat(path).st_dev != os.stat(OWN).st_dev:
            return None
        from fcntl import ioctl

        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return inode if ioctl(fd, _NS_GET_NSTYPE) == CLONE_NEWNET else None
        finally:
            close_fd(fd)
    except (SourceError, OSError, ValueError):
        return None
