"""The answer of ``sockdiag risk``."""

from __future__ import annotations

from sockdiag.model.finding import Finding
from sockdiag.model.record import LABEL, Record, field
from sockdiag.model.socket import Socket


class SocketRisk(Record):
    """What is said of one socket."""

    socket: Socket = field("The socket.", of=Socket)
    verdict: str = field("The worst of its findings'.", kind=LABEL)
    findings: tuple[Finding, ...] = field("What was found about it, worst first.", default=(), of=Finding)


class SystemRisk(Record):
    """What is said of what is no single socket: processes, protocols, the namespace and the host."""

    verdict: str = field("The worst of its findings'; unknown where a rule lacks what it needs.", kind=LABEL)
    findings: tuple[Finding, ...] = field("What was found, worst first.", default=(), of=Finding)
