"""What differs between two systems, or between one system at two moments."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import SHOWN_STATES
from sockdiag.model.address import Endpoint
from sockdiag.model.finding import Finding
from sockdiag.model.record import COUNT, ID, LABEL, Record, field

# What happened to a socket, or to a finding.
OPENED, CLOSED, CHANGED, RESTARTED = "opened", "closed", "changed", "restarted"
APPEARED, VANISHED = "appeared", "vanished"
# What a difference is about.
SOCKET_KIND, COUNTER_KIND, LIMIT_KIND, FINDING_KIND = "socket", "counter", "limit", "finding"
# What is compared of a socket that is there on both sides.
STATE, OWNER, USER, BACKLOG = "state", "owner", "user", "backlog"
WATCHED = (STATE, OWNER, USER, BACKLOG)


class ComparedSide(Record):
    """One of the two systems that are compared."""

    name: str = field("The capture as it was named, or live.", kind=LABEL)
    hostname: str | None = field("Host name.", default=None, kind=LABEL)
    kernel: str | None = field("Kernel release.", default=None, kind=LABEL)
    boot_id: str | None = field("Changes at every boot.", default=None, kind=ID)
    netns: int | None = field("Inode of the network namespace.", default=None, kind=ID)
    at: float | None = field(
        "When it was read, in seconds since the epoch; null if a capture does not tell.", default=None, kind=ID
    )
    interval_s: float | None = field(
        "Seconds between its two samples; null for a single one, which shows no losses.", default=None
    )
    sockets: int | None = field("Number of its sockets that were compared.", default=None, unit=COUNT)


class Holder(Record):
    """A process that holds a socket."""

    pid: int = field("Process id.", kind=ID)
    comm: bytes | None = field("Name of the process's main thread.", kind=LABEL)


class SocketSide(Record):
    """A socket on one side of a comparison."""

    state: str | None = field("Its state.", default=None, kind=LABEL, shown=SHOWN_STATES)
    uid: int | None = field("User that created it.", default=None, kind=ID)
    backlog: int | None = field("Of a listener, the limit of its accept queue.", default=None, unit=COUNT)
    processes: tuple[Holder, ...] | None = field(
        "Processes that hold it; null if they are not known.", default=None, of=Holder
    )
    inode: int | None = field("sockfs inode.", default=None, kind=ID)
    cookie: int | None = field("Identity of the socket.", default=None, kind=ID, base=16)


class SocketDifference(Record):
    """A socket that was opened, closed or changed."""

    change: str = field(
        "opened, closed, changed, or restarted: another socket, of the same program and address.", kind=LABEL
    )
    fields: tuple[str, ...] = field("What has changed: state, owner, user, backlog.", kind=LABEL)
    netid: str = field("Its table.", kind=LABEL)
    local: Endpoint = field("Local end.", default=Endpoint(), of=Endpoint)
    peer: Endpoint = field("Remote end.", default=Endpoint(), of=Endpoint)
    before: SocketSide | None = field("As it was in A; null if it was opened.", default=None, of=SocketSide)
    after: SocketSide | None = field("As it is in B; null if it was closed.", default=None, of=SocketSide)


class CounterDifference(Record):
    """A counter that has changed, or whose change cannot be told."""

    name: str = field("Exact MIB name.", kind=LABEL)
    before: int | None = field("Its value in A; null if it is not there.")
    after: int | None = field("Its value in B; null if it is not there.")
    delta: int | None = field("Events in between; of a gauge the difference. Null where the two cannot be subtracted.")
    per_s: float | None = field("Events per second; null where the time in between is not known.", default=None)
    kind: str = field(
        "loss, refusal, noise, sign, traffic, history or setting; empty if it is not known.", default="", kind=LABEL
    )
    scope: str = field("Whose number it is: netns or host.", default="netns", kind=LABEL)
    reason: str = field("Why delta is unknown.", default="", kind=LABEL)


class LimitDifference(Record):
    """A sysctl whose value differs."""

    name: str = field("Its name.", kind=LABEL)
    unit: str = field("Unit of its values.", kind=LABEL)
    before: int | tuple[int | str, ...] | str | None = field("Its value in A.")
    after: int | tuple[int | str, ...] | str | None = field("Its value in B.")


class FindingDifference(Record):
    """A finding that appeared, vanished, or has another severity."""

    change: str = field("appeared, vanished or changed.", kind=LABEL)
    before: str | None = field("Its severity in A; null if it appeared.", kind=LABEL)
    after: str | None = field("Its severity in B; null if it vanished.", kind=LABEL)
    finding: Finding = field("The finding, as it is in B, or was in A if it vanished.", of=Finding)


class Difference(Record):
    """One difference of any kind, as a row of a table."""

    kind: str = field("socket, counter, limit or finding.", kind=LABEL)
    change: str = field("opened, closed, changed, restarted, appeared or vanished.", kind=LABEL)
    name: str = field("Table of the socket, or name of the counter, the sysctl or the rule.", kind=LABEL)
    fields: tuple[str, ...] = field("What has changed of a socket.", default=(), kind=LABEL)
    local: Endpoint | None = field("Local end of the socket.", default=None, of=Endpoint)
    peer: Endpoint | None = field("Remote end of the socket.", default=None, of=Endpoint)
    before: str | None = field("What it was in A.", default=None, kind=LABEL)
    after: str | None = field("What it is in B.", default=None, kind=LABEL)
    delta: int | None = field("Change of a counter; null where the two cannot be subtracted.", default=None)
    per_s: float | None = field("The same per second.", default=None)
    process: bytes | None = field(
        "Name of the process, the first one if several hold the socket.", default=None, kind=LABEL
    )
    pid: int | None = field("Its process id.", default=None, kind=ID)
    summary: str = field("The finding, in a sentence; or why a delta is unknown.", default="", kind=LABEL)
