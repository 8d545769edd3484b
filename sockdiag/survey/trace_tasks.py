"""The processes of tasks that tracepoints name."""

from __future__ import annotations

import time

from sockdiag.errors import ParseError, SourceError
from sockdiag.model.provenance import Gap
from sockdiag.model.socket import Owner
from sockdiag.sources.process.cgroup import parse_cgroup
from sockdiag.sources.process.pid_namespace import numbers_as_the_kernel
from sockdiag.sources.tracefs.tasks import SOURCE, TaskNumbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.tracefs.instance import TraceInstance
    from sockdiag.survey.reader import SystemReader

# How long the process of a task is believed to be the same.
_FRESH_S = 1.0
_MOST = 10_000


class TraceTasks:
    """Finds the process of a task, by the number that it has in the first pid namespace.

    Args:
        survey: the system; gaps are noted there.
        instance: where names of tasks that have ended are.
    """

    def __init__(self, survey: SystemReader, instance: TraceInstance) -> None:
        self._survey = survey
        self._instance = instance
        self._own_inode = survey.netns.inode
        self._found: dict[int, tuple[float, Owner | None, bool | None]] = {}
        self._names: dict[int, bytes] | None = None
        self._same = numbers_as_the_kernel(survey.system.files)
        self._numbers: TaskNumbers | None = None

    def watch(self, tracepoint: int, condition: str) -> None:
        """Learn from a tracepoint what the numbers of tasks mean, where /proc has others."""
        if self._same:
            return
        try:
            self._numbers = TaskNumbers(tracepoint, condition, self._instance.cpus())
        except SourceError as error:
            self._survey.note(
                Gap(
                    SOURCE,
                    "tracepoints name tasks by their numbers in the first pid namespace, which this is not, and the kernel does not "
                    f"translate them ({error.reason}): processes are known by their sockets only",
                )
            )

    def read(self) -> None:
        """Prepare for events that have come."""
        self._names = None
        if self._numbers is not None:
            self._numbers.read()

    def close(self) -> None:
        """Stop learning."""
        if self._numbers is not None:
            self._numbers.close()

    def owner(self, task: int) -> tuple[Owner | None, bool | None]:
        """Return the process of a task, and whether it is in the network namespace that is traced; None where that is unknown."""
        now = time.monotonic()
        found = self._found.get(task)
        if found is None or now - found[0] > _FRESH_S:
            if len(self._found) > _MOST:
                self._found.clear()
            found = self._found[task] = (now, *self._look_up(task))
        return found[1], found[2]

    def _look_up(self, task: int) -> tuple[Owner | None, bool | None]:
        number: int | None = task
        if not self._same:
            number = None if self._numbers is None else self._numbers.process_of(task)
        if not number:
            return None, None
        files = self._survey.system.files
        try:
            with files.process(number) as process:
                pid = _group(process.read("status")) or number
                comm = process.read("comm").removesuffix(b"\n")
                cgroup, _errors = parse_cgroup(process.read("cgroup"), f"/proc/{number}/cgroup")
                inode = files.inode(f"/proc/{number}/ns/net")
        except (SourceError, ParseError):
            # It has ended; the kernel may remember its name.
            if self._names is None:
                self._names = self._instance.task_names()
            return Owner(number, self._names.get(task), -1), None
        ours = None if self._own_inode is None else inode == self._own_inode
        return Owner(pid, comm, -1, None, cgroup.container, cgroup.unit), ours


def _group(status: bytes) -> int | None:
    for line in status.splitlines():
        if line.startswith(b"Tgid:") and line[5:].strip().isdigit():
            return int(line[5:])
    return None
