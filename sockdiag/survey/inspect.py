"""Read one socket through all its layers, and explain it, as ``inspect`` and ``top`` show it."""

from __future__ import annotations

from sockdiag.analysis.inspect import layers, paths
from sockdiag.judging.declared import TABLES
from sockdiag.kernel.sockopts import LEVEL_NAMES, SOCKOPTS
from sockdiag.render.inspect_answer import explain
from sockdiag.render.inspect_facts import facts
from sockdiag.sources.proc.mib import read_counters
from sockdiag.survey.diagnose import diagnose_socket
from sockdiag.survey.far_end import far_ends
from sockdiag.survey.socket_readings import gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockdiag.analysis.inspect import SocketReadings
    from sockdiag.model.counters import Counters
    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Egress, Explanation, Fact, FarEnd, Layers, Paths
    from sockdiag.model.socket import Socket
    from sockdiag.render.inspect_facts import Known
    from sockdiag.survey.reader import SystemReader

# Processes whose states are read.
_STATES = 64


class Inspected:
    """A socket, read and explained.

    Attributes:
        seen: what was read of it.
        counters: of the host, to compare the next sample with.
        layers: of the socket.
        paths: on which data was lost.
        facts: one per value.
        findings: about it.
        far: its other ends.
        egress: how packets leave; None if it was not asked for.
        answer: what it is, whose, what it waits for, and what is wrong.
    """

    __slots__ = ("answer", "counters", "egress", "facts", "far", "findings", "layers", "paths", "seen")

    def __init__(
        self,
        seen: SocketReadings,
        counters: Counters,
        stack: Layers,
        ways: Paths,
        rows: list[Fact],
        findings: list[Finding],
        far: Sequence[FarEnd],
        egress: Egress | None,
        answer: Explanation,
    ) -> None:
        self.seen = seen
        self.counters = counters
        self.layers = stack
        self.paths = ways
        self.facts = rows
        self.findings = findings
        self.far = far
        self.egress = egress
        self.answer = answer


def inspect_socket(
    survey: SystemReader,
    socket: Socket,
    held: tuple[int, int] | None = None,
    *,
    steal: bool = True,
    codes: Iterable[str] | None = None,
    before: Known | None = None,
    earlier: Counters | None = None,
    egress: bool = True,
    placed: bool = False,
) -> Inspected:
    """Read a socket and explain it; the survey notes gaps.

    Args:
        survey: reads its network namespace.
        socket: the socket as it was listed.
        held: process and descriptor that it was named by.
        steal: read options on a copy of a descriptor.
        codes: rules to judge by; None for all.
        before: facts of the sample before.
        earlier: counters of the sample before.
        egress: read how packets leave, too; it takes a moment.
        placed: the user has named the network namespace.

    Raises:
        SocketGone: it has closed.
    """
    seen = gather(survey, socket, held, steal=steal)
    counters, gaps = read_counters(survey.system.files)
    for gap in gaps:
        survey.note(gap)
    stack, ways = layers(seen), paths(seen.socket, counters, earlier, listener=seen.listener)
    levels = {name: LEVEL_NAMES[level] for name, level, _number, _form, _whom in SOCKOPTS}
    way_out = None
    if egress:
        from sockdiag.survey.egress import read_egress

        way_out = read_egress(survey.system, seen.socket)
        for gap in way_out.lacks if way_out is not None else ():
            survey.note(gap)
    rows = facts(stack, seen.options, levels, ways, before, way_out)
    found = diagnose_socket(survey, seen.socket, codes)
    far, far_gaps = far_ends(survey, seen.socket)
    states = survey.host.states({owner.pid for owner in (seen.owners or ())[:_STATES]})
    judged = seen.socket.netid in TABLES
    answer = explain(stack, found, far, far_gaps, way_out, states, judged=judged, placed=placed)
    return Inspected(seen, counters, stack, ways, rows, found, far, way_out, answer)
