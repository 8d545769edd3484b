"""Name the owners of the sockets in findings, and merge findings that have one cause."""

from __future__ import annotations

from sockdiag.judging.case import looked_up
from sockdiag.judging.declared import BLAME_READER
from sockdiag.judging.halted import blame_halted
from sockdiag.judging.subjects import process_name, process_subject
from sockdiag.model.address import is_loopback
from sockdiag.model.finding import (
    INFO,
    NAMESPACE,
    PROCESS,
    RECOVERED,
    SOCKET,
    Evidence,
    Finding,
    Suspect,
    badness,
    worst_verdict,
)
from sockdiag.model.quantity import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.finding import Advice
    from sockdiag.model.socket import Owner

# Namespaces of one cause that are named.
_NAMED = 5
# Sockets of a finding whose owners are looked up.
_ASKED = 1000
_WINDOW = "ZERO_WINDOW_FROM_PEER"
_READER = "TCP_RECEIVER_STALLED"


def name_owners(case: Case, hits: Iterable[Hit]) -> list[Hit]:
    """Put the network namespace into findings, and the processes that hold their sockets as suspects.

    The subject of a finding about a socket names the one with the lowest pid. Of a finding about several sockets, the process
    that holds most of them comes first.
    """
    hits = list(hits)
    several = [_inodes(hit) for hit in hits]
    alone = (hit.finding.subject.inode for hit in hits if hit.finding.subject.kind == SOCKET)
    held_by = case.all_holders((*alone, *(inode for inodes in several for inode in inodes)))
    named = []
    for hit, inodes in zip(hits, several, strict=True):
        finding, subject = hit.finding, hit.finding.subject
        suspects = finding.suspects or holders_of(held_by.get(inode, ()) for inode in inodes)
        owners = held_by.get(subject.inode or 0, ()) if subject.kind == SOCKET else ()
        if owners:
            subject = subject._replace(pid=owners[0].pid, comm=owners[0].comm)
            suspects = suspects or suspects_of(owners)
        elif subject.pid is not None and not suspects:
            suspects = (Suspect(subject.pid, subject.comm),)
        if not subject.whole_host:
            subject = subject._replace(netns=case.netns)
        named.append(hit.changed(finding._replace(subject=subject, suspects=suspects)))
    states = case.process_states(one.pid for hit in named for one in hit.finding.suspects if one.state is None)
    return [_with_states(hit, states) for hit in named]


def _with_states(hit: Hit, states: Mapping[int, str | None]) -> Hit:
    suspects = tuple(one._replace(state=one.state or states.get(one.pid)) for one in hit.finding.suspects)
    return hit.changed(blame_halted(hit.finding._replace(suspects=suspects))) if suspects else hit


def suspects_of(owners: Iterable[Owner]) -> tuple[Suspect, ...]:
    """Describe the processes that hold a socket, each once."""
    found: dict[int, Suspect] = {}
    for owner in owners:
        found.setdefault(
            owner.pid,
            Suspect(owner.pid, owner.comm, owner.fd, unit=owner.unit, container=owner.container, user=owner.user),
        )
    return tuple(found.values())


def _inodes(hit: Hit) -> list[int]:
    """Return the sockets of a finding that is about none in particular, and names no process."""
    subject = hit.finding.subject
    if subject.kind == SOCKET or subject.pid is not None or hit.finding.suspects:
        return []
    return [inode for inode in looked_up(hit.rows[:_ASKED], lambda batch: batch.values("inode")).values() if inode]


def holders_of(owners: Iterable[Iterable[Owner]]) -> tuple[Suspect, ...]:
    """Describe the processes that hold some sockets, those with most sockets first."""
    held: dict[int, list[Owner]] = {}
    for of_socket in owners:
        for owner in {one.pid: one for one in of_socket}.values():
            held.setdefault(owner.pid, []).append(owner)
    found = []
    for mine in sorted(held.values(), key=lambda mine: (-len(mine), mine[0].pid)):
        (suspect,) = suspects_of(mine[:1])
        found.append(suspect if len(mine) == 1 else suspect._replace(fd=None))
    return tuple(found)


def by_cause(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding per cause, worst first: forty sockets harmed by one process, in any namespaces, give one."""
    groups: dict[Any, list[Finding]] = {}
    findings = _without_effects(findings)
    readers = any(finding.code == _READER for finding in findings)
    for finding in findings:
        if finding.code == _WINDOW and finding.severity == INFO and readers:
            continue  # the process that does not read is on this host, and reported
        groups.setdefault(_cause(finding), []).append(finding)
    found = [_merged(findings) for findings in groups.values()]
    found.sort(key=badness)
    return found


def _without_effects(findings: Iterable[Finding]) -> list[Finding]:
    """Leave out the findings that others explain, and count them in the evidence of their causes."""
    findings = list(findings)
    effects: dict[tuple[str, str | None], dict[str, int]] = {}
    present = {(finding.code, finding.subject.netns) for finding in findings if not finding.effect_of}
    kept = []
    for finding in findings:
        cause = finding.effect_of, finding.subject.netns
        if finding.effect_of and cause in present:
            of = effects.setdefault(cause, {})
            of[finding.code] = of.get(finding.code, 0) + max(1, finding.subject.sockets or 0)
        else:
            kept.append(finding)
    told = []
    for finding in kept:
        of = effects.pop((finding.code, finding.subject.netns), {})
        evidence = {f"effect {code}": Evidence(n, "count", None, "", "netns") for code, n in of.items()}
        told.append(finding._replace(evidence={**finding.evidence, **evidence}) if evidence else finding)
    return told


def _cause(finding: Finding) -> Any:
    subject = finding.subject
    past = finding.severity == INFO
    if subject.kind == SOCKET:
        if subject.pid is None:
            return finding.code, finding.verdict, subject.netid, subject.local, subject.netns
        return (subject.pid, past) if finding.code in BLAME_READER else (finding.code, past, subject.pid)
    if subject.kind == PROCESS and subject.pid is not None and subject.sockets:
        # A rule that piles up the sockets of a process, asked in each namespace where it has some.
        return finding.code, past, subject.pid, finding.verdict
    if subject.kind == NAMESPACE and finding.verdict == RECOVERED:
        return finding.code, subject.name  # the history of namespaces
    if (
        subject.kind == NAMESPACE
        and subject.peer is not None
        and subject.local is None
        and not is_loopback(subject.peer.address)
    ):
        return finding.code, finding.verdict, subject.peer  # a peer that does not answer, from any namespace
    return id(finding)


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
    places = sorted({f.subject.netns for f in findings if f.subject.netns is not None})
    n = sum(f.subject.sockets or (f.subject.kind == SOCKET) for f in findings)
    where = f"{len(places)} network namespaces" if len(places) > 1 else ""
    evidence = dict(worst.evidence)
    if subject.kind == SOCKET:
        rest = {code: k - (code == worst.code) for code, k in codes.items()}
        others = "" if len(codes) == 1 else f" ({', '.join(f'{k} {code}' for code, k in rest.items() if k)})"
        who = f"{process_name(subject.pid, subject.comm)}: " if subject.pid is not None else ""
        said = f"{who}{worst.summary}; {counted(n - 1, 'more socket')}{others}{where and ', in ' + where}"
        evidence.update({f"sockets {code}": Evidence(k, "sockets", None, "", "process") for code, k in codes.items()})
        subject = process_subject(None, n)._replace(pid=subject.pid, comm=subject.comm, netid=subject.netid)
    else:
        parts = [f"in {where} ({_listed(places)})" if where else "", counted(n, "socket") if n else ""]
        said = "; ".join(filter(None, (worst.summary, ", ".join(filter(None, parts)))))
        subject = subject._replace(sockets=n or None)
    if where:
        evidence["namespaces"] = Evidence(len(places), "network namespaces", None, "", "host")
    etas = [f.eta_s for f in findings if f.eta_s is not None]
    rooms = [f.headroom_ratio for f in findings if f.headroom_ratio is not None]
    return worst._replace(
        subject=subject._replace(netns=places[0] if len(places) == 1 else None),
        summary=said,
        evidence=evidence,
        headroom_ratio=min(rooms, default=None),
        eta_s=min(etas, default=None),
        advice=tuple(advice.values()),
        loss_per_s=sum(rates) if (rates := [f.loss_per_s for f in findings if f.loss_per_s is not None]) else None,
        suspects=tuple({s.pid: s for f in findings for s in f.suspects}.values()),
        verdict=worst_verdict(f.verdict for f in findings),
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
