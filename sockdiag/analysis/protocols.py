"""The protocols of several network namespaces as one table."""

from __future__ import annotations

from sockdiag.model.protocols import InNamespace, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def add_up(parts: Iterable[tuple[str | None, Iterable[Protocol]]]) -> list[Protocol]:
    """Add up the sockets of each protocol; its other figures are those of the host, taken from the first namespace.

    Args:
        parts: label of each namespace, and its rows.
    """
    rows: dict[str, Protocol] = {}
    counts: dict[str, list[tuple[str | None, int | None]]] = {}
    for label, found in parts:
        for row in found:
            rows.setdefault(row.name, row)
            counts.setdefault(row.name, []).append((label, row.sockets))
    summed = []
    for name, row in rows.items():
        known = [(label, n) for label, n in counts[name] if n is not None]
        total = sum(n for _label, n in known) if len(known) == len(counts[name]) else None
        where = tuple(InNamespace(label, n) for label, n in known if n and label is not None)
        summed.append(row._replace(sockets=total, namespaces=where))
    return summed
