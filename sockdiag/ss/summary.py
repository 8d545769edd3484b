"""The summary (-s).

The files are read here and not by ``sockdiag.sources.proc``, which would load 1.5 ms of modules, a twentieth of the time
of ``ss -s``, and which takes a damaged line as unknown where ss takes the numbers that are there.
**Source:** /proc/net/sockstat, sockstat6, snmp.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.listing import proc_path
from sockdiag.ss.output import complain


def text() -> str:
    """Return the summary; what cannot be read is reported on standard error and counts as 0."""
    counts: dict[str, dict[str, int]] = {}
    try:
        _sockstat(counts, "PROC_NET_SOCKSTAT", "net/sockstat")
        _sockstat(counts, "PROC_NET_SOCKSTAT6", "net/sockstat6")
    except SourceError as error:
        if not counts:
            complain(f"ss: get_sockstat: {error.reason}\n")
    established = _established()

    def of(name: str, key: str = "inuse") -> int:
        return counts.get(name, {}).get(key, 0)

    timewait = of("TCP", "tw")
    in_use = of("TCP") + of("TCP6")
    alloc = of("TCP", "alloc")
    closed = alloc - (in_use - timewait)
    orphaned = of("TCP", "orphan")
    tcp = f"estab {established}, closed {closed}, orphaned {orphaned}, timewait {timewait}"
    lines = [
        f"Total: {of('sockets', 'used')}",
        f"TCP:   {alloc + timewait} ({tcp})",
        "",
        "Transport Total     IP        IPv6",
    ]
    rows = [
        ("RAW", of("RAW"), of("RAW6")),
        ("UDP", of("UDP"), of("UDP6")),
        ("TCP", of("TCP"), of("TCP6")),
        ("INET", of("RAW") + of("UDP") + of("TCP"), of("RAW6") + of("UDP6") + of("TCP6")),
        ("FRAG", of("FRAG"), of("FRAG6")),
    ]
    lines += [f"{name}\t  {v4 + v6:<9} {v4:<9} {v6:<9}" for name, v4, v6 in rows]
    return "\n".join(lines) + "\n\n"


def _sockstat(counts: dict[str, dict[str, int]], variable: str, name: str) -> None:
    for line in ProcRoot().read(proc_path(variable, name)).decode("latin-1").split("\n"):
        table, colon, rest = line.partition(":")
        words = rest.split()
        if colon:
            values = counts.setdefault(table, {})
            for key, value in zip(words[::2], words[1::2], strict=False):
                values[key] = _number(value)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _established() -> int:
    try:
        data = ProcRoot().read(proc_path("PROC_NET_SNMP", "net/snmp"))
    except SourceError as error:
        complain(f"ss: get_snmpstat: {error.reason}\n")
        return 0
    names: list[str] | None = None
    for line in data.decode("latin-1").split("\n"):
        if line.startswith("Tcp:"):
            if names is None:
                names = line.split()
            elif "CurrEstab" in names:
                values = line.split()
                place = names.index("CurrEstab")
                return _number(values[place]) if place < len(values) else 0
    complain("ss: get_snmpstat: No such process\n")
    return 0
