"""Read one socket through all its layers, and what explains it, for ``inspect`` and ``top``."""

from __future__ import annotations

from sockdiag.analysis.inspect import layers, paths
from sockdiag.judging.declared import TABLES
from sockdiag.kernel.sockopts import LEVEL_NAMES, SOCKOPTS
from sockdiag.sources.proc.mib import read_counters
from sockdiag.survey.diagnose import diagnose_socket
from sockdiag.survey.far_end import far_ends
from sockdiag.survey.socket_readings import gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sockdiag.analysis.inspect import SocketReadings
    from sockdiag.model.counters import Counters
    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Egress, FarEnd, Layers, Paths
    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Socket
    from sockdiag.survey.reader import SystemReader

# Processes whose states are read.
_STATES = 64


class Inspected:
    """A socket, and what was read to explain it.

    Attributes:
        seen: what was read of it.
        counters: of the host, to compare the next sample with.
        layers: of the socket.
        paths: on which data was lost.
        levels: name of the level of each option.
        findings: about it.
        far: its other ends.
        far_gaps: what could not be read to find them.
        egress: how packets leave; None if it was not asked for.
        states: of the processes that hold it.
        judged: rules judge sockets of its table.
    """

    __slots__ = (
        "counters",
        "egress",
        "far",
        "far_gaps",
        "findings",
        "judged",
        "layers",
        "levels",
        "paths",
        "seen",
        "states",
    )

    def __init__(
        self,
        seen: SocketReadings,
        counters: Counters,
        stack: Layers,
        ways: Paths,
        findings: list[Finding],
        far: Sequence[FarEnd],
        far_gaps: Sequence[Gap],
        egress: Egress | None,
        states: Mapping[int, str],
    ) -> None:
        self.seen = seen
        self.counters = counters
        self.layers = stack
        self.paths = ways
        self.levels = {name: LEVEL_NAMES[level] for name, level, _number, _form, _whom in SOCKOPTS}
        self.findings = findings
        self.far = far
        self.far_gaps = far_gaps
        self.egress = egress
        self.states = states
        self.judged = seen.socket.netid in TABLES


def inspect_socket(
    survey: SystemReader,
    socket: Socket,
    held: tuple[int, int] | None = None,
    *,
    steal: bool = True,
    codes: Iterable[str] | None = None,
    earlier: Counters | None = None,
    egress: bool = True,
) -> Inspected:
    """Read a socket and what explains it; the survey notes gaps.

    Args:
        survey: reads its network namespace.
        socket: the socket as it was listed.
        held: process and descriptor that it was named by.
        steal: read options on a copy of a descriptor.
        codes: rules to judge by; None for all.
        earlier: counters of the sample before.
        egress: read how packets leave, too; it takes a moment.

    Raises:
        SocketGone: it has closed.
    """
    seen = gather(survey, socket, held, steal=steal)
    counters, gaps = read_counters(survey.system.files)
    for gap in gaps:
        survey.note(gap)
    stack, ways = layers(seen), paths(seen.socket, counters, earlier, listener=seen.listener)
    way_out = None
    if egress:
        from sockdiag.survey.egress import read_egress

        way_out = read_egress(survey.system, seen.socket)
        for gap in way_out.lacks if way_out is not None else ():
            survey.note(gap)
    found = diagnose_socket(survey, seen.socket, codes)
    far, far_gaps = far_ends(survey, seen.socket)
    states = survey.host.states({owner.pid for owner in (seen.owners or ())[:_STATES]})
    return Inspected(seen, counters, stack, ways, found, far, far_gaps, way_out, states)
