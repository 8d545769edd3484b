"""FILE_TABLE_FULL."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.model.finding import AT_RISK, CRITICAL, HOST_KIND, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import part_of
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "FILE_TABLE_FULL",
    CRITICAL,
    (AT_RISK,),
    "All processes of the host together have nearly as many open files as fs.file-max allows: at the limit "
    "socket(2), accept(2) and open(2) fail with ENFILE, and accept queues fill.",
    "The open files reach fs.file-max. Processes with CAP_SYS_ADMIN may exceed it.",
    "alloc_empty_file(), fs/file_table.c",
    ("fs.file-nr",),
    (),
    (
        Threshold("warning_ratio", 0.85, "as for FD_LIMIT: monitoring systems warn between 70 and 90 %"),
        Threshold("critical_ratio", 0.95, "as for FD_LIMIT: monitoring systems report critical from 90 to 95 %"),
    ),
    ("the process with the most open files", "fs.file-max"),
    sysctls=("fs.file-nr",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level. File-max is the third number of file-nr, so that both are of one moment."""
    opened, _unused, limit = case.vector("fs.file-nr")
    if not limit or opened / limit < case.threshold(RULE, "warning_ratio"):
        return
    ratio = opened / limit
    advice = (
        Advice("Find the process with the most open files.", None, "A leak reaches any limit."),
        Advice(
            "Raise fs.file-max.",
            f"sysctl -w fs.file-max={2 * limit}",
            "Each open file takes kernel memory, which is not swapped.",
        ),
    )
    said = f"the whole host has {part_of(opened, limit)} files open"
    yield Hit(
        Finding(
            RULE.code,
            CRITICAL if ratio >= case.threshold(RULE, "critical_ratio") else WARNING,
            Subject(HOST_KIND, "open files"),
            said,
            {"open": Evidence(opened, "files", limit, "/proc/sys/fs/file-nr", HOST)},
            max(0.0, round(1 - ratio, 4)),
            None,
            advice,
            AT_RISK,
        )
    )
