"""Every counter of the kernel's network tables, declared once: what it counts, how bad that is, and which function counts it.

Analyses, the path, measures and rules take from here which counters are losses and what each means.

A row of a table names the class of a counter, the counter, the kernel function that increments it (the one with most of
the increments, where there are several), the first kernel that has it (``-``: before 5.0) and its meaning. ``*`` at the end of
a name stands for a number. Lines that start with a blank continue the row above.

Source: the functions named, Linux 4.19 to 6.18.
"""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Classes. Refusals are losses whose victim is a connection or a request. Noise is loss that healthy hosts have too: only its
# volume, the rate and the share of the traffic, makes it a problem. A sign points at trouble without being a loss.
LOSS, REFUSAL, NOISE, SIGN, TRAFFIC, HISTORY, SETTING = (
    "loss",
    "refusal",
    "noise",
    "sign",
    "traffic",
    "history",
    "setting",
)
CLASSES = {
    LOSS: "data that the kernel dropped",
    REFUSAL: "connections or requests that the kernel refused or aborted",
    NOISE: "drops or refusals that healthy hosts have too; judged by rate and share of the traffic",
    SIGN: "events that hint at trouble, without loss",
    TRAFFIC: "ordinary work",
    HISTORY: "events that current kernels no longer count",
    SETTING: "a setting or a level among the counters",
}
# Classes of which each event cost data or a connection.
LOST = (LOSS, REFUSAL)


class KnownCounter(Record):
    """A counter as the table declares it."""

    name: str = field("Exact name; a row's label is *.", kind=LABEL)
    kind: str = field("Its class.", kind=LABEL)
    function: str = field("Kernel function that increments it.", kind=LABEL)
    since: str = field("First kernel with it; empty if before 5.0.", kind=LABEL)
    meaning: str = field("What one event is.", kind=LABEL)


_known: dict[str, tuple[str, str, str, str]] = {}
_MODULES = ("ip", "transport", "tcp", "mptcp", "tables")


def _rows() -> Iterator[tuple[str, str, str, str, str]]:
    for module in _MODULES:
        texts: dict[str, str] = __import__(f"{__name__}.{module}", fromlist=["ROWS"]).ROWS
        for prefix, text in texts.items():
            for row in text.strip("\n").replace("\n ", " ").split("\n"):
                kind, name, function, since, meaning = row.split(None, 4)
                yield f"{prefix}.{name}", kind, function, since, meaning


def every_counter() -> Iterator[KnownCounter]:
    """Yield the rows of the table as they are written."""
    for name, kind, function, since, meaning in _rows():
        yield KnownCounter(name, kind, function.replace(",", ", "), "" if since == "-" else since, meaning)


def declared_name(name: str) -> str:
    """Return the name under which the table declares a counter: rows of devices, CPUs and the like are ``*``."""
    prefix, _, rest = name.partition(".")
    if prefix in _ROW_PREFIXES and "." in rest:
        return f"{prefix}.*.{rest.rpartition('.')[2]}"
    if prefix in ("IcmpMsg", "Icmp6") and rest.rstrip("0123456789") in ("InType", "OutType"):
        return f"{prefix}.{rest.rstrip('0123456789')}*"
    return name


_ROW_PREFIXES = frozenset(("dev", "softnet_stat", "nf_conntrack"))


def _table() -> dict[str, tuple[str, str, str, str]]:
    if not _known:
        _known.update((one[0], one[1:]) for one in _rows())
    return _known


def _row(name: str) -> tuple[str, str, str, str] | None:
    return _table().get(declared_name(name))


def known_counter(name: str) -> KnownCounter | None:
    """Return the declaration of a counter; None for one that the table does not know."""
    row = _row(name)
    if row is None:
        return None
    kind, function, since, meaning = row
    return KnownCounter(declared_name(name), kind, function.replace(",", ", "), "" if since == "-" else since, meaning)


def meaning_of(name: str) -> str:
    """Return what a counter counts; "" for one that the table does not know."""
    row = _row(name)
    return "" if row is None else row[3]


def class_of(name: str) -> str:
    """Return the class of a counter; "" for one that the table does not know."""
    row = _row(name)
    return "" if row is None else row[0]


def is_loss(name: str) -> bool:
    """Return whether each event of a counter cost data or a connection, whatever the volume."""
    return class_of(name) in LOST


def names_of(*classes: str) -> tuple[str, ...]:
    """Return the names of all counters of some classes, in the order of the table."""
    return tuple(name for name, (kind, *_more) in _table().items() if kind in classes)
