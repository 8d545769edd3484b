"""Measures of all sockets of a table: number per state, memory, and refused packets."""

from __future__ import annotations

from sockdiag.analysis.measures.measure import Facts, Label, Measure, count
from sockdiag.kernel.families import LOSING_TABLES, OTHER_TABLES
from sockdiag.kernel.tcp_states import BOUND_INACTIVE, NEW_SYN_RECV, STATE_NAMES
from sockdiag.model.query import TABLES
from sockdiag.model.record import BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.analysis.measures.measure import Labels, Value
    from sockdiag.model.batch import Batch
    from sockdiag.model.sample import Sample

_STATES = tuple(name for number, name in enumerate(STATE_NAMES) if number not in (0, NEW_SYN_RECV, BOUND_INACTIVE))
_INET = ("AF_INET", "AF_INET6")
# These are 0 if there is none: an alert must not wait for the first socket.
_KNOWN = {"tcp": (_INET, _STATES), "udp": (_INET, ("ESTABLISHED", "CLOSE"))}

NETID = Label("netid", "Table: tcp, udp, unix, …", TABLES)
_FAMILY = Label(
    "family",
    "Address family, by the kernel's name.",
    (*_INET, *(family.name for family in OTHER_TABLES.values())),
)
_STATE = Label("state", "State, by the kernel's name.", _STATES)


def table_of(batch: Batch) -> str:
    """Return the table that a batch belongs to."""
    return str(batch.values("netid")[0]) if batch.size else ""


def _counts(sample: Sample) -> dict[Labels, Value]:
    from sockdiag.analysis.states import count_states, state_counts

    found: dict[Labels, Value] = {}
    for table, (families, states) in _KNOWN.items():
        if table in sample.tables or table in sample.absent:
            # A table that could not be read completely is unknown; a table that was read and lists none is 0.
            whole = table not in sample.absent and f"some {table}" not in sample.absent
            zero = 0 if whole and sample.tables.get(table) is not None else None
            found.update({(table, family, state): zero for family in families for state in states})
    for row in state_counts(count_states(sample.batches)):
        found[row.netid, row.family, row.state or "UNKNOWN"] = row.count
    return found


def _states(facts: Facts) -> Iterator[tuple[Labels, Value]]:
    yield from facts.once(_counts).items()


class _Sums:
    """Sums over the sockets of one table; a member is None if it is unknown for one of them."""

    __slots__ = ("drops", "held", "receive", "send")

    def __init__(self) -> None:
        self.held: int | None = 0
        self.receive: int | None = 0
        self.send: int | None = 0
        self.drops: int | None = 0


def _sums(sample: Sample) -> dict[str, _Sums]:
    from sockdiag.analysis.socket_memory import held_by_rows

    found = {table: _Sums() for table, source in sample.tables.items() if source is not None}
    for batch in sample.batches:
        sums = found.setdefault(table_of(batch), _Sums())
        held = held_by_rows(batch)
        if held is None:
            sums.held = sums.receive = sums.send = None
        else:
            sums.held, sums.receive, sums.send = (
                None if a is None else a + b for a, b in zip((sums.held, sums.receive, sums.send), held, strict=True)
            )
        drops = batch.values("skmem.drops")
        if None in drops:
            sums.drops = None
        elif sums.drops is not None:
            sums.drops += sum(drops)
    return found


def _memory(part: str, tables: tuple[str, ...] = TABLES) -> Callable[[Facts], Iterator[tuple[Labels, Value]]]:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        for table, sums in facts.once(_sums).items():
            if table in tables:
                known = table not in facts.sample.absent and f"skmem:{table}" not in facts.sample.absent
                yield (table,), getattr(sums, part) if known else None

    return read


def _bytes(part: str, help: str) -> Measure:
    needs = tuple(f"skmem:{table}" for table in TABLES)
    return Measure(f"socket_memory.{part}_bytes", BYTES, help, _memory(part), needs, (NETID,))


MEASURES = (
    count(
        "states",
        "Sockets of a table, family and state.",
        _states,
        TABLES,
        labels=(NETID, _FAMILY, _STATE),
        empty=0,
        metric_name="sockets",
    ),
    _bytes(
        "held",
        "Memory that the sockets of a table hold: receive queues, backlogs, write queues, prepaid memory, options.",
    ),
    _bytes("receive", "Memory in the receive queues of a table's sockets, the kernel's overhead included."),
    _bytes("send", "Memory in the write queues of a table's sockets, the kernel's overhead included."),
    count(
        "socket.drops",
        "Packets and messages refused by present sockets, each since it was created; use delta(), "
        "it falls when a socket is closed.",
        _memory("drops", LOSING_TABLES),
        tuple(f"skmem:{table}" for table in LOSING_TABLES),
        labels=(NETID,),
        cumulative=True,
    ),
)
