"""Findings about sockets that are not served because a process that holds them does not run: name it, and say how to resume it."""

from __future__ import annotations

from sockdiag.judging.declared import BLAME_READER
from sockdiag.judging.subjects import process_name
from sockdiag.kernel.task_states import DEAD, DISK_SLEEP, FROZEN, HALTED, STOPPED, TRACED, ZOMBIE
from sockdiag.model.finding import AT_RISK, DROPPING, LEAKING, SOCKET, STALLED, Advice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.finding import Finding, Suspect

_VERDICTS = (DROPPING, AT_RISK, STALLED, LEAKING)
_CODES = (*BLAME_READER, "CLOSE_WAIT_LEAK", "FIN_WAIT2_LEAK", "FD_LIMIT")

_SAID = {
    STOPPED: "is stopped (state T)",
    TRACED: "is stopped by a debugger or tracer (state t)",
    FROZEN: "is frozen by its cgroup",
    DISK_SLEEP: "is in uninterruptible sleep (state D)",
    ZOMBIE: "has ended (state Z), but some of its threads still run",
    DEAD: "is ending (state X)",
}


def blame_halted(finding: Finding) -> Finding:
    """Name the processes of a finding that do not run as its cause, and advise to resume them instead of to tune anything."""
    if finding.verdict not in _VERDICTS or finding.code not in _CODES:
        return finding
    halted = [one for one in finding.suspects if one.state in _SAID]
    if not halted:
        return finding
    others = [one for one in finding.suspects if one.state not in _SAID]
    worst = halted[0]
    more = ""
    if len(halted) > 1:
        more = f"; {len(halted) - 1} more {'does' if len(halted) == 2 else 'do'} not run either"
    cause = f"{process_name(worst.pid, worst.comm)} {_SAID[worst.state or '']}{more}"
    subject = finding.subject
    if subject.kind == SOCKET:
        # Of a server's processes the one that does not run is the culprit, not its parent.
        subject = subject._replace(pid=worst.pid, comm=worst.comm)
    resume = tuple(map(_resume, halted[:_NAMED]))
    # While others serve the socket, what helps them helps. Nothing helps a process that does not run.
    kept = finding.advice if others or worst.state not in HALTED else ()
    return finding._replace(subject=subject, cause=cause, advice=(*resume, *kept), suspects=(*halted, *others))


# So many processes get a command of their own.
_NAMED = 3


def _resume(one: Suspect) -> Advice:
    name = process_name(one.pid, one.comm)
    if one.state == STOPPED:
        return Advice(
            f"Resume {name}.",
            f"kill -CONT {one.pid}",
            "SIGSTOP or job control stopped it. It serves nothing until it continues.",
        )
    if one.state == TRACED:
        return Advice(f"Let the debugger or tracer continue {name}.", f"grep TracerPid /proc/{one.pid}/status", "")
    if one.state == FROZEN:
        return Advice(
            f"Thaw the cgroup of {name}: docker unpause, systemctl thaw, or write 0 to its cgroup.freeze.",
            f"cat /proc/{one.pid}/cgroup",
            "It serves nothing while it is frozen.",
        )
    return Advice(
        f"Find out what {name} waits for.",
        f"cat /proc/{one.pid}/stack",
        "A process in this state neither reads nor reacts to signals. Usually a disk or a network filesystem is not "
        "responding.",
    )
