"""/proc/net/softnet_stat: the input queue of each CPU, of the whole host."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.softnet import SoftnetCpu
from sockdiag.sources.proc.table import numbers
from sockdiag.sources.reading import Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/softnet_stat"

# The file has no heading: columns are known by their place, new ones were added at the end.
COLUMNS = (
    "processed",
    "dropped",
    "time_squeeze",
    "4",
    "5",
    "6",
    "7",
    "8",
    "cpu_collision",
    "received_rps",
    "flow_limit",
    "backlog",
    "cpu",
    "input_queue",
    "process_queue",
)
_FEWEST = 9


def parse_softnet_stat(body: bytes) -> Rows[SoftnetCpu]:
    """Parse the text of ``/proc/net/softnet_stat``.

    Source: ``softnet_seq_show()``, net/core/net-procfs.c.
    Units: packets and events; columns 12, 14 and 15 are lengths of queues in packets, 13 is the CPU number.
    Shape: one row an online CPU, hexadecimal columns: 9 to 2.6.34, 10 to 3.10, 11 to 5.9, 13 from 5.10, 15 from 6.4.

    Returns:
        Rows in file order. A malformed row costs that row; ``errors`` name it.
    """
    rows: list[SoftnetCpu] = []
    errors: list[ParseError] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        try:
            if len(tokens) < _FEWEST:
                raise ParseError(PATH, line, "line", f"at least {_FEWEST} columns", text)
            names = (*COLUMNS, *(f"{n}" for n in range(len(COLUMNS) + 1, len(tokens) + 1)))
            rows.append(_row(line - 1, numbers(PATH, line, names, tokens, 16)))
        except ParseError as error:
            errors.append(error)
    return Rows(rows, errors)


def _row(position: int, values: list[int]) -> SoftnetCpu:
    known: list[int | None] = [*values[: len(COLUMNS)], *[None] * (len(COLUMNS) - len(values))]
    cpu = known[12]
    return SoftnetCpu._make(
        (
            position if cpu is None else cpu,
            cpu is None,
            *known[:3],
            *known[8:12],
            *known[13:15],
            tuple(values[len(COLUMNS) :]),
        )
    )


def read_softnet_stat(files: ProcRoot) -> Rows[SoftnetCpu]:
    """Read and parse ``/proc/net/softnet_stat``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_softnet_stat(files.read(PATH))
