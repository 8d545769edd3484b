"""EPHEMERAL_PORTS."""

from __future__ import annotations

from sockdiag.analysis.limits.effects import available_ports
from sockdiag.analysis.listeners import listening_rows
from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Tally, count_elements
from sockdiag.model.finding import AT_RISK, CRITICAL, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.sysctl import port_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "EPHEMERAL_PORTS",
    CRITICAL,
    (AT_RISK,),
    "So many connections go from one address to one destination that the local ports to choose from run out: connect(2) fails "
    "with EADDRNOTAVAIL, which no counter shows.",
    "Every port of ip_local_port_range but the reserved ones is taken for this source, destination address and destination "
    "port. TIME_WAIT takes a port too, unless tcp_tw_reuse lets it be used again after a second (2, the default: on loopback).",
    "__inet_hash_connect(), net/ipv4/inet_hashtables.c",
    (
        "local",
        "peer",
        "state",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_tw_reuse",
    ),
    ("tcp",),
    (
        Threshold("warning_ratio", 0.8, "bursts of connections come and go faster than anybody looks"),
        Threshold("critical_ratio", 0.95, "the search for a free port already takes long"),
    ),
    ("keep connections open", "a wider net.ipv4.ip_local_port_range", "more addresses on either side"),
    tables=("tcp",),
    sysctls=("net.ipv4.tcp_tw_reuse", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the destinations that most connections go to."""
    first, last = case.vector("net.ipv4.ip_local_port_range")[:2]
    reserved = case.now.limits.vector("net.ipv4.ip_local_reserved_ports") or ()
    room = available_ports(first, last, port_ranges(reserved))
    if room <= 0:
        return
    reuse = case.now.limits.number("net.ipv4.tcp_tw_reuse")
    counts = _busy(case, first, last, case.threshold(RULE, "warning_ratio") * room, reuse)
    for (source, address, port), used in sorted(counts.items(), key=lambda item: -item[1]):
        ratio = used / room
        severity = CRITICAL if ratio >= case.threshold(RULE, "critical_ratio") else WARNING
        said = f"{used} of {room} local ports are taken for connections from {source} to {address} port {port}"
        evidence = {
            "ports": Evidence(used, "ports", room, "local ports of sockets in net.ipv4.ip_local_port_range", "netns"),
            "tcp_tw_reuse": Evidence(reuse, "", None, "/proc/sys/net/ipv4/tcp_tw_reuse"),
        }
        advice = (
            Advice(
                "Let the clients keep connections open (keep-alive, a pool).",
                None,
                "Each connection takes a port for 60 s after its end.",
            ),
            Advice(
                "Widen the range.",
                'sysctl -w net.ipv4.ip_local_port_range="1024 65535"' if first > 1024 else None,
                f"It is {first} to {last} now; listeners inside it must be reserved with ip_local_reserved_ports.",
            ),
        )
        subject = Subject(
            NAMESPACE,
            f"{source} to {address} port {port}",
            "tcp",
            None,
            Endpoint(source),
            Endpoint(address, port),
            sockets=used,
        )
        yield Hit(
            Finding(RULE.code, severity, subject, said, evidence, max(0.0, round(1 - ratio, 4)), None, advice, AT_RISK)
        )


def _busy(case: Case, first: int, last: int, least: float, reuse: int | None) -> dict[tuple[Any, Any, Any], int]:
    batches = [batch for (batch,) in case.scan(("tcp",))]
    ports: dict[int, int] = {}
    for batch in batches:
        count_elements(ports, batch.values("peer.port"))
    busy = {port for port, n in ports.items() if port and n >= least}
    if not busy:
        return {}
    listening = {batch.values("local.port")[row] for batch, row in listening_rows(batches)}
    tally = Tally("local.address", "peer.address", "peer.port", "state")
    for batch in batches:
        # A local port and a destination make a connection unique, so that connections count ports.
        pairs = zip(batch.values("local.port"), batch.values("peer.port"), strict=True)
        taken = [peer in busy and first <= local <= last and local not in listening for local, peer in pairs]
        if any(taken):
            tally.add(batch.compressed(taken))
    counts: dict[tuple[Any, Any, Any], int] = {}
    for (source, address, peer, state), n in tally.counts().items():
        if not _reusable(reuse, state, address):
            counts[source, address, peer] = counts.get((source, address, peer), 0) + n
    return {key: n for key, n in counts.items() if n >= least}


def _reusable(reuse: int | None, state: str | None, address: Any) -> bool:
    # The kernel gives a port of TIME_WAIT out again for the same destination, a second after its end.
    if state != "TIME_WAIT" or not reuse:
        return False
    return reuse == 1 or str(address).startswith(("127.", "::1", "::ffff:127."))
