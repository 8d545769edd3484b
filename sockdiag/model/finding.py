"""Findings, their severity and their advice, in one shape for every command that judges."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import SHOWN_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.record import COUNT, ID, LABEL, RATIO, Record, field
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# Verdicts, worst first. Unknown is worse than loss that is over, and never "ok".
DROPPING, AT_RISK, STALLED, LEAKING, UNKNOWN, RECOVERED, OK = (
    "dropping",
    "at_risk",
    "stalled",
    "leaking",
    "unknown",
    "recovered",
    "ok",
)
VERDICTS = (DROPPING, AT_RISK, STALLED, LEAKING, UNKNOWN, RECOVERED, OK)

# Verdicts of which nothing is wrong now, as far as can be seen.
NOT_WRONG = (UNKNOWN, RECOVERED, OK)

VERDICT_MEANINGS = {
    DROPPING: "The kernel lost or refused data, or a connection, during the interval.",
    AT_RISK: "Nothing lost in the interval, but the next burst or the trend reaches a point where the kernel drops or refuses.",
    STALLED: "Data waits and nothing moves. Nothing is lost.",
    LEAKING: "Sockets pile up that only their owner can free.",
    UNKNOWN: "The data that would decide it cannot be read here.",
    RECOVERED: "Loss in the past, none now.",
    OK: "None of these.",
}

# Severities, worst first.
CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)

_VERDICT_RANK = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}

# Kinds of subject.
SOCKET, PROCESS, PROTOCOL, NAMESPACE, HOST_KIND = "socket", "process", "protocol", "namespace", "host"


class Advice(Record):
    """Something to do about a finding, that follows from its evidence."""

    action: str = field("What to do.", kind=LABEL)
    command: str | None = field("The command that does it, where one does.", default=None, kind=LABEL)
    why: str = field("Why that helps here.", default="", kind=LABEL)


class Evidence(Record):
    """One figure that a finding rests on."""

    value: int | float | str | None = field("The figure; unknown is null.")
    unit: str = field("Its unit.", default="", kind=LABEL)
    limit: int | float | None = field("The limit that it is compared with, in the same unit.", default=None)
    source: str = field("Where it was read.", default="", kind=LABEL)
    scope: str = field(
        "Whose number it is: host where it is the whole host's, netns or socket.", default="netns", kind=LABEL
    )


class Suspect(Record):
    """A process that holds the socket of a finding, or that the finding is about."""

    pid: int = field("Process id.", kind=ID)
    comm: bytes | None = field("Name of the process's main thread.", default=None, kind=LABEL)
    fd: int | None = field("Descriptor of the socket in that process.", default=None, kind=ID)
    state: str | None = field(
        "Its state, in the words of /proc/PID/status (running, sleeping, disk sleep, stopped, tracing stop, zombie), or "
        "frozen if its cgroup is; null where it could not be read.",
        default=None,
        kind=LABEL,
    )
    unit: str | None = field("systemd unit, from the cgroup path.", default=None, kind=LABEL)
    container: str | None = field("Container id or name, from the cgroup path.", default=None, kind=LABEL)
    user: str | None = field("User that the process runs as.", default=None, kind=LABEL)


class Subject(Record):
    """The subject of a finding. Members that do not identify its kind are null."""

    kind: str = field("socket, process, protocol, namespace or host.", kind=LABEL)
    name: str | None = field("Name for people: protocol, device, CPU, peer or sysctl.", default=None, kind=LABEL)
    netid: str | None = field("Table of the socket.", default=None, kind=LABEL)
    state: str | None = field("State of the socket.", default=None, kind=LABEL, shown=SHOWN_STATES)
    local: Endpoint | None = field("Local end of the socket.", default=None, of=Endpoint)
    peer: Endpoint | None = field(
        "Remote end of the socket, or what the sockets have in common.", default=None, of=Endpoint
    )
    inode: int | None = field("sockfs inode of the socket.", default=None, kind=ID)
    cookie: int | None = field("Identity of the socket, as ss -e prints it.", default=None, kind=ID, base=16)
    pid: int | None = field("Process, or the socket's owner with the lowest pid.", default=None, kind=ID)
    comm: bytes | None = field("Name of that process.", default=None, kind=LABEL)
    sockets: int | None = field("How many sockets it is about, where more than one.", default=None, unit=COUNT)
    netns: str | None = field(
        "Network namespace that it is in: its name, or its inode; null for the whole host, and for several.",
        default=None,
        kind=LABEL,
    )

    @property
    def whole_host(self) -> bool:
        """Return whether every network namespace sees it alike."""
        return self.kind in (HOST_KIND, PROTOCOL)


class Finding(Record):
    """One thing that is wrong, or was, with the figures that it rests on."""

    code: str = field("Stable name of the rule: sockdiag rules CODE explains it.", kind=LABEL)
    severity: str = field("critical, warning or info.", kind=LABEL)
    subject: Subject = field("What it is about.", of=Subject)
    summary: str = field("One sentence with the numbers in it.", kind=LABEL)
    evidence: dict[str, Evidence] = field("The figures that it rests on, by name.", of=Evidence)
    headroom_ratio: float | None = field(
        "Room that is left: 1 is empty, 0 at the limit, null where it is not a level.", default=None, unit=RATIO
    )
    eta_s: float | None = field(
        "Seconds until the limit at the measured rate; null where none was measured.", default=None
    )
    advice: tuple[Advice, ...] = field("What to do.", default=(), of=Advice)
    verdict: str = field("dropping, at_risk, stalled, leaking, unknown, recovered or ok.", default=OK, kind=LABEL)
    cause: str = field("Why it happens, as far as the evidence shows, in one sentence.", default="", kind=LABEL)
    loss_per_s: float | None = field(
        "How much was lost or refused per second; null where nothing was counted, or in a single sample.", default=None
    )
    effect_of: str = field(
        "The rule of the finding that explains this one; empty if it has a cause of its own.", default="", kind=LABEL
    )
    suspects: tuple[Suspect, ...] = field(
        "Processes that hold the socket or cause the finding; empty where none is visible.", default=(), of=Suspect
    )


def worst_verdict(verdicts: Iterable[str]) -> str:
    """Return the worst of verdicts; ok where there is none."""
    return min(verdicts, key=_VERDICT_RANK.__getitem__, default=OK)


def at_least(severity: str, threshold: str) -> bool:
    """Return whether a severity is as bad as a threshold, or worse."""
    return _SEVERITY_RANK[severity] <= _SEVERITY_RANK[threshold]


def badness(finding: Finding) -> tuple[int, int, float, float]:
    """Return a sort key: severity, verdict, loss per second, head-room; the worst comes first."""
    room = 1.0 if finding.headroom_ratio is None else finding.headroom_ratio
    return _SEVERITY_RANK[finding.severity], _VERDICT_RANK[finding.verdict], -(finding.loss_per_s or 0.0), room


class SocketRisk(Record):
    """The findings about one socket."""

    socket: Socket = field("The socket.", of=Socket)
    verdict: str = field("The worst of its findings'.", kind=LABEL)
    findings: tuple[Finding, ...] = field("What was found about it, worst first.", default=(), of=Finding)


class SystemRisk(Record):
    """The findings about no single socket: about processes, protocols, the namespace and the host."""

    verdict: str = field("The worst of its findings'; unknown where a rule lacks what it needs.", kind=LABEL)
    findings: tuple[Finding, ...] = field("What was found, worst first.", default=(), of=Finding)
