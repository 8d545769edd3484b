"""A process: its program, start time, state and parents."""

from __future__ import annotations

from sockdiag.model.record import COUNT, ID, LABEL, Record, field


class Ancestor(Record):
    """A process that another one descends from."""

    pid: int = field("Process.", kind=ID, sources=("/proc/PID/stat: ppid",))
    comm: bytes | None = field("Its name.", default=None, kind=LABEL, sources=("/proc/PID/stat: comm",))


class Process(Record):
    """A process as /proc describes it, without its descriptors."""

    command: bytes | None = field(
        "Command line, its arguments joined by blanks, of which at most 4096 bytes; a process may overwrite its own.",
        default=None,
        kind=LABEL,
        kernel="mm->arg_start, mm->arg_end",
        sources=("/proc/PID/cmdline",),
    )
    state: str | None = field(
        "running, sleeping, disk sleep, stopped, tracing stop, zombie, …; frozen if its cgroup is.",
        default=None,
        kind=LABEL,
        kernel="task->__state, task->exit_state",
        sources=("/proc/PID/stat: state", "cgroup.events: frozen"),
    )
    user: str | None = field(
        "Real user.", default=None, kind=LABEL, kernel="cred->uid", sources=("/proc/PID/status: Uid",)
    )
    started: str | None = field(
        "When it was started, in UTC.",
        default=None,
        kind=ID,
        kernel="task->start_boottime",
        sources=("/proc/PID/stat: starttime, /proc/stat: btime",),
    )
    ancestors: tuple[Ancestor, ...] | None = field(
        "Its parent, the parent of that, and so on.",
        default=None,
        of=Ancestor,
        kernel="task->real_parent",
        sources=("/proc/PID/stat: ppid",),
    )
    threads: int | None = field(
        "Its threads.",
        default=None,
        unit=COUNT,
        kernel="get_nr_threads(task)",
        sources=("/proc/PID/stat: num_threads",),
    )
    waits_in: str | None = field(
        "Function of the kernel that its main thread sleeps in; null if it runs, or if that may not be read.",
        default=None,
        kind=LABEL,
        kernel="get_wchan(task)",
        sources=("/proc/PID/wchan",),
    )
