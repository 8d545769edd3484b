"""Network namespaces: name them, find them all, and do something in another one.

setns(2) changes the calling thread for good, so it is done in forked children only. In the child /proc/net, /proc/sys/net
and netlink are the other namespace's; /sys/class/net stays what it was, as sysfs belongs to whoever mounted it.
"""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ENOENT, ENOSYS
from stat import S_ISREG

from sockdiag.errors import SourceError, SourceUnavailable
from sockdiag.model.gap import Gap
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.model.snapshot import Namespace
from sockdiag.sources._procroot import ProcRoot, source_error
from sockdiag.sources._refusals import Refusals
from sockdiag.sources.proc_mountinfo import parse_mountinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.sources._procroot import ProcessFiles

_CLONE_NEWNET = 0x40000000
_NS_GET_NSTYPE = 0xB703  # _IO(NSIO, 3), include/uapi/linux/nsfs.h
_FIRST_INODE = 0xEFFFFFF0  # PROC_DYNAMIC_FIRST, and the initial namespaces' below it (6.18)
_NAMED = ("/run/netns", "/var/run/netns")
_OWN = "/proc/self/ns/net"
_MOST_ANCESTORS = 64
_SOURCE = "/proc/PID/ns/net"

# What a namespace of a host with hundreds of thousands of sockets answers, and how long it takes.
MAX_ANSWER = 1 << 30
TIMEOUT_S = 30.0


class Place(Record):
    """A network namespace and a way into it."""

    namespace: Namespace = field("Which one.", of=Namespace)
    path: str = field("A file to enter it by, as long as what holds it is there.", kind=ID)
    held_by: str = field("self, name, mount, process or fd: what keeps it.", kind=LABEL)


class Places(Record):
    """Every network namespace that could be found, each once: this process's, the named by name, the others by inode."""

    places: tuple[Place, ...] = field("The namespaces.")
    gaps: tuple[Gap, ...] = field("Where there may be more; bounded.", default=())


def resolve(spec: str) -> str:
    """Return the file of the network namespace that ``--netns`` names.

    Args:
        spec: a name in /run/netns, the number of a process, or (with a slash) a path.

    Raises:
        SourceUnavailable: there is none of this name, no such process, or the file is no namespace.
        SourceDenied: it may not be looked at.
    """
    if "/" in spec:
        return _checked(spec, "")
    if spec.isascii() and spec.isdecimal():
        return _checked(f"/proc/{spec}/ns/net", "no such process; a namespace of this name is /run/netns/" + spec)
    for folder in _NAMED:
        if spec and os.path.lexists(f"{folder}/{spec}"):
            return _checked(f"{folder}/{spec}", "")
    from difflib import get_close_matches

    near = get_close_matches(spec, _names(), 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else "give a name of 'ip netns', a process id, a path, or 'all'"
    raise SourceUnavailable(f"{_NAMED[0]}/{spec}", "no network namespace of this name", ENOENT, hint)


def _names() -> list[str]:
    names = []
    for folder in _NAMED:
        try:
            names += os.listdir(folder)
        except OSError:
            continue
    return names


def _checked(path: str, absent: str) -> str:
    try:
        # An entry of /run/netns that nothing is mounted on, a device, a FIFO: opening some of these would do something.
        if S_ISREG(os.stat(path).st_mode):
            return path
    except ValueError:
        raise SourceUnavailable(path, "not a path", EINVAL) from None
    except OSError as error:
        failure = source_error(path, error)
        if error.errno == ENOENT and absent:
            raise SourceUnavailable(path, failure.reason, ENOENT, absent) from None
        raise failure from None
    raise SourceUnavailable(path, "not a network namespace", EINVAL)


def current(files: ProcRoot) -> Namespace:
    """Return the namespace of this process, or of the one that made a capture.

    Raises:
        SourceError: /proc/self/ns/net cannot be read.
    """
    inode = _inode(files.link(_OWN))
    if inode is None:
        raise SourceUnavailable(_OWN, "not a link to net:[INODE]", EINVAL)
    return Namespace(name_of(inode) if files.live else None, inode)


def inode_of(files: ProcRoot) -> int | None:
    """Return the inode of the namespace that this process is in, without looking for its name.

    Raises:
        SourceError: /proc/self/ns/net cannot be read.
    """
    return _inode(files.link(_OWN))


def name_of(inode: int) -> str | None:
    """Return the name in /run/netns of a namespace, the first of several, or None."""
    return next((name for known, name, _path in _named() if known == inode), None)


def enter(path: str) -> None:
    """Move the calling thread into a network namespace, for good; only ever in a forked child.

    Raises:
        SourceUnavailable: no such file, or it is no network namespace.
        SourceDenied: it needs CAP_SYS_ADMIN, here and in the user namespace that owns the other one.
    """
    _checked(path, "")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _setns(fd)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno == EINVAL:
            raise SourceUnavailable(path, "not a network namespace", EINVAL) from None
        if error.errno == ENOSYS:
            raise SourceUnavailable(path, "a kernel without setns(2)", ENOSYS) from None
        raise source_error(path, error) from None


def _setns(fd: int) -> None:
    if sys.version_info >= (3, 12):
        os.setns(fd, _CLONE_NEWNET)
        return
    from ctypes import CDLL, get_errno

    if CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET) != 0:
        number = get_errno()
        raise OSError(number, os.strerror(number))


def run_in(path: str, function: Callable[[], int]) -> int:
    """Call a function in another network namespace, in a forked child with this process's streams; return its status.

    Signals that end a program are passed on to the child; see ``sockdiag.sources._child.run``.

    Raises:
        SourceUnavailable: no such namespace.
        SourceDenied: it may not be entered.
        Exception: what the function raised.
    """
    from sockdiag.sources._child import run

    return run(lambda: enter(path), function)


def collect_in(
    path: str, function: Callable[[], object], timeout_s: float = TIMEOUT_S, limit: int = MAX_ANSWER
) -> object:
    """Call a function in another network namespace, in a forked child, and return what it returned.

    Args:
        path: the namespace.
        function: gives something that can be pickled.
        timeout_s: how long it may take.
        limit: how many bytes the pickled answer may have.

    Raises:
        SourceError: the namespace cannot be entered, the function raised something, no answer came in time, or too
            large a one.
        ParseError: the function raised one.
    """
    from sockdiag.sources._child import collect

    if sys.version_info < (3, 12):
        # Two milliseconds that would be spent again in the child of each of hundreds of namespaces.
        import ctypes  # noqa: F401

    return collect(lambda: enter(path), function, path, timeout_s, limit)


def list_all(files: ProcRoot, *, descriptors: bool = True) -> Places:
    """Find every network namespace: named, mounted anywhere, or held by a process, a thread or an open descriptor.

    One that only a socket keeps, with no process in it, is found by nothing of these.

    Args:
        files: the system; of a captured one only the namespace it was made in is known.
        descriptors: look through all open descriptors too, 5 µs each.
    """
    search = _Search(files)
    try:
        search.add(current(files).inode, _OWN, "self")
    except SourceError as error:
        search.gaps.append(Gap.from_error(error))
    if files.live:
        search.look(descriptors)
    own = {p.namespace.inode for p in search.found.values() if p.held_by == "self"}
    ordered = sorted(
        search.found.values(),
        key=lambda p: (p.namespace.inode not in own, p.namespace.name is None, p.namespace.name, p.namespace.inode),
    )
    return Places(tuple(ordered), (*search.gaps, *search.refused.gaps(search.processes)))


def outer_places(files: ProcRoot) -> Iterator[str]:
    """Yield files of namespaces that init and the ancestors of this process are in, where they differ from its own.

    The initial namespace, which alone shows the limits of the host, is mostly among them.
    """
    try:
        seen = {files.link(_OWN)}
    except SourceError:
        return
    pid = os.getpid()
    pids = [1]
    while pid > 1 and len(pids) < _MOST_ANCESTORS:
        try:
            with files.process(pid) as process:
                stat = process.read("stat")
            pid = int(stat[stat.rindex(b")") + 1 :].split()[1])
        except (SourceError, ValueError, IndexError):
            break
        pids.append(pid)
    for one in pids:
        path = f"/proc/{one}/ns/net"
        try:
            link = files.link(path)
        except SourceError:
            continue
        if link not in seen:
            seen.add(link)
            yield path


class _Search:
    """Namespaces by inode; of several ways into one the first found is kept."""

    def __init__(self, files: ProcRoot) -> None:
        self.files = files
        self.found: dict[int, Place] = {}
        self.gaps: list[Gap] = []
        self.refused = Refusals(_SOURCE, "network namespaces")
        self.processes = 0
        self._names: dict[int, str] = {}
        self._mounts: set[str] = set()

    def add(self, inode: int | None, path: str, held_by: str) -> None:
        if inode is not None and inode not in self.found:
            self.found[inode] = Place(Namespace(self._names.get(inode), inode), path, held_by)

    def look(self, descriptors: bool) -> None:
        for inode, name, path in _named():
            self._names.setdefault(inode, name)
            self.add(inode, path, "name")
        for inode, place in self.found.items():
            self.found[inode] = place._replace(namespace=Namespace(self._names.get(inode), inode))
        try:
            pids = self.files.pids()
        except SourceError as error:
            self.gaps.append(Gap.from_error(error))
            return
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
            self.add(_inode(mount.root), f"{root}{mount.point}", "mount")

    def _process(self, process: ProcessFiles, descriptors: bool) -> None:
        self.add(_inode(process.link("ns/net")), f"{process.path}/ns/net", "process")
        threads = process.names("task")
        for thread in threads if len(threads) > 1 else ():
            try:
                self.add(
                    _inode(process.link(f"task/{thread}/ns/net")), f"{process.path}/task/{thread}/ns/net", "process"
                )
            except SourceUnavailable:
                continue
        self._mounted(process.path, f"{process.path}/root")
        if descriptors:
            for number, target in process.descriptors():
                if target[:5] == b"net:[":
                    self.add(_inode(target.decode("ascii", "replace")), f"{process.path}/fd/{number.decode()}", "fd")
                elif target == b"/":
                    self.add(_unmounted(process, number.decode()), f"{process.path}/fd/{number.decode()}", "fd")


def _unmounted(process: ProcessFiles, number: str) -> int | None:
    """Return the inode of a network namespace whose file was opened by a name that is unmounted since: the link says /.

    Source: ``seq_show()``, fs/proc/fd.c (the inode, since 5.14); ``NS_GET_NSTYPE``.
    """
    try:
        lines = process.read(f"fdinfo/{number}").split(b"\n")
        inode = next((int(line[4:]) for line in lines if line.startswith(b"ino:")), 0)
        # What is surely of another file system is not touched: it may be a dead one, and stat(2) waits for it.
        if inode < _FIRST_INODE:
            return None
        path = f"{process.path}/fd/{number}"
        if os.stat(path).st_dev != os.stat(_OWN).st_dev:
            return None
        from fcntl import ioctl

        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return inode if ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET else None
        finally:
            os.close(fd)
    except (SourceError, OSError, ValueError):
        return None


def _named() -> Iterator[tuple[int, str, str]]:
    """Yield inode, name and path of the namespaces that have names."""
    try:
        device = os.stat(_OWN).st_dev
    except OSError:
        return
    for folder in _NAMED:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            try:
                stat = os.stat(f"{folder}/{name}")
            except OSError:
                continue
            # Where the mount was lost an empty file is left.
            if stat.st_dev == device:
                yield stat.st_ino, name, f"{folder}/{name}"


def _inode(link: str) -> int | None:
    number = link[5:-1]
    return int(number) if link[:5] == "net:[" and number.isascii() and number.isdecimal() else None
