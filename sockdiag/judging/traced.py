"""Which findings the drops of a trace belong to: evidence that names the kernel's reason, the socket and the process."""

from __future__ import annotations

from sockdiag.judging.registry import RULES, load
from sockdiag.model.address import ANYWHERE, plain_address
from sockdiag.model.finding import RECOVERED, SOCKET, Evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.model.address import Endpoint
    from sockdiag.model.finding import Finding
    from sockdiag.model.trace_event import TracedDrop

# What the evidence of a trace begins with, and that of findings that were merged into one (sockdiag.judging.group).
TRACED = "traced "
_MERGED = ("sockets ", "effect ")
# Tables of a protocol that subjects name.
_PROTOCOLS = {
    "tcp": ("tcp", "mptcp"),
    "mptcp": ("tcp", "mptcp"),
    "udp": ("udp", "udplite"),
    "udplite": ("udp", "udplite"),
}


class TracedFindings:
    """Findings with what a trace adds to them.

    Attributes:
        findings: the findings, with evidence.
        drops: the drops, each with the rules of its findings.
    """

    def __init__(self, findings: Sequence[Finding], drops: Iterable[TracedDrop]) -> None:
        matches: list[list[TracedDrop]] = [[] for _ in findings]
        told = []
        for drop in drops:
            places = [at for at, finding in enumerate(findings) if _belongs(drop, finding)]
            codes = tuple(dict.fromkeys(findings[at].code for at in places))
            one = drop._replace(findings=codes)
            told.append(one)
            for at in places:
                matches[at].append(one)
        self.drops = tuple(told)
        self.findings = [_with_evidence(finding, some) for finding, some in zip(findings, matches, strict=True)]
        self._drops_of = {
            id(finding): tuple(some) for finding, some in zip(self.findings, matches, strict=True) if some
        }

    def drops_of(self, finding: Finding) -> tuple[TracedDrop, ...]:
        """Return the drops of one of the findings."""
        return self._drops_of.get(id(finding), ())

    def unexplained(self) -> tuple[TracedDrop, ...]:
        """Return the drops that belong to no finding."""
        return tuple(drop for drop in self.drops if not drop.findings)


def _belongs(drop: TracedDrop, finding: Finding) -> bool:
    """Return whether a finding is about these drops: by the reason, and by the socket or its process as far as both are known."""
    if finding.verdict == RECOVERED or not any(drop.reason in load(code).RULE.drop_reasons for code in _codes(finding)):
        return False
    subject = finding.subject
    if subject.netns is not None and drop.netns is not None and subject.netns != drop.netns:
        return False
    protocol = subject.netid or (subject.name or "").partition(" ")[0].lower()
    tables = _PROTOCOLS.get(protocol, (subject.netid,) if subject.netid else None)
    if drop.netid is not None and tables is not None and drop.netid not in tables:
        return False
    if subject.kind == SOCKET:
        if subject.cookie and drop.cookie:
            return subject.cookie == drop.cookie
        if subject.inode and drop.inode:
            return subject.inode == drop.inode
        return _is_bound_to(subject.local, drop.local)
    pids = {one.pid for one in finding.suspects} or {subject.pid} - {None}
    return not pids or drop.pid is None or drop.pid in pids


def _is_bound_to(bound: Endpoint | None, end: Endpoint) -> bool:
    if bound is None or bound.port is None or bound.port != end.port:
        return False
    # Before Linux 6.10 a failed receive shows the port only.
    return (
        end.address is None or bound.address in ANYWHERE or plain_address(bound.address) == plain_address(end.address)
    )


def _codes(finding: Finding) -> list[str]:
    others = [name.removeprefix(begin) for name in finding.evidence for begin in _MERGED if name.startswith(begin)]
    return [code for code in (finding.code, *others) if code in RULES]


def _with_evidence(finding: Finding, drops: Sequence[TracedDrop]) -> Finding:
    if not drops:
        return finding
    evidence = dict(finding.evidence)
    for drop in drops:
        name = f"{TRACED}{drop.reason}"
        before = evidence.get(name)
        number = drop.events + (before.value if before is not None and isinstance(before.value, int) else 0)
        scope = "host" if drop.netns is None else "socket" if drop.netid else "netns"
        if before is not None and before.scope != scope:
            scope = "host" if "host" in (scope, before.scope) else "netns"
        evidence[name] = Evidence(number, "packets", None, f"tracepoint {drop.tracepoint}", scope)
    return finding._replace(evidence=evidence)
