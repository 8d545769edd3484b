"""CLOSE_WAIT_LEAK."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.judging.subjects import process_name, process_subject
from sockdiag.model.finding import LEAKING, WARNING, Advice, Evidence, Finding
from sockdiag.rules._tcp import TABLES, by_process, in_state_before, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "CLOSE_WAIT_LEAK",
    WARNING,
    (LEAKING,),
    "A process does not close connections that its peers have closed. They have no timer and stay until it does, each with a "
    "descriptor and the memory of its queues.",
    "CLOSE_WAIT is left only by close(2) or shutdown(2) of the owner.",
    "tcp_fin(), tcp_close_state(), net/ipv4/tcp*.c",
    ("state", "inode", "send_q", "owners"),
    ("tcp",),
    (
        Threshold(
            "least",
            3,
            "with two looks, sockets of one process that were in the state at both; one or two may be half-closed on purpose",
        ),
        Threshold("least_once", 10, "with one look, which cannot tell those that are about to be closed"),
    ),
    ("close(2) when recv(2) returns 0",),
    partly=("mptcp",),
    tables=TABLES,
    compared=(in_state_before("CLOSE_WAIT"),),
    commands=("states",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge CLOSE_WAIT by process. One that still sends is half-closed by its peer, which is no leak."""

    def idle(batch: Batch, row: int) -> bool:
        return not batch.values("send_q")[row] and bool(batch.values("inode")[row])

    old, new = lasting(case, "CLOSE_WAIT", idle)
    least = case.threshold(RULE, "least_once" if case.before is None else "least")
    if len(old) < least:
        return
    for owner, pile in by_process(case, old, new).values():
        if len(pile.rows) < least:
            continue
        who = process_name(None, None) if owner is None else process_name(owner.pid, owner.comm)
        n = len(pile.rows) + pile.fresh
        since = "" if case.seconds is None else f", {len(pile.rows)} of them for more than {case.seconds:.3g} s"
        growth = f", {pile.fresh} new" if pile.fresh else ""
        said = f"{who} holds {n} connections that their peers have closed (CLOSE_WAIT){since}{growth}"
        evidence = {"close_wait": Evidence(n, "sockets", None, "idiag_state", "netns")}
        if case.seconds is not None:
            evidence["lasting"] = Evidence(len(pile.rows), "sockets", None, "idiag_cookie of both looks", "netns")
        advice = Advice(
            "Let the process close a connection when recv(2) returns 0; restarting it frees them.",
            None,
            "No timeout or sysctl of the kernel ends CLOSE_WAIT.",
        )
        yield Hit(
            Finding(
                RULE.code,
                WARNING,
                process_subject(owner, n, netid="tcp", state="CLOSE_WAIT"),
                said,
                evidence,
                None,
                None,
                (advice,),
                LEAKING,
            ),
            pile.rows,
        )
