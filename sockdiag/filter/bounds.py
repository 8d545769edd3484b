"""The states, tables and families whose sockets can pass a --where expression, so that no others are requested."""

from __future__ import annotations

from sockdiag.kernel.tcp_states import ALL_STATES
from sockdiag.model.query import TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_EVERY_TABLE = (1 << len(TABLES)) - 1
IPV4, IPV6 = 1, 2
_FAMILY_NAMES = {IPV4: ("AF_INET",), IPV6: ("AF_INET6",)}


class Bounds:
    """A box around a set of sockets: masks of states, tables and IP families.

    Attributes:
        states: mask of ``1 << state``.
        tables: mask of ``1 << index in TABLES``.
        families: mask of IPV4 and IPV6, for sockets of the IP tables.
    """

    __slots__ = ("families", "states", "tables")

    def __init__(self, states: int = ALL_STATES, tables: int = _EVERY_TABLE, families: int = IPV4 | IPV6) -> None:
        self.states = states
        self.tables = tables
        self.families = families

    def __and__(self, other: Bounds) -> Bounds:
        return Bounds(self.states & other.states, self.tables & other.tables, self.families & other.families)

    def __or__(self, other: Bounds) -> Bounds:
        return Bounds(self.states | other.states, self.tables | other.tables, self.families | other.families)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables, in the order of TABLES."""
        return tuple(name for index, name in enumerate(TABLES) if self.tables >> index & 1)

    @property
    def family_names(self) -> tuple[str, ...]:
        """The IP families as ``Query.families`` wants them: empty is both."""
        return _FAMILY_NAMES.get(self.families, ())


EVERYTHING = Bounds()


def tables_mask(names: Iterable[str]) -> int:
    """Return the mask of tables."""
    return sum(1 << TABLES.index(name) for name in set(names) if name in TABLES)
