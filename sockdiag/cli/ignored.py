"""What ``diff`` leaves out: kinds of differences, fields of sockets, and what a pattern names."""

from __future__ import annotations

from sockdiag.errors import UsageError
from sockdiag.filter.glob import compile_glob
from sockdiag.model.difference import (
    APPEARED,
    CHANGED,
    CLOSED,
    COUNTER_KIND,
    FINDING_KIND,
    LIMIT_KIND,
    OPENED,
    RESTARTED,
    SOCKET_KIND,
    VANISHED,
    WATCHED,
)
from sockdiag.render.cells import endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.model.difference import (
        CounterDifference,
        FindingDifference,
        LimitDifference,
        SocketDifference,
        SocketSide,
    )

KINDS = {
    "sockets": SOCKET_KIND,
    "counters": COUNTER_KIND,
    "limits": LIMIT_KIND,
    "findings": FINDING_KIND,
}
CHANGES = (OPENED, CLOSED, CHANGED, RESTARTED, APPEARED, VANISHED)
# A list that somebody keeps has some lines.
_LONGEST_FILE = 1 << 20
_MOST = 1000


class Ignored:
    """What a comparison leaves out.

    Args:
        texts: values of ``--ignore``, each a list with commas, or @FILE with one entry per line.

    Raises:
        UsageError: an entry is empty, or a file cannot be read.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        entries = list(_entries(texts))
        if len(entries) > _MOST:
            raise UsageError(f"--ignore takes at most {_MOST} entries")
        self._changes = {entry for entry in entries if entry in CHANGES}
        self._fields = {entry for entry in entries if entry in WATCHED}
        self.kinds = frozenset(kind for word, kind in KINDS.items() if word not in entries)
        words = {*KINDS, *CHANGES, *WATCHED}
        self._globs: list[Callable[[str], bool]] = [compile_glob(entry) for entry in entries if entry not in words]

    def __bool__(self) -> bool:
        return bool(self._changes or self._fields or self._globs)

    def sockets(self, differences: Iterable[SocketDifference]) -> Iterator[SocketDifference]:
        """Yield the differences of sockets that are not left out."""
        for one in differences:
            if one.change in self._changes:
                continue
            fields = tuple(name for name in one.fields if name not in self._fields)
            if (fields or one.change != CHANGED) and not (self._globs and self._named(_names(one))):
                yield one._replace(fields=fields) if fields != one.fields else one

    def rest(self, differences: Iterable[_Named], name: Callable[[_Named], str]) -> list[_Named]:
        """Return the differences of another kind that are not left out."""
        return [
            one
            for one in differences
            if getattr(one, "change", CHANGED) not in self._changes and not self._named((name(one),))
        ]

    def _named(self, names: Iterable[str]) -> bool:
        return any(matches(name) for name in names for matches in self._globs)


if TYPE_CHECKING:
    from typing import TypeVar

    _Named = TypeVar("_Named", CounterDifference, LimitDifference, FindingDifference)


def _entries(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        parts = _lines(text[1:]) if text.startswith("@") else [part.strip() for part in text.split(",")]
        if not any(parts):
            raise UsageError("--ignore names nothing: it takes kinds, fields, patterns, or @FILE")
        yield from (part for part in parts if part)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--ignore: cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > _LONGEST_FILE:
        raise UsageError(f"--ignore: {path} is too long for a list")
    return [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]


def _names(one: SocketDifference) -> Iterator[str]:
    yield one.netid
    yield endpoint(one.local)
    yield endpoint(one.peer)
    for side in (one.before, one.after):
        yield from _programs(side)


def _programs(side: SocketSide | None) -> Iterator[str]:
    for holder in (side.processes or ()) if side is not None else ():
        if holder.comm is not None:
            yield holder.comm.decode("utf-8", "surrogateescape")
