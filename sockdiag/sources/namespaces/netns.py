"""Name network namespaces, and run code in another one.

setns(2) changes the calling thread for good, so it is done in forked children only. In the child /proc/net, /proc/sys/net
and netlink are the other namespace's; /sys/class/net stays as it was: sysfs shows the namespace that
it was mounted in.
"""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ENOENT, ENOSYS
from stat import S_ISREG

from sockdiag.errors import SourceUnavailable, nearest
from sockdiag.model.provenance import Namespace
from sockdiag.sources.system.proc_root import ProcRoot, close_fd, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


CLONE_NEWNET = 0x40000000
_NAMED = ("/run/netns", "/var/run/netns")
OWN = "/proc/self/ns/net"

# What a namespace of a host with hundreds of thousands of sockets answers, and how long it takes.
MAX_ANSWER = 1 << 30
TIMEOUT_S = 30.0

_NS_GET_USERNS = 0xB701  # _IO(NSIO, 1), include/uapi/linux/nsfs.h


def resolve(spec: str) -> str:
    """Return the file of the network namespace that ``--netns`` names.

    Args:
        spec: a name in /run/netns, the number of a process, or (with a slash) a path.

    Raises:
        SourceUnavailable: there is none of this name, no such process, or the file is no namespace.
        SourceDenied: it may not be read.
    """
    if "/" in spec:
        return _checked(spec, "")
    if spec.isascii() and spec.isdecimal():
        return _checked(f"/proc/{spec}/ns/net", "no such process; a namespace of this name is /run/netns/" + spec)
    for folder in _NAMED:
        if spec and os.path.lexists(f"{folder}/{spec}"):
            return _checked(f"{folder}/{spec}", "")
    near = nearest(spec, _names())
    hint = f"did you mean '{near}'?" if near else "give a name in /run/netns, a PID, a path, or 'all'"
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
    inode = inode_in(files.link(OWN))
    if inode is None:
        raise SourceUnavailable(OWN, "not a link to net:[INODE]", EINVAL)
    return Namespace(name_of(inode) if files.live else None, inode)


def inode_of(files: ProcRoot) -> int | None:
    """Return the inode of the namespace that this process is in, without searching for its name.

    Raises:
        SourceError: /proc/self/ns/net cannot be read.
    """
    return inode_in(files.link(OWN))


def owner() -> int | None:
    """Return the inode of the user namespace that owns this process's network namespace; None if it is not visible."""
    from fcntl import ioctl

    try:
        here = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = ioctl(here, _NS_GET_USERNS)
        finally:
            close_fd(here)
        try:
            return os.fstat(found).st_ino
        finally:
            close_fd(found)
    except OSError:
        return None


def name_of(inode: int) -> str | None:
    """Return the name in /run/netns of a namespace, the first of several, or None."""
    return next((name for known, name, _path in named() if known == inode), None)


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
            setns(fd)
        finally:
            close_fd(fd)
    except OSError as error:
        if error.errno == EINVAL:
            raise SourceUnavailable(path, "not a network namespace", EINVAL) from None
        if error.errno == ENOSYS:
            raise SourceUnavailable(path, "this kernel does not support setns(2)", ENOSYS) from None
        raise source_error(path, error) from None


def setns(fd: int) -> None:
    """Move the calling thread into the network namespace that a descriptor is open on; OSError where it may not."""
    if sys.version_info >= (3, 12):
        os.setns(fd, CLONE_NEWNET)
        return
    from ctypes import CDLL, get_errno

    if CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        number = get_errno()
        raise OSError(number, os.strerror(number))


def run_in(path: str, function: Callable[[], int]) -> int:
    """Call a function in another network namespace, in a forked child with this process's streams; return its status.

    Signals that end a program are passed on to the child; see ``sockdiag.sources.system.forked.run``.

    Raises:
        SourceUnavailable: no such namespace.
        SourceDenied: it may not be entered.
        Exception: what the function raised.
    """
    from sockdiag.sources.system.forked import run

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
    from sockdiag.sources.system.forked import collect

    if sys.version_info < (3, 12):
        # Two milliseconds that would be spent again in the child of each of hundreds of namespaces.
        import ctypes  # noqa: F401

    return collect(lambda: enter(path), function, path, timeout_s, limit)


def named() -> Iterator[tuple[int, str, str]]:
    """Yield inode, name and path of the namespaces that have names."""
    try:
        device = os.stat(OWN).st_dev
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


def inode_in(link: str) -> int | None:
    """Return the inode in the text of a namespace's link, ``net:[4026531840]``; None where it is none of a network namespace."""
    number = link[5:-1]
    return (
        int(number) if link[:5] == "net:[" and number.isascii() and number.isdecimal() and len(number) <= 10 else None
    )
