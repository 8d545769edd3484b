"""The definition of a measure, and the sample that measures are taken from."""

from __future__ import annotations

from sockdiag.model.record import COUNT, GAUGE, LABEL, NETNS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from sockdiag.model.sample import Sample

    Part = TypeVar("Part")
    # Values of the labels, in order.
    Labels = tuple[str, ...]
    # None is unknown, which is not 0.
    Value = int | float | None

# How the values of several sets of labels are combined.
SUM, MAX = "sum", "max"

PREFIX = "sockdiag_"


class Label(Record):
    """A label of a measure."""

    name: str = field("Its name.", kind=LABEL)
    help: str = field("Meaning of its values.", kind=LABEL)
    words: tuple[str, ...] = field("Its values, if they are known in advance.", default=(), kind=LABEL)


class Measure(Record):
    """A named quantity of a sample. ``metrics`` shows it as a family, ``check --measure`` compares it with a range.

    ``read`` is a pure function of a :class:`Facts`. It yields pairs (label values, value): one per set of labels, or several
    for ``combine`` to reduce to one (listeners that share a port). A value of None is unknown; a set of labels that is not
    yielded does not exist.
    """

    name: str = field(
        "Name, such as tcp_mem.used_ratio; for a kernel counter the kernel's name, such as Udp.RcvbufErrors.",
        kind=LABEL,
    )
    unit: str = field("bytes, ratio, s or count.", kind=LABEL)
    help: str = field("Its meaning, in one sentence.", kind=LABEL)
    read: Callable[[Facts], Iterable[tuple[Labels, Value]]] = field("Computes it from a sample.")
    needs: tuple[str, ...] = field(
        "Parts of a sample that it is computed from: counters, limits, sockstat, sockstat6, protocols, softnet, conntrack, "
        "qdiscs; a table of sockets, such as tcp; or one with its memory and drops, such as skmem:udp.",
        kind=LABEL,
    )
    labels: tuple[Label, ...] = field("Its labels.", default=(), of=Label)
    kind: str = field("gauge; or counter: it only grows, or restarts from 0.", default=GAUGE, kind=LABEL)
    scope: str = field("Whose number it is: netns or host.", default=NETNS, kind=LABEL)
    combine: str = field("sum or max: how several sets of labels are combined.", default=SUM, kind=LABEL)
    many: bool = field(
        "It has as many sets of labels as there are sockets or devices; the first ones are the most important.",
        default=False,
        kind=LABEL,
    )
    cumulative: bool = field(
        "A gauge that adds up the counts of sockets since their creation: it grows with events, and falls when a socket is "
        "closed.",
        default=False,
        kind=LABEL,
    )
    empty: Value = field(
        "Its value if no set of labels matches and everything that it needs could be read.", default=None
    )
    metric_name: str = field("Name of the metric if it does not follow from the name.", default="", kind=LABEL)

    @property
    def metric(self) -> str:
        """Name of the metric family, without ``_total``: the name in lower case with underscores."""
        return PREFIX + (self.metric_name or snake(self.name))


class Facts:
    """A sample, with a cache of results that several measures share.

    Args:
        sample: the sample.
    """

    __slots__ = ("_found", "sample")

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._found: dict[Any, Any] = {}

    def once(self, function: Callable[[Sample], Part]) -> Part:
        """Return the result of a function for the sample, calling it only once."""
        if function not in self._found:
            self._found[function] = function(self.sample)
        found: Part = self._found[function]
        return found


def ratio(used: int | None, limit: int | None) -> float | None:
    """Return the share of a limit that is in use; None if either is unknown or there is no limit."""
    return None if used is None or not limit else used / limit


def single(value: Value) -> tuple[tuple[Labels, Value], ...]:
    """Return the values of a measure without labels."""
    return (((), value),)


def snake(name: str) -> str:
    """Convert a name to the form of metrics: TcpExt.TCPReqQFullDrop becomes tcp_ext_tcp_req_q_full_drop."""
    out: list[str] = []
    for i, char in enumerate(name):
        if char == ".":
            out.append("_")
            continue
        if char.isupper() and i and name[i - 1] != ".":
            before, after = name[i - 1], name[i + 1 : i + 2]
            if not before.isupper() or after.islower():
                out.append("_")
        out.append(char.lower())
    return "".join(out)


def count(name: str, help: str, read: Any, needs: tuple[str, ...], **more: Any) -> Measure:
    """Declare a measure that counts things."""
    return Measure(name, COUNT, help, read, needs, **more)
