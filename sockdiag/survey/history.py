"""Look back over a recording: when findings came and went, and what became of sockets."""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.judging.finding_diff import identity_of
from sockdiag.kernel.tcp_states import SHOWN_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.finding import Subject, badness
from sockdiag.model.record import BYTES, COUNT, ID, LABEL, Record, field
from sockdiag.sources.recordings.moments import choose
from sockdiag.sources.recordings.opening import system_at
from sockdiag.survey.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.model.finding import Finding
    from sockdiag.model.socket import Socket
    from sockdiag.sources.recordings.reader import MomentEntry, RecordingReader

MOST_SOCKETS = 10_000


class FindingHistory(Record):
    """When a finding was there."""

    began_at: str = field("The first moment with it, RFC 3339 in UTC.", kind=LABEL)
    ended_at: str | None = field(
        "The first moment without it; null if it was there at the last.", default=None, kind=LABEL
    )
    judged: int = field("In how many of the judged moments it was.", default=1, unit=COUNT)
    severity: str = field("The worst severity that it had.", default="", kind=LABEL)
    code: str = field("Stable name of the rule: sockdiag rules CODE explains it.", default="", kind=LABEL)
    summary: str = field("The finding at its worst, with its numbers.", default="", kind=LABEL)
    subject: Subject | None = field("What it is about.", default=None, of=Subject)


class SocketHistory(Record):
    """What became of a socket."""

    netid: str = field("Table of the socket.", kind=LABEL)
    state: str | None = field("Its last state.", default=None, kind=LABEL, shown=SHOWN_STATES)
    local: Endpoint | None = field("Local end.", default=None, of=Endpoint)
    peer: Endpoint | None = field("Remote end.", default=None, of=Endpoint)
    cookie: int | None = field("Identity of the socket, as ss -e prints it.", default=None, kind=ID, base=16)
    first_at: str = field("The first moment with it, RFC 3339 in UTC.", default="", kind=LABEL)
    last_at: str = field("The last moment with it.", default="", kind=LABEL)
    ended: bool = field("It was gone in a later moment.", default=False, kind=LABEL)
    age_s: float = field("Seconds from the first to the last moment with it: it is at least that old.", default=0.0)
    recv_q_first: int | None = field("RECV-Q in the first moment.", default=None)
    recv_q_max: int | None = field("Largest RECV-Q.", default=None)
    recv_q_last: int | None = field("RECV-Q in the last moment.", default=None)
    send_q_first: int | None = field("SEND-Q in the first moment.", default=None)
    send_q_max: int | None = field("Largest SEND-Q.", default=None)
    send_q_last: int | None = field("SEND-Q in the last moment.", default=None)
    memory_first: int | None = field("Memory of its queues in the first moment.", default=None, unit=BYTES)
    memory_max: int | None = field("Most memory of its queues.", default=None, unit=BYTES)
    memory_last: int | None = field("Memory of its queues in the last moment.", default=None, unit=BYTES)


class History:
    """What was found in a recording.

    Attributes:
        moments: those that were looked at.
        findings: in the order in which they came.
        sockets: in the order in which they were first seen.
        unread: moments that could not be read, with the reason.
        more: there were more sockets than are kept.
    """

    __slots__ = ("findings", "moments", "more", "sockets", "unread")

    def __init__(self) -> None:
        self.moments: list[MomentEntry] = []
        self.findings: list[FindingHistory] = []
        self.sockets: list[SocketHistory] = []
        self.unread: list[SourceError] = []
        self.more = False


def picked(recording: RecordingReader, since: str, until: str, most: int) -> list[MomentEntry]:
    """Return moments of a recording, evenly, the first and the last among them.

    Raises:
        UsageError: a time is none, or none that the recording covers.
    """
    first = choose(recording, since).moment.number if since else 0
    last = choose(recording, until).moment.number
    number = max(0, last - first) + 1
    places = range(number) if number <= most else [round(step * (number - 1) / (most - 1)) for step in range(most)]
    return [recording.moments[first + place] for place in places]


def look_back(
    recording: RecordingReader, moments: list[MomentEntry], codes: tuple[str, ...] | None = None, where: str = ""
) -> History:
    """Judge moments of a recording, each compared with the one before, so that no loss in between is missed.

    Args:
        recording: the recording.
        moments: in its order.
        codes: the rules; None for all.
        where: a filter for sockets, whose history is told; empty for none.

    Raises:
        FilterError: the filter does not parse.
    """
    history = History()
    findings = _Findings()
    sockets: dict[Any, SocketHistory] = {}
    began: dict[Any, float] = {}
    before: tuple[MomentEntry, Any] | None = None
    for moment in moments:
        try:
            system = system_at(recording, moment, f"{recording.path}@{moment.number}", alone=True)
        except SourceError as error:
            history.unread.append(error)
            continue
        if before is not None and before[0].same_boot(moment) and moment.monotonic - before[0].monotonic <= 3600:
            system.moments = (before[1],)
        history.moments.append(moment)
        survey = Survey(system)
        found = survey.diagnose(codes=codes, where=where)
        findings.take(moment, found.by_cause())
        if where:
            history.more = _follow(sockets, began, moment, survey.sockets(where)) or history.more
        system.moments = ()
        before = moment, system
    history.findings = findings.all()
    history.sockets = list(sockets.values())
    return history


class _Findings:
    """Findings that are there, and those that were."""

    def __init__(self) -> None:
        self._open: dict[Any, tuple[Finding, FindingHistory]] = {}
        self._closed: list[FindingHistory] = []

    def take(self, moment: MomentEntry, findings: list[Finding]) -> None:
        at = rfc3339(moment.wall)
        now = {identity_of(one): one for one in reversed(findings)}
        for key in [key for key in self._open if key not in now]:
            self._closed.append(self._open.pop(key)[1]._replace(ended_at=at))
        for key, one in now.items():
            worst, known = self._open.get(key, (one, None))
            if badness(one) < badness(worst):
                worst = one
            begun = FindingHistory(at, judged=0) if known is None else known
            self._open[key] = (
                worst,
                begun._replace(
                    judged=begun.judged + 1,
                    severity=worst.severity,
                    code=one.code,
                    summary=worst.summary,
                    subject=worst.subject,
                ),
            )

    def all(self) -> list[FindingHistory]:
        return sorted([*self._closed, *(known for _worst, known in self._open.values())], key=lambda one: one.began_at)


def _follow(
    histories: dict[Any, SocketHistory], began: dict[Any, float], moment: MomentEntry, sockets: Iterator[Socket]
) -> bool:
    """Note the sockets of a moment; return whether there are more than are kept."""
    at = rfc3339(moment.wall)
    more = False
    seen = set()
    for socket in sockets:
        key = socket.netid, socket.cookie or socket.inode or (socket.local, socket.peer), moment.entry.boot
        seen.add(key)
        memory = _memory(socket)
        known = histories.get(key)
        if known is None:
            if len(histories) >= MOST_SOCKETS:
                more = True
                continue
            known = SocketHistory(
                socket.netid,
                cookie=socket.cookie,
                first_at=at,
                recv_q_first=socket.recv_q,
                send_q_first=socket.send_q,
                memory_first=memory,
            )
            began[key] = moment.monotonic
        histories[key] = known._replace(
            state=socket.state,
            local=socket.local,
            peer=socket.peer,
            last_at=at,
            ended=False,
            age_s=round(moment.monotonic - began[key], 3),
            recv_q_max=_most(known.recv_q_max, socket.recv_q),
            recv_q_last=socket.recv_q,
            send_q_max=_most(known.send_q_max, socket.send_q),
            send_q_last=socket.send_q,
            memory_max=_most(known.memory_max, memory),
            memory_last=memory,
        )
    for key, known in histories.items():
        if key not in seen and not known.ended:
            histories[key] = known._replace(ended=True)
    return more


def _memory(socket: Socket) -> int | None:
    held = socket.skmem
    if held is None or held.rmem_alloc is None or held.wmem_queued is None:
        return None
    return held.rmem_alloc + held.wmem_queued


def _most(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def rfc3339(at: float) -> str:
    """Return a time as documents show it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
