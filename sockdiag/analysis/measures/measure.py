"""Measures, and the sample that they are read from."""

from __future__ import annotations

from sockdiag.model.record import COUNT, GAUGE, LABEL, NETNS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from sockdiag.model.sample import Sample

    Part = TypeVar("Part")
    # Values of the labels, in their order.
    Labels = tuple[str, ...]
    # None is unknown, which is not 0.
    Value = int | float | None

# How the values of several label sets become one.
SUM, MAX = "sum", "max"

PREFIX = "sockdiag_"


class Label(Record):
    """A label of a measure."""

    name: str = field("Its name.", kind=LABEL)
    help: str = field("What its values are.", kind=LABEL)
    words: tuple[str, ...] = field("Its values, where they are known beforehand.", default=(), kind=LABEL)


class Measure(Record):
    """A named quantity of a sample. ``metrics`` shows it as a family, ``check --measure`` compares it with a range.

    ``read`` is a pure function of a :class:`Facts`: it yields (label values, value), one pair for each set of labels, or
    several that ``combine`` puts together (listeners that share a port). A value of None is unknown; a set of labels that is
    not yielded does not exist.
    """

    name: str = field("Name, as tcp_mem.used_ratio; of a kernel counter the kernel's, as Udp.RcvbufErrors.", kind=LABEL)
    unit: str = field("bytes, ratio, s or count.", kind=LABEL)
    help: str = field("What it is, one sentence.", kind=LABEL)
    read: Callable[[Facts], Iterable[tuple[Labels, Value]]] = field("Reads it from a sample.")
    needs: tuple[str, ...] = field(
        "Parts of a sample that it is read from: counters, limits, sockstat, sockstat6, protocols, softnet, conntrack, qdiscs; "
        "a table of sockets, as tcp; with its memory and drops, as skmem:udp.",
        kind=LABEL,
    )
    labels: tuple[Label, ...] = field("Its labels.", default=(), of=Label)
    kind: str = field("gauge; or counter: it only ever grows, or starts anew.", default=GAUGE, kind=LABEL)
    scope: str = field("Whose number it is: netns or host.", default=NETNS, kind=LABEL)
    combine: str = field("sum or max: what becomes of several sets of labels.", default=SUM, kind=LABEL)
    many: bool = field(
        "It has as many sets of labels as there are sockets or devices; they come in order of what is told about first.",
        default=False,
        kind=LABEL,
    )
    cumulative: bool = field(
        "A gauge that adds up what sockets have counted since they were made: it grows with events, and falls when a socket "
        "is closed.",
        default=False,
        kind=LABEL,
    )
    empty: Value = field("Its value where no set of labels matches, and what it needs could be read.", default=None)
    metric_name: str = field("Name of the metric where it does not follow from the name.", default="", kind=LABEL)

    @property
    def metric(self) -> str:
        """Name of the metric family, without ``_total``: the name with underscores for dots and capitals."""
        return PREFIX + (self.metric_name or snake(self.name))


class Facts:
    """A look, with what several measures work out of it, once.

    Args:
        sample: the sample.
    """

    __slots__ = ("_found", "sample")

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._found: dict[Any, Any] = {}

    def once(self, function: Callable[[Sample], Part]) -> Part:
        """Return the result of a function of the sample, which is called once."""
        if function not in self._found:
            self._found[function] = function(self.sample)
        found: Part = self._found[function]
        return found


def ratio(used: int | None, limit: int | None) -> float | None:
    """Return the part of a limit that is in use; None where either is not known or there is no limit."""
    return None if used is None or not limit else used / limit


def single(value: Value) -> tuple[tuple[Labels, Value], ...]:
    """Return the samples of a measure without labels."""
    return (((), value),)


def snake(name: str) -> str:
    """Write a name in lower case with underscores, as names of metrics are: TcpExt.TCPReqQFullDrop, tcp_ext_tcp_req_q_full_drop."""
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
