"""An open descriptor, as /proc/PID/fdinfo describes it."""

from __future__ import annotations

from sockdiag.model.record import COUNT, ID, LABEL, Record, field

_PATH = "/proc/PID/fdinfo"


class EpollTarget(Record):
    """One file that an epoll instance watches. Source: ``ep_show_fdinfo()``, fs/eventpoll.c."""

    tfd: int = field("Descriptor under which it was added.", kind=ID, kernel="epi->ffd.fd", sources=(f"{_PATH}: tfd",))
    events: int = field(
        "Events that are waited for, as bits.", kind=ID, kernel="epi->event.events", sources=(f"{_PATH}: events",)
    )
    inode: int | None = field(
        "Inode of the file (since Linux 4.13).",
        default=None,
        kind=ID,
        kernel="inode->i_ino",
        sources=(f"{_PATH}: ino",),
    )
    device: int | None = field(
        "Device of its filesystem.",
        default=None,
        kind=ID,
        kernel="inode->i_sb->s_dev",
        sources=(f"{_PATH}: sdev",),
    )


class FdInfo(Record):
    """One file of /proc/PID/fdinfo. Source: ``seq_show()``, fs/proc/fd.c."""

    flags: int | None = field(
        "Flags of open(2), and O_CLOEXEC of the descriptor.",
        default=None,
        kind=ID,
        kernel="file->f_flags, close_on_exec()",
        sources=(f"{_PATH}: flags",),
    )
    mnt_id: int | None = field(
        "Mount that the file is in.",
        default=None,
        kind=ID,
        kernel="real_mount(file->f_path.mnt)->mnt_id",
        sources=(f"{_PATH}: mnt_id",),
    )
    inode: int | None = field(
        "Inode (since Linux 5.14).",
        default=None,
        kind=ID,
        kernel="file_inode(file)->i_ino",
        sources=(f"{_PATH}: ino",),
    )
    scm_fds: int | None = field(
        "Descriptors in flight in the queue of a unix socket (since Linux 5.6).",
        default=None,
        kind=ID,
        kernel="unix_sk(sk)->scm_stat.nr_fds",
        sources=(f"{_PATH}: scm_fds",),
    )
    targets: tuple[EpollTarget, ...] = field(
        "Of an epoll instance, what it watches.", default=(), kind=LABEL, of=EpollTarget
    )


class Watcher(Record):
    """An entry of an epoll instance. Source: ``ep_show_fdinfo()``, fs/eventpoll.c."""

    pid: int = field("Process that holds the epoll instance.", kind=ID, sources=("/proc/PID",))
    comm: bytes | None = field("Its name.", kind=LABEL, sources=("/proc/PID/comm",))
    fd: int = field("Descriptor of the epoll instance.", kind=ID, sources=("/proc/PID/fd",))
    tfd: int = field(
        "Descriptor that the socket was added under.", kind=ID, kernel="epi->ffd.fd", sources=(f"{_PATH}: tfd",)
    )
    events: int = field(
        "Events that it waits for, as bits.", kind=ID, kernel="epi->event.events", sources=(f"{_PATH}: events",)
    )
    waits_for: tuple[str, ...] = field("The same in words.", default=(), kind=LABEL, sources=(f"{_PATH}: events",))


class Descriptors(Record):
    """Open files of one process. Source: ``/proc/PID/fd``, ``/proc/PID/limits``."""

    pid: int = field("Process.", kind=ID, sources=("/proc/PID",))
    comm: bytes | None = field("Its name.", kind=LABEL, sources=("/proc/PID/comm",))
    open: int = field("Open descriptors.", unit=COUNT, kernel="files->fdt", sources=("/proc/PID/fd",))
    limit: int | None = field(
        "Most that it may have open, its soft limit; null is unlimited.",
        unit=COUNT,
        kernel="rlimit(RLIMIT_NOFILE)",
        sources=("/proc/PID/limits",),
    )
    inodes: frozenset[int] = field(
        "sockfs inodes of the sockets among the first of them.", default=frozenset(), kind=ID
    )
