"""EPHEMERAL_PORTS."""

from __future__ import annotations

from sockdiag.analysis.limits.effects import available_ports
from sockdiag.analysis.listeners import listening_rows
from sockdiag.judging.case import DeclaredRule, Hit, Threshold, batch_table
from sockdiag.judging.group import suspects_of
from sockdiag.judging.subjects import at, process_name
from sockdiag.model.address import Endpoint, is_loopback
from sockdiag.model.batch import Tally, count_elements
from sockdiag.model.finding import AT_RISK, CRITICAL, NAMESPACE, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import count, counted, part_of
from sockdiag.model.sysctl import port_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Owner

    Ends = tuple[Any, Any, Any]

RULE = DeclaredRule(
    "EPHEMERAL_PORTS",
    CRITICAL,
    (AT_RISK,),
    "The local ports for connections from one address to one destination run out: connect(2) fails with "
    "EADDRNOTAVAIL, which no counter shows.",
    "Every unreserved port of ip_local_port_range is in use for this source, destination address and destination "
    "port. TIME_WAIT keeps a port in use too, unless tcp_tw_reuse allows reuse after a second (2, the default: only "
    "on loopback).",
    "__inet_hash_connect(), net/ipv4/inet_hashtables.c",
    (
        "local",
        "peer",
        "state",
        "owners",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_tw_reuse",
    ),
    ("tcp",),
    (
        Threshold("warning_ratio", 0.8, "a burst of connections may take the rest between two samples"),
        Threshold("critical_ratio", 0.95, "finding a free port already takes long"),
    ),
    (
        "keep connections open",
        "net.ipv4.tcp_tw_reuse",
        "a wider net.ipv4.ip_local_port_range",
        "more addresses on either side",
    ),
    tables=("tcp",),
    sysctls=("net.ipv4.tcp_tw_reuse", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
)


class _Destination:
    """Connections from one address to one destination.

    Attributes:
        ends: source address, destination address and port.
        states: how many are in each state.
        owners: processes that hold them, those with the most connections first.
        earlier: how many there were in the earlier sample; None where that is unknown.
    """

    __slots__ = ("earlier", "ends", "owners", "states")

    def __init__(self, ends: Ends, states: dict[str, int]) -> None:
        self.ends = ends
        self.states = states
        self.owners: tuple[Owner, ...] = ()
        self.earlier: int | None = None

    @property
    def used(self) -> int:
        """How many ports they take."""
        return sum(self.states.values())


def judge(case: Case) -> Iterator[Hit]:
    """Judge the destinations that most connections go to; those of one process, or from one address, are one finding."""
    first, last = case.vector("net.ipv4.ip_local_port_range")[:2]
    reserved = case.now.limits.vector("net.ipv4.ip_local_reserved_ports") or ()
    room = available_ports(first, last, port_ranges(reserved))
    if room <= 0:
        return
    reuse = case.now.limits.number("net.ipv4.tcp_tw_reuse")
    least = case.threshold(RULE, "warning_ratio") * room
    batches = [batch for (batch,) in case.scan(("tcp",))]
    busy = _busy(batches, first, last, least, reuse)
    if not busy:
        return
    _look_up(case, batches, busy, first, last, reuse)
    groups: dict[Any, list[_Destination]] = {}
    for one in sorted(busy, key=lambda one: -one.used):
        groups.setdefault(one.owners[0].pid if one.owners else one.ends[0], []).append(one)
    for destinations in groups.values():
        yield _hit(case, destinations, room, (first, last), reuse)


def _hit(case: Case, destinations: list[_Destination], room: int, ports: tuple[int, int], reuse: int | None) -> Hit:
    worst, n = destinations[0], len(destinations)
    source, address, port = worst.ends
    used, ended = worst.used, worst.states.get("TIME_WAIT", 0)
    ratio = used / room
    states = ", ".join(f"{count(k)} {state}" for state, k in sorted(worst.states.items(), key=lambda item: -item[1]))
    owner = worst.owners[0] if worst.owners else None
    who = "" if owner is None else f"{process_name(owner.pid, owner.comm)}: "
    others = "" if n == 1 else f"; {counted(n - 1, 'more destination')} near the limit"
    end = Endpoint(address, port)
    said = f"{who}{part_of(used, room)} local ports in use from {source} to {at(end)}: {states}{others}"
    evidence = {
        "ports": Evidence(used, "ports", room, "local ports of sockets in net.ipv4.ip_local_port_range", "netns"),
        "time_wait": Evidence(ended, "ports", room, "idiag_state", "netns"),
        "tcp_tw_reuse": Evidence(reuse, "", None, "/proc/sys/net/ipv4/tcp_tw_reuse"),
    }
    if n > 1:
        evidence["destinations"] = Evidence(n, "destinations", None, "peers of sockets", "netns")
    eta = case.eta_s(used, worst.earlier, room)
    fill = "connections in TIME_WAIT" if 2 * ended >= used else "open connections"
    subject = Subject(
        NAMESPACE,
        f"{source} to {at(end)}",
        "tcp",
        None,
        Endpoint(source),
        end,
        pid=None if owner is None else owner.pid,
        comm=None if owner is None else owner.comm,
        sockets=sum(one.used for one in destinations),
    )
    return Hit(
        Finding(
            RULE.code,
            CRITICAL if ratio >= case.threshold(RULE, "critical_ratio") else WARNING,
            subject,
            said,
            evidence,
            max(0.0, round(1 - ratio, 4)),
            eta,
            _advise(ports, reuse, ended=2 * ended >= used),
            AT_RISK,
            f"{fill} hold most of the ports",
            suspects=suspects_of(owner for one in destinations for owner in one.owners),
        )
    )


def _advise(ports: tuple[int, int], reuse: int | None, *, ended: bool) -> tuple[Advice, ...]:
    widen = Advice(
        "Widen the range.",
        'sysctl -w net.ipv4.ip_local_port_range="1024 65535"' if ports[0] > _LOWEST else None,
        f"It is {ports[0]} to {ports[1]}; reserve the ports of listeners inside it with ip_local_reserved_ports.",
    )
    if not ended:
        return (
            Advice(
                "Connect from more source addresses, or to more destination addresses.",
                None,
                "Each source, destination and destination port can use a local port once.",
            ),
            widen,
        )
    keep = Advice(
        "Let the clients keep connections open (keep-alive, connection pool).",
        None,
        "Each connection keeps its port for 60 s after its end.",
    )
    again = Advice(
        "Let connect(2) reuse ports in TIME_WAIT.",
        "sysctl -w net.ipv4.tcp_tw_reuse=1",
        f"tcp_tw_reuse is {reuse}; with 1, a port is free a second after the end of its connection.",
    )
    who = Advice(
        "Find the processes that open them.",
        "sockdiag trace states --where 'dport > 0' --for 10s --summary",
        "A port in TIME_WAIT has no process any more. The totals show which processes open connections now.",
    )
    return (keep, again, widen, who) if reuse in (0, 2) else (keep, widen, who)


_LOWEST = 1024


def _busy(batches: list[Batch], first: int, last: int, least: float, reuse: int | None) -> list[_Destination]:
    ports: dict[int, int] = {}
    for batch in batches:
        count_elements(ports, batch.values("peer.port"))
    busy = {port for port, n in ports.items() if port and n >= least}
    if not busy:
        return []
    counts = _count(batches, busy, first, last, reuse)
    found = [_Destination(ends, states) for ends, states in counts.items()]
    return [one for one in found if one.used >= least]


def _count(
    batches: list[Batch], ports: Collection[int], first: int, last: int, reuse: int | None
) -> dict[Ends, dict[str, int]]:
    """Count connections to some ports by their ends and state."""
    tally = Tally("local.address", "peer.address", "peer.port", "state")
    for batch, taken in _taken(batches, ports, first, last):
        # A local port and a destination make a connection unique, so that connections count ports.
        tally.add(batch.compressed(taken))
    counts: dict[Ends, dict[str, int]] = {}
    for (source, address, peer, state), n in tally.counts().items():
        if not _reusable(reuse, state, address):
            states = counts.setdefault((source, address, peer), {})
            states[state] = states.get(state, 0) + n
    return counts


def _taken(batches: list[Batch], ports: Collection[int], first: int, last: int) -> Iterator[tuple[Batch, list[bool]]]:
    listening = {batch.values("local.port")[row] for batch, row in listening_rows(batches)}
    for batch in batches:
        pairs = zip(batch.values("local.port"), batch.values("peer.port"), strict=True)
        taken = [peer in ports and first <= local <= last and local not in listening for local, peer in pairs]
        if any(taken):
            yield batch, taken


def _look_up(
    case: Case, batches: list[Batch], busy: list[_Destination], first: int, last: int, reuse: int | None
) -> None:
    """Find the processes that hold the connections, and how many there were before."""
    wanted = {one.ends: one for one in busy}
    ports = {port for _source, _address, port in wanted}
    inodes: dict[Ends, list[int]] = {}
    for batch, taken in _taken(batches, ports, first, last):
        part = batch.compressed(taken)
        columns = (part.values(name) for name in ("local.address", "peer.address", "peer.port", "inode"))
        for source, address, port, inode in zip(*columns, strict=True):
            if inode and (source, address, port) in wanted:
                inodes.setdefault((source, address, port), []).append(inode)
    # One scan for all destinations.
    case.all_holders(inode for some in inodes.values() for inode in some)
    for ends, some in inodes.items():
        wanted[ends].owners = tuple(case.holders_by_share(some))
    if case.before is not None and case.between:
        earlier = _count([b for b in case.before.batches if batch_table(b) == "tcp"], ports, first, last, reuse)
        for one in busy:
            one.earlier = sum(earlier.get(one.ends, {}).values())


def _reusable(reuse: int | None, state: str | None, address: Any) -> bool:
    # The kernel gives a port of TIME_WAIT out again for the same destination, a second after its end.
    if state != "TIME_WAIT" or not reuse:
        return False
    return reuse == 1 or is_loopback(address)
