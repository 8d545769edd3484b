"""What became of a socket that was to be closed."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.model.socket import Owner

# Outcomes.
WOULD_CLOSE, CLOSED, ABORTED, GONE, REFUSED, FAILED = "would_close", "closed", "aborted", "gone", "refused", "failed"
DONE = (CLOSED, ABORTED)


class KilledSocket(Record):
    """One socket, as it was shown, and what became of it."""

    outcome: str = field(
        "would_close: it matches, and nothing was done yet; closed; aborted: its process gets ECONNABORTED and the socket is "
        "disconnected, but stays bound, as the kernel leaves it; gone: it ended, or its addresses passed to another socket, "
        "before it could be closed; refused: this command does not close it; failed: the kernel did not close it.",
        kind=LABEL,
    )
    netid: str = field("Table.", kind=LABEL)
    state: str | None = field("State when it was shown.", kind=LABEL)
    local: Endpoint = field("Local end.", of=Endpoint)
    peer: Endpoint = field("Remote end.", of=Endpoint)
    processes: tuple[Owner, ...] | None = field(
        "Every open descriptor of the socket; null where owners cannot be seen.", default=None, of=Owner
    )
    reason: str | None = field("Why it was not closed.", default=None, kind=LABEL)
    inode: int | None = field("sockfs inode; 0: no process holds it.", default=None, kind=ID)
    cookie: int | None = field(
        "Identity of the socket, hexadecimal, which the kernel compared before it closed it.",
        default=None,
        kind=ID,
        base=16,
    )
    netns: str | None = field("Network namespace: name, or inode where it has none.", default=None, kind=LABEL)
