"""FD_LIMIT."""

from __future__ import annotations

from sockdiag.analysis.listeners import listening_rows
from sockdiag.judging.case import DeclaredRule, Explained, Hit, Threshold, Unseen
from sockdiag.judging.subjects import at, one, process_name
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, PROCESS, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import part_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_TABLES = ("tcp", "mptcp", "unix")

RULE = DeclaredRule(
    "FD_LIMIT",
    CRITICAL,
    (DROPPING, AT_RISK),
    "A process that accepts connections is near its limit of open files: accept(2) will fail with EMFILE, its queue "
    "will fill, and the kernel will refuse connection attempts.",
    "accept(2) needs a free descriptor below the soft limit RLIMIT_NOFILE.",
    "get_unused_fd_flags(), fs/file.c; __sys_accept4()",
    ("/proc/PID/fd", "/proc/PID/limits", "listeners of the process"),
    (),
    (
        Threshold("warning_ratio", 0.85, "monitoring systems warn between 70 and 90 %"),
        Threshold("critical_ratio", 0.95, "monitoring systems report critical from 90 to 95 %"),
    ),
    ("the descriptors that the process does not close", "LimitNOFILE= of the unit, ulimit -n"),
    tables=_TABLES,
    parts=("descriptors",),
    commands=("listeners",),
    explained_by=(
        Explained("CLOSE_WAIT_LEAK", 0.5, holder=True),
        Explained("FIN_WAIT2_LEAK", 0.5, holder=True),
    ),
)

_LIMITS = "/proc/PID/limits"


def judge(case: Case) -> Iterator[Hit]:
    """Judge processes that hold a listener."""
    descriptors = case.now.descriptors or {}
    listening = {batch.values("inode")[row]: (batch, row) for batch, row in listening_rows(case.batches(_TABLES))}
    crowded = [d for d in descriptors.values() if d.limit and d.open / d.limit >= case.threshold(RULE, "warning_ratio")]
    for process in crowded:
        held = sorted(inode for inode in process.inodes if inode in listening)
        if not held or not process.limit:
            continue
        first = one(*listening[held[0]])
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        ratio = process.open / process.limit
        severity = CRITICAL if ratio >= case.threshold(RULE, "critical_ratio") else WARNING
        name = process_name(process.pid, process.comm)
        used = part_of(process.open, process.limit)
        said = f"{name} listens on {first.netid} {at(first.local)}{more} and has {used} files open"
        evidence = {
            "descriptors": Evidence(
                process.open, "descriptors", process.limit, "/proc/PID/fd, /proc/PID/limits", "process"
            ),
            "share": Evidence(round(ratio, 4), "ratio", 1, "/proc/PID/fd, /proc/PID/limits", "process"),
        }
        advice = (
            Advice(
                "Check for descriptors that the process does not close.",
                f"ls -l /proc/{process.pid}/fd",
                "A leak reaches any limit.",
            ),
            Advice(
                "Raise its soft limit of open files.",
                f"prlimit --pid {process.pid} --nofile={2 * process.limit}",
                "This changes the running process; LimitNOFILE= in its unit makes it permanent.",
            ),
        )
        yield Hit(
            Finding(
                RULE.code,
                severity,
                Subject(PROCESS, pid=process.pid, comm=process.comm),
                said,
                evidence,
                max(0.0, round(1 - ratio, 4)),
                None,
                advice,
                AT_RISK,
            ),
            [listening[inode] for inode in held],
        )
    if listening and _LIMITS in case.now.absent:
        raise Unseen(_LIMITS, case.now.absent[_LIMITS])
    for table in _TABLES:
        if table in case.now.absent:
            raise Unseen(f"sockets: {table}", case.now.absent[table])
