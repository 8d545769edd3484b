"""CONNECTIONS_REFUSED."""

from __future__ import annotations

from sockdiag.judging.case import Explained, Threshold, Unseen
from sockdiag.judging.group import suspects_of
from sockdiag.judging.magnitude import beyond_guard, guard, severity_of, share_of
from sockdiag.judging.subjects import at
from sockdiag.model.finding import WARNING, Advice
from sockdiag.rules._counters import counter_rule, lost_in_interval, steady
from sockdiag.rules._tcp import TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch

_FAILED, _RESETS, _LOST = "Tcp.AttemptFails", "Tcp.OutRsts", "TcpExt.TCPMigrateReqFailure"
# Attempts that failed otherwise: no answer came, or the client reset its own request.
_OTHERWISE = ("TcpExt.TCPAbortOnTimeout", "TcpExt.EmbryonicRsts")
# ICMP errors end attempts too. This host itself sends them where the next hop does not answer. Datagrams get them as well.
_UNREACHABLE = ("Icmp.InDestUnreachs", "Icmp6.InDestUnreachs")
_REPORTED = ("Icmp.OutDestUnreachs", "Icmp6.OutDestUnreachs")
_NO_PORTS = ("Udp.NoPorts", "Udp6.NoPorts")
_NO_WAY = "TCP unreachable"
# What else this host answers or ends with a reset.
_ENDED = ("TcpExt.TCPAbortOnClose", "TcpExt.TCPAbortOnData", "TcpExt.TCPAbortOnTimeout", "Tcp.EstabResets")
# Sockets of attempts that are looked at, and peers that are named.
_ASKED, _NAMED = 100, 3
# Each reset of an established connection may be followed by some for segments that were under way.
_FOLLOW = 10

RULE = counter_rule(
    "CONNECTIONS_REFUSED",
    "Connection attempts are refused: the service is down or listens elsewhere. Clients get ECONNREFUSED, or EHOSTUNREACH if "
    "an ICMP error says that there is no way to it.",
    "The kernel answers a SYN for a port without a listener with a reset. A listener that is closed loses its "
    "pending requests. An ICMP error ends an attempt.",
    (_FAILED, _RESETS, _LOST),
    ("Tcp.ActiveOpens", "Tcp.PassiveOpens"),
    ("the service that should listen", "the address and port that clients use"),
    (
        *guard(6, 2, 0.05, "health checks of a service that is down, port scans, and clients that retry periodically"),
        Threshold("few", 3, "fewer than least count if most attempts of this host fail: its only service is down"),
        Threshold("few_per_s", 0.5, "a single health check or a single retrying program is slower"),
        Threshold("most", 0.5, "more attempts fail than succeed"),
    ),
    beside=(*_OTHERWISE, *_ENDED, *_UNREACHABLE, *_REPORTED, *_NO_PORTS),
    tables=TABLES,
    explained_by=(
        Explained("SYN_COOKIES_FAILED"),
        Explained("NEIGHBOUR_FAILED", about=_NO_WAY),
        Explained("NEIGHBOUR_TABLE_FULL", about=_NO_WAY),
        Explained("DEVICE_DROP", 0.5, about=_NO_WAY),
        Explained("DEVICE_ERRORS", 0.5, about=_NO_WAY),
        Explained("NFT_DROP", about=_NO_WAY),
    ),
    drop_reasons=("NO_SOCKET",),
)

_OUT = Advice(
    "Find the service that processes of this host try to reach, and start it or correct the address.",
    "sockdiag trace resets errors --for 10s",
    "A refused connection leaves no socket behind. The trace shows each attempt with its process, address and port.",
)
_NEXT_HOP = Advice(
    "Look for a gateway or host on the link that does not answer, a device that is down, and a firewall rule that rejects.",
    "ip neigh; ip link; nft list ruleset",
    "This host itself sends the ICMP errors: the connections do not get beyond its links.",
)
_REPORTER = Advice(
    "Find the router or firewall that reports the destination as unreachable.",
    "tcpdump -nvc 20 -i any 'icmp[0] = 3 or icmp6[0] = 1'",
    "The ICMP errors show who sends them and why, and quote address and port.",
)
_IN = Advice(
    "Look at the ports. If it is one, start its service or find the clients that should not use it; if they are many, someone "
    "scans this host, and nothing is wrong with it.",
    "sockdiag trace resets --for 10s; ss -ltn",
    "The resets that are sent show the clients and the ports. No counter tells clients of a service that is down from a port scan.",
)
_GONE = Advice(
    "Let a listener of a SO_REUSEPORT group accept its requests before it closes, or set net.ipv4.tcp_migrate_req=1.",
    None,
    "Closing a listener loses its pending requests unless another one of its group takes them.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge attempts of this namespace's processes, SYNs to its closed ports, and requests of listeners that went away."""
    failed = max(0, (case.moved(_FAILED) or 0) - (case.sum_moved(*_OTHERWISE) or 0))
    opened = max(0, (case.moved("Tcp.ActiveOpens") or 0) - failed)
    many = steady(case, _FAILED) and beyond_guard(case, RULE, failed, opened)
    if many or _most(case, failed, opened):
        errors = (case.sum_moved(*_UNREACHABLE) or 0) - (case.sum_moved(*_NO_PORTS) or 0)
        own = (case.sum_moved(*_REPORTED) or 0) - (case.sum_moved(*_NO_PORTS) or 0)
        unreachable = errors > failed / 2
        for hit in lost_in_interval(
            case,
            RULE,
            (_FAILED, *_UNREACHABLE) if unreachable else (_FAILED,),
            _NO_WAY if unreachable else "TCP connect",
            "connection attempt",
            "from this host failed: ICMP errors say that the destination is unreachable"
            if unreachable
            else "from this host refused",
            (_OUT if not unreachable else _NEXT_HOP if own > failed / 2 else _REPORTER,),
            lost=failed,
            passed=opened,
            of="attempts",
        ):
            yield _with_attempts(case, hit)
    ended = case.sum_moved(*_ENDED) or 0
    # A reset that a process of this namespace got counts as its failed attempt.
    refused = max(0, (case.moved(_RESETS) or 0) - (case.moved(_FAILED) or 0) - ended)
    passed = case.moved("Tcp.PassiveOpens")
    if steady(case, _RESETS) and refused > _FOLLOW * ended and refused > (passed or 0):
        yield from lost_in_interval(
            case,
            RULE,
            (_RESETS,),
            "TCP closed ports",
            "connection attempt",
            "from clients refused: nothing listens on the port",
            (_IN,),
            lost=refused,
            passed=passed,
            of="attempts",
            guarded=True,
            # A port scan looks the same, and is no reason to call someone.
            severity=severity_of(refused, passed, case.seconds, WARNING),
        )
    if _LOST in case.now.counters:
        yield from lost_in_interval(
            case,
            RULE,
            (_LOST,),
            "TCP listeners",
            "connection request",
            "lost when the listener was closed",
            (_GONE,),
            passed=passed,
            of="connections accepted",
        )


def _with_attempts(case: Case, hit: Hit) -> Hit:
    """Name peers and processes of attempts that are under way in the later sample.

    A refused attempt leaves no socket; of peers on other hosts, some of many attempts are seen while they wait for the answer.
    """
    rows: list[tuple[Batch, int]] = []
    try:
        for batch, states in case.scan(TABLES, "state"):
            rows += ((batch, row) for row, state in enumerate(states) if state == "SYN_SENT")
    except Unseen:
        return hit  # the counters suffice for the finding
    peers: dict[Endpoint, int] = {}
    inodes = []
    for batch, row in rows[:_ASKED]:
        socket = batch.at([row])[0]
        # One that was sent again has no answer at all.
        if socket.timer is None or not socket.timer.retransmits:
            peers[socket.peer] = peers.get(socket.peer, 0) + 1
            inodes.append(socket.inode)
    if not peers:
        return hit
    owners = case.holders_by_share(inodes)
    most = sorted(peers, key=lambda peer: -peers[peer])
    more = f" and {len(most) - _NAMED} more" if len(most) > _NAMED else ""
    finding = hit.finding
    said = f"{finding.summary}; seen under way: to {', '.join(map(at, most[:_NAMED]))}{more}"
    subject = finding.subject._replace(peer=most[0]) if len(most) == 1 else finding.subject
    return hit.changed(finding._replace(summary=said, subject=subject, suspects=suspects_of(owners)))


def _most(case: Case, failed: int, opened: int) -> bool:
    return (
        failed >= case.threshold(RULE, "few")
        and (case.rate(failed) or 0.0) >= case.threshold(RULE, "few_per_s")
        and (share_of(failed, opened) or 0.0) >= case.threshold(RULE, "most")
    )
