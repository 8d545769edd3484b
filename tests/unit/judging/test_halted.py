"""A process that does not run is the cause of what waits for it, and is named before those that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.judging.halted import blame_halted
from sockdiag.judging.registry import RULES
from sockdiag.model.finding import AT_RISK, RECOVERED, SOCKET, WARNING, Advice, Finding, Subject, Suspect

if TYPE_CHECKING:
    from collections.abc import Sequence

TUNE = Advice("Ask for a larger buffer.")


def finding(states: Sequence[str | None], code: str = "UDP_RECEIVE_BUFFER_FULL", verdict: str = AT_RISK) -> Finding:
    suspects = tuple(Suspect(10 + i, b"nginx", 3, state) for i, state in enumerate(states))
    subject = Subject(SOCKET, pid=10, comm=b"nginx")
    return Finding(code, WARNING, subject, "", {}, advice=(TUNE,), verdict=verdict, suspects=suspects)


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("stopped", "kill -CONT 11"),
        ("tracing stop", "grep TracerPid /proc/11/status"),
        ("frozen", "cat /proc/11/cgroup"),
        ("disk sleep", "cat /proc/11/stack"),
    ],
)
def test_the_one_that_does_not_run(state: str, command: str) -> None:
    """It becomes the subject and the first suspect, and the first advice is about it."""
    blamed = blame_halted(finding(["sleeping", state]))
    assert (blamed.subject.pid, [one.pid for one in blamed.suspects]) == (11, [11, 10])
    assert "nginx(11)" in blamed.cause
    assert [one.command for one in blamed.advice] == [command, None]


def test_nothing_else_helps() -> None:
    """If nobody else holds the socket, no larger buffer is advised."""
    blamed = blame_halted(finding(["stopped", "stopped"]))
    assert [one.command for one in blamed.advice] == ["kill -CONT 10", "kill -CONT 11"]
    assert blamed.cause == "nginx(10) is stopped (state T); 1 more does not run either"


def test_others_stay_as_they_are() -> None:
    """Processes that run, unknown states, past losses and rules that no process is to blame for."""
    for one in (
        finding(["sleeping", "running"]),
        finding([None]),
        finding(["stopped"], verdict=RECOVERED),
        finding(["stopped"], code="RETRANSMISSION"),
    ):
        assert blame_halted(one) is one
    assert {"FD_LIMIT", "CLOSE_WAIT_LEAK", "FIN_WAIT2_LEAK"} <= set(RULES)
