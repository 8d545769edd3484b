"""Name the owners of what was found, and put together what has one cause."""

from __future__ import annotations

from sockdiag.model.finding import INFO, SOCKET, Evidence, Finding, badness, worst_verdict
from sockdiag.rules._base import Hit, counted
from sockdiag.rules._sockets import process_name, process_subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.model.finding import Advice
    from sockdiag.rules._base import Case

# What a process that does not get to its sockets brings about: one cause, whatever it shows at.
_NOT_READ = frozenset({
    "UDP_RECEIVE_BUFFER_FULL", "RAW_RECEIVE_BUFFER_FULL", "PACKET_RECEIVE_BUFFER_FULL", "NETLINK_RECEIVE_BUFFER_FULL",
    "TCP_RECEIVER_STALLED", "ACCEPT_QUEUE_OVERFLOW", "ACCEPT_QUEUE_FULL", "UNIX_LISTENER_FULL", "UNIX_DGRAM_QUEUE",
})  # fmt: skip
_WINDOW = "ZERO_WINDOW_FROM_PEER"
_READER = "TCP_RECEIVER_STALLED"


def name_owners(case: Case, hits: Iterable[Hit]) -> list[Hit]:
    """Put pid and name of the owner into findings about a socket."""
    hits = list(hits)
    holders = case.holders(h.finding.subject.inode for h in hits if h.finding.subject.kind == SOCKET)
    named = []
    for hit in hits:
        subject = hit.finding.subject
        owner = holders.get(subject.inode or 0) if subject.kind == SOCKET else None
        if owner is not None:
            subject = subject._replace(pid=owner.pid, comm=owner.comm)
            named.append(Hit(hit.finding._replace(subject=subject), hit.rows))
        else:
            named.append(hit)
    return named


def by_cause(hits: Iterable[Hit]) -> list[Finding]:
    """Return one finding a cause, worst first: what a process does to forty sockets is one."""
    groups: dict[Any, list[Finding]] = {}
    hits = list(hits)
    readers = any(hit.finding.code == _READER for hit in hits)
    for hit in hits:
        finding = hit.finding
        if finding.code == _WINDOW and finding.severity == INFO and readers:
            continue  # the process that does not read is here, and told
        groups.setdefault(_cause(finding), []).append(finding)
    found = [_merged(findings) for findings in groups.values()]
    found.sort(key=badness)
    return found


def _cause(finding: Finding) -> Any:
    subject = finding.subject
    if subject.kind != SOCKET:
        return id(finding)
    if subject.pid is None:
        return finding.code, finding.verdict, subject.netid, subject.local
    past = finding.severity == INFO
    return (subject.pid, past) if finding.code in _NOT_READ else (finding.code, past, subject.pid)


def _merged(findings: list[Finding]) -> Finding:
    if len(findings) == 1:
        return findings[0]
    findings.sort(key=badness)
    worst = findings[0]
    codes: dict[str, int] = {}
    advice: dict[str, Advice] = {}
    for finding in findings:
        codes[finding.code] = codes.get(finding.code, 0) + 1
        for one in finding.advice:
            advice.setdefault(one.action, one)
    subject = worst.subject
    n = len(findings)
    others = "" if len(codes) == 1 else f" ({', '.join(f'{code} {k}' for code, k in codes.items())})"
    who = f"{process_name(subject.pid, subject.comm)}: " if subject.pid is not None else ""
    said = f"{who}{counted(n, 'socket')}{others}; the worst: {worst.summary}"
    evidence = {
        **worst.evidence,
        **{f"sockets {code}": Evidence(k, "sockets", None, "", "process") for code, k in codes.items()},
    }
    etas = [f.eta_s for f in findings if f.eta_s is not None]
    rooms = [f.headroom_ratio for f in findings if f.headroom_ratio is not None]
    return worst._replace(
        subject=process_subject(None, n)._replace(pid=subject.pid, comm=subject.comm, netid=subject.netid),
        summary=said,
        evidence=evidence,
        headroom_ratio=min(rooms, default=None),
        eta_s=min(etas, default=None),
        advice=tuple(advice.values()),
        verdict=worst_verdict(f.verdict for f in findings),
    )
