"""FIN_WAIT2_LEAK."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.judging.subjects import process_name, process_subject
from sockdiag.model.finding import LEAKING, WARNING, Advice, Evidence, Finding
from sockdiag.rules._tcp import STILL_MS, TABLES, by_process, in_state_before, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "FIN_WAIT2_LEAK",
    WARNING,
    (LEAKING,),
    "A process has shut connections down for writing, keeps them open, and waits for peers that do not close theirs.",
    "tcp_fin_timeout ends FIN_WAIT2 only of sockets that nobody holds; one with a file has no time limit.",
    "tcp_rcv_state_process(), tcp_shutdown(), net/ipv4/tcp*.c",
    ("state", "inode", "owners"),
    ("tcp",),
    (
        Threshold("least", 3, "with two looks, sockets of one process that were in the state at both"),
        Threshold("least_once", 10, "with one look, which cannot tell those whose peer is about to close"),
    ),
    ("close(2), or a timeout of the process's own",),
    partly=("mptcp",),
    tables=TABLES,
    compared=(in_state_before("FIN_WAIT2"),),
    commands=("states",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge FIN_WAIT2 sockets that have a file, by process."""

    def held(batch: Batch, row: int) -> bool:
        return bool(batch.values("inode")[row])

    old, new = lasting(case, "FIN_WAIT2", held)
    # A connection that is half closed on purpose still brings data.
    silences = [case.silence_ms(batch, row) for batch, row in old]
    old = [row for row, ms in zip(old, silences, strict=True) if ms is None or ms >= STILL_MS]
    least = case.threshold(RULE, "least_once" if case.before is None else "least")
    if len(old) < least:
        return
    for owner, pile in by_process(case, old, new).values():
        if len(pile.rows) < least:
            continue
        who = process_name(None, None) if owner is None else process_name(owner.pid, owner.comm)
        n = len(pile.rows) + pile.fresh
        said = f"{who} holds {n} connections that it has shut down for writing and whose peers do not close them (FIN_WAIT2)"
        evidence = {"fin_wait2": Evidence(n, "sockets", None, "idiag_state, idiag_inode", "netns")}
        advice = Advice(
            "Let the process close these connections after a time of its own.",
            None,
            "It still holds them, so that net.ipv4.tcp_fin_timeout does not apply.",
        )
        yield Hit(
            Finding(
                RULE.code,
                WARNING,
                process_subject(owner, n, netid="tcp", state="FIN_WAIT2"),
                said,
                evidence,
                None,
                None,
                (advice,),
                LEAKING,
            ),
            pile.rows,
        )
