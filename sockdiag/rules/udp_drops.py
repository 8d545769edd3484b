"""UDP_DROPS."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Explained, Hit, Threshold, per_second
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.judging.subjects import WITHOUT_FILTER, at, memory_evidence, one, subject_of, unseen
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, WARNING, Advice, Finding, Subject
from sockdiag.model.quantity import count, counted
from sockdiag.rules._buffers import COMPARED, levels
from sockdiag.rules._memory import ACCOUNT_SYSCTLS, MEMORY_PARTS, used_up
from sockdiag.rules._udp import (
    COUNTERS,
    CSUM_ERRORS,
    IN_ERRORS,
    MEM_ERRORS,
    RCVBUF_ERRORS,
    TABLES,
    buffer_is_cause,
    rejected,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_READ = ("Udp.InDatagrams", "Udp6.InDatagrams")

RULE = DeclaredRule(
    "UDP_DROPS",
    CRITICAL,
    (DROPPING,),
    "UDP sockets drop datagrams for another reason than a full buffer, or sockets that are closed by now refused "
    "datagrams.",
    "A socket filter rejects the datagram (sk_drops and InErrors), its checksum is wrong (InCsumErrors), or memory "
    "above udp_mem cannot be charged (sk_drops; also MemErrors from 5.11 to 6.17, and only InErrors before).",
    "udp_queue_rcv_one_skb(), __udp_enqueue_schedule_skb(), net/ipv4/udp.c",
    ("skmem.drops", *RCVBUF_ERRORS[:2], *IN_ERRORS[:2], *CSUM_ERRORS[:2], *MEM_ERRORS[:2]),
    ("udp", "/proc/net/snmp"),
    (
        Threshold(
            "unexplained_ratio", 0.5, "counters and sockets are read milliseconds apart, and drops continue meanwhile"
        ),
        *THRESHOLDS,
    ),
    ("the filter, the sender's checksums, udp_mem or the cgroup: a larger buffer would not help",),
    partly=("udplite", "/proc/net/snmp6"),
    tables=TABLES,
    sysctls=ACCOUNT_SYSCTLS,
    counters=(*COUNTERS, *CSUM_ERRORS, *_READ),
    parts=MEMORY_PARTS,
    compared=(Compared(TABLES, COMPARED),),
    explained_by=(Explained("CHECKSUM_ERRORS"),),
    drop_reasons=("SOCKET_FILTER", "UDP_CSUM", "PROTO_MEM", "ENOBUFS", "SOCKET_RCVBUFF", "ENOMEM"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge drops that the sockets' own buffers do not explain."""
    explained = 0
    passed = case.sum_moved(*_READ)
    most, open_one = 0, ""
    for batch, row, level in levels(case, TABLES):
        if (level.drops or 0) > most:
            most, socket = level.drops or 0, one(batch, row)
            open_one = f"{socket.netid} {at(socket.local)}"
        lost = level.lost
        if not lost or lost < 0:
            continue
        if buffer_is_cause(case, level):
            explained += lost
            continue
        cause, advice = _cause(case)
        socket = one(batch, row)
        evidence = {"drops_in_interval": memory_evidence(socket, "drops", lost, "count")}
        evidence |= {
            n: case.counter_evidence(n)
            for n in (*RCVBUF_ERRORS[:2], *IN_ERRORS[:2], *CSUM_ERRORS[:2])
            if n in case.now.counters
        }
        said = f"{socket.netid} {at(socket.local)} dropped {counted(lost, 'datagram')}{per_second(case.rate(lost))}: {cause}"
        filtered = cause == _FILTER
        yield Hit(
            Finding(
                RULE.code,
                severity_of(lost, passed, case.seconds, WARNING if filtered else CRITICAL),
                subject_of(socket),
                said,
                evidence,
                None,
                None,
                advice,
                DROPPING,
                loss_per_s=case.rate(lost),
            ),
            [(batch, row)],
        )
    refused = case.sum_moved(*RCVBUF_ERRORS)
    if refused and refused - explained > refused * case.threshold(RULE, "unexplained_ratio"):
        evidence = {name: case.counter_evidence(name) for name in RCVBUF_ERRORS if name in case.now.counters}
        said = (
            f"{counted(refused - explained, 'datagram')}{per_second(case.rate(refused - explained))} refused by full "
            f"receive buffers of {unseen(case, 'sockets')}"
        )
        look = Advice(
            "Find the sockets, which are closed by now, and their processes.",
            "sockdiag trace drops --where 'netid = udp' --for 10s",
            "No open socket explains these losses. The trace shows each drop with its socket, at the moment of the drop.",
        )
        if case.now.filtered:
            look = WITHOUT_FILTER
        elif open_one:
            # Counters are read a moment after the sockets, and one burst may have come in between.
            said += f", or of {open_one} after it was read: it has lost {count(most)} since it was made"
            look = Advice(
                f"Look again: where the losses are those of {open_one}, the next samples show them at that socket.",
                "sockdiag doctor --interval 5",
                "Counters are read a moment after the sockets. What is lost in between shows in the counters alone.",
            )
        yield Hit(
            Finding(
                RULE.code,
                severity_of(refused - explained, passed, case.seconds),
                Subject(NAMESPACE, "UDP"),
                said,
                evidence,
                None,
                None,
                (look,),
                DROPPING,
                loss_per_s=case.rate(refused - explained),
            )
        )


_FILTER = "its socket filter rejected them"


def _cause(case: Case) -> tuple[str, tuple[Advice, ...]]:
    if case.sum_moved(*CSUM_ERRORS):
        return "their checksums are wrong", (
            Advice(
                "Find out where they are damaged: the sender, a tunnel, checksum offload.", None, "InCsumErrors grew."
            ),
        )
    causes, advice = used_up(case, "UDP")
    # Linux before 5.11 counts what it has no memory for in InErrors alone, as what a filter rejects.
    apart = any(name in case.now.counters for name in MEM_ERRORS)
    if rejected(case) and (apart or not causes):
        return _FILTER, (
            Advice(
                "Check the filter of the process (SO_ATTACH_FILTER, SO_ATTACH_BPF).",
                None,
                "InErrors grew without RcvbufErrors. The filter may reject them on purpose; a larger buffer does "
                "not help.",
            ),
        )
    if causes:
        return f"the kernel could charge no memory for them; {causes}", advice
    return "the kernel could charge no memory for them (udp_mem or the cgroup's limit)", (
        Advice(
            "Check UDP's memory and the memory limits of the processes' cgroups.",
            "sockdiag memory",
            "The sockets drop, but neither RcvbufErrors nor InErrors grew: their own buffers are not the limit.",
        ),
    )
