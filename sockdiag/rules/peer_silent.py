"""PEER_SILENT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Threshold
from sockdiag.model.finding import STALLED, WARNING, Advice
from sockdiag.rules._effects import SILENCED
from sockdiag.rules._tcp import ANSWERING, TABLES, asking, unanswered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.tcp_info import TcpInfo
    from sockdiag.rules._tcp import Explanation

RULE = DeclaredRule(
    "PEER_SILENT",
    WARNING,
    (STALLED,),
    "A peer no longer acknowledges data on established connections: it vanished, the network path to it is broken, "
    "or the path has a smaller MTU than known and loses large segments.",
    "The retransmission timer doubles after each try. The kernel gives the connection up after tcp_retries2 tries, "
    "15 minutes or more.",
    "tcp_retransmit_timer(), tcp_write_timeout(), net/ipv4/tcp_timer.c",
    ("state", "timer.retransmits", "peer", "owners", "tcp_info of a few"),
    ("tcp",),
    (
        Threshold("retransmits", 3, "three timeouts in a row are hardly chance: one in 8000 at 5 % loss"),
        Threshold("least", 1, "one connection that hangs is worth reporting"),
    ),
    ("the peer, and the network path to it", "TCP_USER_TIMEOUT", "net.ipv4.tcp_mtu_probing"),
    partly=("mptcp",),
    tables=TABLES,
    explained_by=SILENCED,
)

_ADVICE = Advice(
    "Check the peer and the network path to it; TCP_USER_TIMEOUT lets the process learn of it sooner.",
    None,
    "The peer acknowledges nothing, in spite of retransmissions.",
)
_SMALLER = (
    Advice(
        "Let TCP find the size of segments that get through.",
        "sysctl -w net.ipv4.tcp_mtu_probing=1",
        "TCP then tries smaller segments after some timeouts. The default is 0.",
    ),
    Advice(
        "Let ICMP 'fragmentation needed' (IPv6: 'packet too big') pass all firewalls on the path, or lower the MTU "
        "of the route.",
        None,
        "A router that drops a segment because of its size reports that by ICMP.",
    ),
)

# The SYN counts as one byte that was acknowledged.
_SYN = 1
# IP and ICMP headers of a ping.
_HEADERS_V4, _HEADERS_V6 = 28, 48

# A path that loses one segment in ten at random loses one this often in a row once in 100,000.
_NO_CHANCE = 5

# How many connections of a peer are asked for their tcp_info.
_ASKED = 4
# A peer that acknowledged something so lately is alive.
_ALIVE_MS = 5000


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections that have data under way, by the peer's address."""
    yield from unanswered(
        case,
        RULE,
        ("ESTABLISHED", "CLOSE_WAIT"),
        "connection",
        lambda end: (asking(end, _ADVICE),),
        port=False,
        explain=_too_large,
    )


def _too_large(case: Case, end: Endpoint, rows: list[tuple[Batch, int]]) -> Explanation | None:
    """Tell a path whose MTU is smaller than known, and one that loses segments at random, from a peer that vanished.

    Where the MTU is smaller, full-sized segments are not acknowledged, in spite of retransmissions, while smaller ones behind
    them are (SACK), or while the peer acknowledges others on another connection. Where segments of all sizes get through,
    the peer answers, and the lost ones are a matter of retransmissions.
    """
    alive: bool | None = None
    answers = False
    for batch, row in rows[:_ASKED]:
        info = case.tcp_info(batch, row)
        unsent = batch.values("send_q")[row] or 0
        if info is None:
            continue
        answers = answers or _answers(info)
        if not info.snd_mss or unsent < info.snd_mss:
            continue
        never = info.bytes_acked is not None and info.bytes_acked < info.snd_mss
        if not info.sacked and alive is None:
            alive = _alive(case, end, rows)
        if _small_ones_pass(info, unsent) or (alive and (never or (info.backoff or 0) >= _NO_CHANCE)):
            cause = (
                f"segments of {info.snd_mss} bytes are lost and smaller ones are acknowledged: a link on the path "
                "has a smaller MTU, and the ICMP messages that report it do not arrive"
            )
            return "does not receive large segments (path MTU black hole)", cause, _SMALLER
        if never and not info.sacked:
            passed = (
                f"only segments smaller than {info.snd_mss} bytes have"
                if (info.bytes_acked or 0) > _SYN
                else "only the handshake has"
            )
            cause = (
                f"{passed} been acknowledged: a link on the path may have a smaller MTU, or the peer vanished before the first "
                "large segment"
            )
            return (
                "has acknowledged no full-sized segment",
                cause,
                (_compare(end, info), asking(end, _ADVICE), *_SMALLER),
            )
    return ANSWERING if answers else None


def _small_ones_pass(info: TcpInfo, unsent: int) -> bool:
    """Whether what the peer has acknowledged behind the gaps are small segments, if the gaps are full-sized ones."""
    if not info.sacked or not info.unacked or not info.snd_mss:
        return False
    under_way = unsent - (info.notsent_bytes or 0)
    behind = under_way - (info.unacked - info.sacked) * info.snd_mss
    return 0 <= behind < info.sacked * info.snd_mss / 2


def _answers(info: TcpInfo) -> bool:
    """Whether the peer has acknowledged something since the segment that it does not acknowledge was first sent again."""
    if not info.sacked or info.last_ack_recv_ms is None or not info.rto_us or not info.backoff:
        return False
    # The timeout has doubled each time: all of them together but for the first.
    return info.backoff < _NO_CHANCE and info.last_ack_recv_ms < info.rto_us / 1000 * (1 - 0.5**info.backoff)


def _compare(end: Endpoint, info: TcpInfo) -> Advice:
    """Advise to tell the two apart by packets of both sizes that must not be fragmented."""
    address = str(end.address)
    largest = (info.pmtu or info.snd_mss or 0) - (_HEADERS_V6 if ":" in address else _HEADERS_V4)
    return Advice(
        "Check whether large packets get through where small ones do.",
        f"ping -c 3 -M do -s {max(0, largest)} {address}; ping -c 3 {address}",
        "If only the small ones are answered, the MTU is the cause. If neither are, the peer or the path is down.",
    )


def _alive(case: Case, end: Endpoint, silent: list[tuple[Batch, int]]) -> bool:
    """Whether the peer has acknowledged something lately on a connection that is not among those that wait."""
    known = {(id(batch), row) for batch, row in silent}
    asked = 0
    for batch, addresses, states in case.scan(("tcp",), "peer.address", "state"):
        for row, address in enumerate(addresses):
            if address != end.address or states[row] != "ESTABLISHED" or (id(batch), row) in known:
                continue
            info = case.tcp_info(batch, row)
            asked += 1
            if info is not None and info.last_ack_recv_ms is not None and info.last_ack_recv_ms < _ALIVE_MS:
                return True
            if asked >= _ASKED:
                return False
    return False
