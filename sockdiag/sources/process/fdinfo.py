"""/proc/PID/fdinfo: flags of one descriptor, and which epoll instances watch a socket."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.kernel.file_flags import epoll_events
from sockdiag.model.fdinfo import EpollTarget, FdInfo, Watcher
from sockdiag.sources.proc.table import number
from sockdiag.sources.process.refusals import Refusals
from sockdiag.sources.process.visible import visible_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.provenance import Gap
    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

_EVENTPOLL = b"anon_inode:[eventpoll]"
_LABELS = {b"flags:": (1, 8), b"mnt_id:": (2, 10), b"ino:": (3, 10), b"scm_fds:": (4, 10)}


def parse_fdinfo(body: bytes, path: str) -> FdInfo:
    """Parse a file of /proc/PID/fdinfo.

    Source: ``seq_show()``, fs/proc/fd.c; ``ep_show_fdinfo()``, fs/eventpoll.c; ``sock_show_fdinfo()``, net/socket.c.
    Shape: ``LABEL:`` and a value on each line, flags octal; for an epoll instance one ``tfd: … events: …`` line per file,
    with events, ino and sdev hexadecimal. Unknown lines are passed over.

    Raises:
        ParseError: a known label has no number.
    """
    values: dict[int, int] = {}
    targets: list[EpollTarget] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        if tokens[0] == b"tfd:":
            targets.append(_target(path, line, text))
        elif tokens[0] in _LABELS:
            place, base = _LABELS[tokens[0]]
            value = number(tokens[1], 10) if len(tokens) == 2 else None
            if value is None or (base == 8 and set(str(value)) & {"8", "9", "-"}):
                raise ParseError(path, line, tokens[0].decode()[:-1], "a number", text)
            values[place] = int(tokens[1], 8) if base == 8 else value
    return FdInfo(values.get(1), values.get(2), values.get(3), values.get(4), tuple(targets))


def _target(path: str, line: int, text: bytes) -> EpollTarget:
    # tfd:        3 events: 80000019 data:                3  pos:0 ino:a0b235 sdev:9
    pairs: dict[bytes, bytes] = {}
    name = b""
    for token in text.split():
        label, colon, value = token.partition(b":")
        if colon:
            name = label
            pairs[label] = value
        elif name:
            pairs[name] = token
    tfd, events = number(pairs.get(b"tfd", b"")), number(pairs.get(b"events", b""), 16)
    if tfd is None or events is None:
        raise ParseError(path, line, "tfd", "a descriptor and its events", text)
    return EpollTarget(tfd, events, _hex(pairs.get(b"ino")), _hex(pairs.get(b"sdev")))


def _hex(token: bytes | None) -> int | None:
    return None if token is None else number(token, 16)


def read_fdinfo(files: ProcRoot, pid: int, fd: int) -> FdInfo:
    """Read /proc's information on one descriptor.

    Raises:
        SourceError: it cannot be read.
        ParseError: it is of another shape.
    """
    path = f"/proc/{pid}/fdinfo/{fd}"
    return parse_fdinfo(files.read(path), path)


def find_watchers(files: ProcRoot, inode: int) -> tuple[list[Watcher], list[Gap]]:
    """Find the epoll instances that watch a socket, in all processes.

    Inodes of other filesystems may have the same number: where the descriptor that an entry was added under still leads
    to the socket, its device is the socket's, and entries of other devices are left out.

    Args:
        files: the system.
        inode: the socket's, in sockfs.

    Returns:
        The watchers, by pid and descriptor, and what could not be seen.
    """
    refused = Refusals("/proc/PID/fdinfo", "epoll instances")
    found: list[tuple[Watcher, EpollTarget, bool]] = []
    seen = 0
    pids, hidden = visible_processes(files)
    for pid in pids:
        try:
            with files.process(pid) as process:
                _look(pid, process, inode, found)
        except SourceUnavailable:
            continue
        except SourceError as error:
            refused.add(error)
        seen += 1
    devices = {target.device for _watcher, target, sure in found if sure}
    watchers = [watcher for watcher, target, sure in found if sure or not devices or target.device in devices]
    return watchers, ([] if hidden is None else [hidden]) + refused.gaps(seen)


def _look(pid: int, process: ProcessFiles, inode: int, found: list[tuple[Watcher, EpollTarget, bool]]) -> None:
    links = dict(process.descriptors())
    wanted = b"socket:[%d]" % inode
    for fd, link in links.items():
        if link != _EVENTPOLL:
            continue
        path = f"fdinfo/{fd.decode()}"
        try:
            info = parse_fdinfo(process.read(path), f"{process.path}/{path}")
        except (SourceUnavailable, ParseError):
            continue  # closed meanwhile
        comm = None
        for target in info.targets:
            sure = links.get(b"%d" % target.tfd) == wanted
            if target.inode == inode or (target.inode is None and sure):
                if comm is None:
                    comm = process.read("comm").removesuffix(b"\n")
                found.append(
                    (Watcher(pid, comm, int(fd), target.tfd, target.events, epoll_events(target.events)), target, sure)
                )


def socket_of(files: ProcRoot, pid: int, fd: int) -> int:
    """Return the inode of the socket at a descriptor.

    Raises:
        SourceUnavailable: there is no such process or descriptor, or it is no socket.
        SourceDenied: it may not be read.
    """
    path = f"/proc/{pid}/fd/{fd}"
    try:
        with files.process(pid) as process:
            link = process.link(f"fd/{fd}")
    except SourceDenied as error:
        raise SourceDenied(path, f"{error.reason}: run as root, or as the user of the process", error.errno) from None
    except SourceUnavailable as error:
        what = "there is no such process" if error.source == f"/proc/{pid}" else f"process {pid} has no such descriptor"
        raise SourceUnavailable(path, what, error.errno) from None
    number = link[8:-1]
    if link[:8] != "socket:[" or not (number.isascii() and number.isdecimal() and len(number) <= 10):
        raise SourceUnavailable(path, f"not a socket but {link}" if link != "-" else "no socket")
    return int(number)
