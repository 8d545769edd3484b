"""Findings in words: who, where, what, and the command to run next."""

from __future__ import annotations

import pytest

from sockdiag.judging.case import Threshold
from sockdiag.model.address import Endpoint
from sockdiag.model.finding import (
    CRITICAL,
    DROPPING,
    INFO,
    LEAKING,
    NAMESPACE,
    OK,
    PROCESS,
    RECOVERED,
    SOCKET,
    UNKNOWN,
    WARNING,
    Advice,
    Evidence,
    Finding,
    Subject,
    Suspect,
)
from sockdiag.render.document import Style
from sockdiag.render.evidence_text import figure
from sockdiag.render.findings_text import Verdict, bound, finding_block, finding_line, next_command, verdict_lines
from sockdiag.render.suspects import Whereabouts, listed, process_with_state, sentence

PLAIN, HERE = Style(None, False), Whereabouts()
LOCAL, PEER = Endpoint("127.0.0.1", 53), Endpoint("192.0.2.7", 5432)
MASTER = Suspect(2112, b"nginx", 6, "sleeping", "nginx.service", None, "root")
STOPPED = Suspect(2113, b"nginx", 6, "stopped", "nginx.service", "a" * 64, "www-data")
ON_SOCKET = Subject(SOCKET, None, "udp", local=LOCAL, inode=77, pid=2112, comm=b"nginx", netns="web")


def finding(
    summary: str = "udp 127.0.0.1:53 lost 40 datagrams (40/s)",
    subject: Subject = ON_SOCKET,
    suspects: tuple[Suspect, ...] = (),
    advice: tuple[Advice, ...] = (),
    severity: str = CRITICAL,
    verdict: str = DROPPING,
) -> Finding:
    evidence = {"rmem_alloc": Evidence(212992, "bytes", 212992, "INET_DIAG_SKMEMINFO", "socket")}
    return Finding("SOME_CODE", severity, subject, summary, evidence, None, 90.0, advice, verdict, suspects=suspects)


@pytest.mark.parametrize(
    ("value", "unit", "limit", "scope", "shown"),
    [
        (212992, "bytes", 212992, "socket", "208 KiB of 208 KiB"),
        (200, "ports", 200, "netns", "200 of 200 ports"),
        (6, "places", 6, "socket", "6 of 6 places"),
        (0, "files", 1, "socket", "0 of 1 file"),
        (40, "sockets", 20000, "process", "40 of 20000 sockets"),
        (12345, "sockets", 65536, "process", "12.3 k of 65.5 k sockets"),
        (65530, "sockets", 65536, "process", "65530 of 65536 sockets"),
        (14, "bytes", 9216, "socket", "14 B of 9 KiB"),
        (9215, "bytes", 9216, "socket", "9 KiB of 9 KiB"),
        (0.97, "ratio", 1, "socket", "97 %"),
        (0.05, "ratio", 0.1, "socket", "5 % of 10 %"),
        (1500, "ms", 2000, "socket", "1.5 s of 2 s"),
        (1, "sockets", None, "netns", "1 socket"),
        (12345, "count", None, "host", "12.3 k, whole host"),
        (7, "count since the socket was made", None, "socket", "7 since the socket was made"),
        (1500, "ms", None, "socket", "1.5 s"),
        (0.129, "ratio", None, "netns", "12.9 %"),
        (1234567, "pid of one in it", None, "host", "1234567, whole host"),
        ("yes", "", None, "host", "yes, whole host"),
        ("\x1b[31m", "", None, "netns", "\\x1b[31m"),
        (None, "bytes", 8, "socket", "unknown"),
    ],
)
def test_figure(value: float | str | None, unit: str, limit: int | None, scope: str, shown: str) -> None:
    """The unit decides how a figure is written; unknown is not zero."""
    assert figure(Evidence(value, unit, limit, "", scope)) == shown


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("stopped", "app(1) is stopped (SIGSTOP)"),
        ("frozen", "app(1) is frozen (cgroup freezer)"),
        ("disk sleep", "app(1) is in uninterruptible sleep (D)"),
        ("sleeping", "app(1)"),
        (None, "app(1)"),
    ],
)
def test_state_of_a_process(state: str | None, shown: str) -> None:
    """A state in which a process cannot read is said."""
    assert process_with_state(Suspect(1, b"app", state=state)) == shown


def test_sentence_names_those_that_cannot_run_first() -> None:
    """Stopped processes come first, then the others, then unit, container and namespace."""
    there = Whereabouts({"web": ("netns of nginx(2112)", "2112")})
    assert sentence(finding(suspects=(MASTER, STOPPED)), there) == (
        "nginx(2113) is stopped (SIGSTOP), nginx(2112) [unit nginx.service, container aaaaaaaaaaaa, netns of nginx(2112)]: "
        "udp 127.0.0.1:53 lost 40 datagrams (40/s)"
    )


def test_sentence_does_not_repeat_a_name() -> None:
    """A summary that begins with the process gets the rest behind its name."""
    one = finding("nginx(2112) holds 60 connections", suspects=(MASTER,))
    assert sentence(one, HERE) == "nginx(2112) [unit nginx.service] holds 60 connections"
    assert sentence(finding("nginx(2112): x", suspects=(MASTER._replace(unit=None),)), HERE) == "nginx(2112): x"
    assert sentence(finding("nothing known"), HERE) == "nothing known"


def test_names_are_escaped() -> None:
    """Any user can choose the name of a process and of a unit."""
    evil = Suspect(5, b"\x1b]0;x\x07", unit="a\x1b[31m.service")
    for text in (sentence(finding(suspects=(evil,)), HERE), *listed((evil,))):
        assert "\x1b" not in text
        assert "\x07" not in text


def test_many_processes_are_counted() -> None:
    """A line names two, a full finding eight."""
    many = tuple(Suspect(pid, b"w") for pid in range(1, 12))
    assert sentence(finding("lost", suspects=many), HERE) == "w(1), w(2), 9 more: lost"
    assert listed(many)[-1] == "and 3 more"


@pytest.mark.parametrize(
    ("severities", "verdict", "interval", "unchecked", "line"),
    [
        ((), OK, 1.0, (), "ok  38 rules checked, no findings (two samples, 1 s apart)"),
        (
            (),
            UNKNOWN,
            None,
            (),
            (
                "unknown  38 rules checked, no findings "
                "(single sample: levels look fine, detecting losses takes two samples; try --interval 1)"
            ),
        ),
        (
            (CRITICAL, WARNING, WARNING, INFO),
            DROPPING,
            1.0,
            ("FD_LIMIT",),
            "dropping  3 problems: 1 critical, 2 warnings; 1 note (37 of 38 rules checked, two samples, 1 s apart)",
        ),
        (
            (INFO, INFO),
            RECOVERED,
            0.5,
            (),
            "recovered  no problems; 2 notes (38 rules checked, two samples, 500 ms apart)",
        ),
    ],
)
def test_verdict_line(
    severities: tuple[str, ...], verdict: str, interval: float | None, unchecked: tuple[str, ...], line: str
) -> None:
    """The number of findings by severity, in words, and the foundation of the verdict."""
    found = [finding(severity=severity) for severity in severities]
    lacking = [(code, "/proc/PID/fd", "not permitted") for code in unchecked]
    lines = list(verdict_lines(Verdict(verdict, found, interval, 38, lacking), PLAIN))
    assert lines[0] == line + "\n"
    assert lines[1:] == [f"not checked: {code} (/proc/PID/fd: not permitted)\n" for code in unchecked]


def test_line_has_severity_and_verdict_as_words() -> None:
    """One line holds all that a ticket needs."""
    assert finding_line(finding(severity=WARNING), PLAIN, HERE) == (
        "warning   dropping   SOME_CODE  udp 127.0.0.1:53 lost 40 datagrams (40/s)\n"
    )


def test_next_command() -> None:
    """The command of the advice comes first, then one that shows the sockets, in the same namespace and capture."""
    there = Whereabouts(options="--netns web")
    assert next_command(finding(advice=(Advice("x", None), Advice("y", "kill -CONT 7"))), there) == "kill -CONT 7"
    assert next_command(finding(), there) == "sockdiag inspect inode:77 --netns web"
    pile = Subject(PROCESS, pid=5, comm=b"app", sockets=60, state="CLOSE_WAIT")
    assert next_command(finding(subject=pile, verdict=LEAKING), HERE) == (
        "sockdiag list --where 'pid = 5 and state = close-wait'"
    )
    silent = finding(subject=Subject(NAMESPACE, peer=PEER))
    assert next_command(silent, HERE) == "sockdiag list --where 'dst 192.0.2.7:5432' -o +processes"
    assert next_command(finding(subject=Subject("host")), HERE) == "sockdiag doctor"
    elsewhere = Whereabouts({"web": ("netns of nginx(2112)", "/proc/2 x")})
    assert next_command(finding(), elsewhere) == "sockdiag inspect inode:77 --netns '/proc/2 x'"
    everywhere = Whereabouts({"db": ("netns db", "db")}, "--netns all")
    assert next_command(finding(), everywhere) == "sockdiag inspect inode:77"  # of this process's own namespace
    assert next_command(finding(subject=Subject("host")), everywhere) == "sockdiag doctor --netns all"


def test_block_of_a_full_queue() -> None:
    """What is full already is not said to be full in 0 s."""
    assert "full in" not in "".join(finding_block(finding()._replace(eta_s=0.0), PLAIN, HERE))


def test_block() -> None:
    """A finding in full: processes, figures, actions, and commands on lines of their own."""
    one = finding(suspects=(MASTER,), advice=(Advice("Do this.", "run it", "It helps."),))
    assert "".join(finding_block(one._replace(cause="it sleeps", loss_per_s=40.0), PLAIN, HERE)) == (
        "critical  dropping  SOME_CODE\n"
        "  udp 127.0.0.1:53 lost 40 datagrams (40/s)\n"
        "  process    nginx(2112), sleeping, unit nginx.service, user root, fd 6\n"
        "  socket     udp 127.0.0.1:53\n"
        "  cause      it sleeps\n"
        "  evidence   rmem_alloc  208 KiB of 208 KiB\n"
        "             losing      40/s\n"
        "             full in     1 min 30 s at the measured rate\n"
        "  action     Do this.\n"
        "             It helps.\n"
        "               run it\n"
        "  more       sockdiag rules SOME_CODE\n"
        "             sockdiag inspect inode:77\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("per_s", 10, "10/s"),
        ("few_per_s", 0.5, "30/min"),
        ("patience_s", 6, "6 s"),
        ("share", 0.05, "5 %"),
        ("critical_share", 0.001, "0.1 %"),
        ("fill_ratio_once", 0.9, "90 %"),
        ("free_bytes", 1280, "1.2 KiB"),
        ("least_once", 10, "10"),
    ],
)
def test_bound(name: str, value: float, shown: str) -> None:
    """A threshold has the unit of its name: events per second are no time."""
    assert bound(Threshold(name, value, "why")) == shown
