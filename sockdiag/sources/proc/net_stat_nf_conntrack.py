"""/proc/net/stat/nf_conntrack, with the table's size from the sysctls beside it."""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceUnavailable
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.sources.proc.table import number, numbers
from sockdiag.sources.reading import MAX_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/stat/nf_conntrack"
_SYSCTLS = "/proc/sys/net/netfilter/nf_conntrack_"

_FIELDS = tuple(field.name for field in ConntrackCpu.FIELDS[1:-1])
# Since 5.9, which brought the column clashres, these are printed as 0 and not counted.
_DEAD = ("new", "ignore", "delete")


def parse_nf_conntrack_stat(body: bytes) -> Conntrack:
    """Parse the text of ``/proc/net/stat/nf_conntrack``.

    Source: ``ct_cpu_seq_show()``, net/netfilter/nf_conntrack_standalone.c.
    Units: events, entries.
    Shape: a heading, then a row a possible CPU, all columns hexadecimal; ``entries`` is the namespace's and the same in
    every row.

    Returns:
        ``count`` and ``cpus``. A malformed row costs that row; ``errors`` name it.

    Raises:
        ParseError: the heading is not one.
    """
    lines = body.split(b"\n")
    names = lines[0].decode("ascii", "backslashreplace").split()
    # What conntrack -S prints of it, in a bundle, has no entries.
    if names[:1] != ["entries"] and "drop" not in names:
        raise ParseError(PATH, 1, "heading", "entries …", lines[0])
    unknown = [name for name in names if name != "entries" and name not in _FIELDS]
    dead = _DEAD if "clashres" in names else ()
    count: int | None = None
    cpus: list[ConntrackCpu] = []
    errors: list[ParseError] = []
    for line, text in enumerate(lines[1:], 2):
        tokens = text.split()
        if not tokens:
            continue
        try:
            if len(tokens) != len(names):
                raise ParseError(PATH, line, "line", f"{len(names)} columns", text)
            values = dict(zip(names, numbers(PATH, line, names, tokens, 16), strict=True))
        except ParseError as error:
            errors.append(error)
            continue
        count = values.get("entries")
        for name in dead:
            values.pop(name, None)
        more = tuple((name, values[name]) for name in unknown)
        cpus.append(ConntrackCpu._make((line - 2, *(values.get(name) for name in _FIELDS), more)))
    return Conntrack(count=count, cpus=tuple(cpus), errors=tuple(errors[:MAX_ERRORS]))


def read_nf_conntrack_stat(files: ProcRoot) -> Conntrack:
    """Read and parse ``/proc/net/stat/nf_conntrack`` and the sysctls nf_conntrack_count, _max and _buckets.

    A sysctl that is not there is None. A kernel without CONFIG_NF_CONNTRACK_PROCFS has them alone: no counters then.

    Raises:
        SourceError: it cannot be read; SourceUnavailable where connection tracking is not loaded.
        ParseError: the file's heading is not known.
    """
    count = _sysctl(files, "count")
    try:
        table = parse_nf_conntrack_stat(files.read(PATH))
    except SourceUnavailable:
        if count is None:
            raise
        table = Conntrack()
    return table._replace(
        count=table.count if count is None else count, max=_sysctl(files, "max"), buckets=_sysctl(files, "buckets")
    )


def _sysctl(files: ProcRoot, name: str) -> int | None:
    try:
        return number(files.read(_SYSCTLS + name).strip())
    except SourceUnavailable:
        return None
