"""The figures of a finding for people: by their units, with their limits."""

from __future__ import annotations

from sockdiag.model.quantity import amount, counted, part_of
from sockdiag.render.cells import cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.finding import Evidence

# Units that are nouns in the plural: one of them takes the singular.
_SINGULAR = {
    "pages": "page",
    "sockets": "socket",
    "connections": "connection",
    "packets": "packet",
    "segments": "segment",
    "files": "file",
    "ports": "port",
    "requests": "request",
    "entries": "entry",
    "attempts": "attempt",
    "datagrams": "datagram",
}


def figure(evidence: Evidence) -> str:
    """Write a figure with its unit and limit: ``208 KiB of 208 KiB``; unknown is ``unknown``."""
    value, limit, unit = evidence.value, evidence.limit, evidence.unit
    host = ", whole host" if evidence.scope == "host" else ""
    if value is None:
        return f"unknown{host}"
    if isinstance(value, str) or unit.startswith("pid"):
        return f"{cell(value)}{host}"
    noun, _, since = unit.partition(" since ")
    noun = "" if noun == "count" else noun
    # All of it is no news.
    if limit is None or (noun == "ratio" and limit == 1):
        text = _with(value, noun)
    else:
        text = part_of(value, limit, printable(noun), _SINGULAR.get(noun, ""))
    return f"{text}{f' since {printable(since)}' if since else ''}{host}"


def _with(value: float, noun: str) -> str:
    if value == 1 and noun in _SINGULAR:
        return counted(1, _SINGULAR[noun])
    return amount(value, printable(noun))
