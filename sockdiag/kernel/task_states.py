"""States of a process: the kernel's letter and word. Source: ``task_state_array``, fs/proc/array.c."""

from __future__ import annotations

RUNNING, SLEEPING, DISK_SLEEP, STOPPED, TRACED, DEAD, ZOMBIE = (
    "running",
    "sleeping",
    "disk sleep",
    "stopped",
    "tracing stop",
    "dead",
    "zombie",
)

TASK_STATES = {
    "R": RUNNING,
    "S": SLEEPING,
    "D": DISK_SLEEP,
    "T": STOPPED,
    "t": TRACED,
    "X": DEAD,
    "Z": ZOMBIE,
    "P": "parked",
    "I": "idle",
}

# Not a state of a task: its cgroup is frozen (freezer, docker pause). The task itself is "sleeping".
FROZEN = "frozen"

# A process in one of these reads nothing until somebody resumes it.
HALTED = frozenset((STOPPED, TRACED, FROZEN))
