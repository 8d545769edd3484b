"""The option ``--by``, and tables of groups."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeVar

    from sockdiag.analysis.grouping import Grouped
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args
    from sockdiag.model.fields import FieldEntry

    Row = TypeVar("Row", bound=Grouped)

BY = text(
    "by",
    "Group the sockets by one or more keys: process, command, user, unit, container, cgroup, port, peer, remote, state, "
    "netid, host, netns (or namespace).",
    metavar="KEY,…",
    completion="group_keys",
)

# Groups that a screen shows if --limit does not say otherwise.
SHOWN = 20


def chosen_keys(args: Args, default: str = "") -> tuple[str, ...]:
    """Return the keys that ``--by`` names, or the default.

    Raises:
        UsageError: there is no such key.
    """
    named = args[BY]
    if named is None and not default:
        return ()
    from sockdiag.analysis.grouping import find_keys

    return find_keys(default if named is None else named)


def unasked(by: Sequence[str]) -> frozenset[str]:
    """Return what groups of these keys do not have, for ``Document``."""
    from sockdiag.analysis.grouping import BY_PROCESS

    return frozenset() if BY_PROCESS in by else frozenset((BY_PROCESS,))


class GroupColumns:
    """The columns of a table of groups: those of the keys come first.

    One key is the column ``key``, as in JSON; several have a column each. Either way a key's own name, which heads the column,
    chooses it.

    Args:
        this: the run of the command.
        record: class of the rows.
        by: names of the keys.
        default: columns to show besides those of the keys.
    """

    __slots__ = ("_extra", "_record", "_this", "chosen", "entries")

    def __init__(self, this: Invocation, record: type[Row], by: Sequence[str], default: Sequence[str]) -> None:
        self._this = this
        self._record: type[Grouped] = record
        self._extra = _key_columns(by)
        first = [entry.name for entry in self._extra.values()]
        names = [*first, *(["pid"] if "process" in by else []), *default]
        self.entries, self.chosen = this.columns(record, names, self._extra)

    def ordered(self, rows: Iterable[Row]) -> list[Row]:
        """Apply ``--sort`` and ``--limit``."""
        return list(self._this.ordered(rows, self._record, self._extra))  # type: ignore[arg-type]

    @property
    def cuts(self) -> bool:
        """Whether only some groups are shown: on a screen, unless an option asks for more or a program seems to read it."""
        args = self._this.args
        for_people = self._this.renderer is options.SCREEN and not args[options.NO_HEADER] and not self.chosen
        return for_people and args[options.LIMIT] is None

    def first(self, rows: list[Row]) -> tuple[list[Row], list[str]]:
        """Return the rows of the groups that the screen shows, and the remarks below them.

        Other formats have all rows, and so have tables of chosen columns or without a heading, which programs read.
        """
        from sockdiag.analysis.grouping import legend, same_group
        from sockdiag.model.quantity import counted

        if self._this.renderer is not options.SCREEN or self._this.args[options.NO_HEADER] or self.chosen:
            return rows, []
        remarks = []
        if self.cuts:
            groups = list(dict.fromkeys(map(same_group, rows)))
            if len(groups) > SHOWN:
                shown = set(groups[:SHOWN])
                more = counted(len(groups) - SHOWN, "more group")
                remarks.append(f"… and {more} (--limit {len(rows)} shows all)")
                rows = [row for row in rows if same_group(row) in shown]
        return rows, remarks + legend(rows)


def _key_columns(by: Sequence[str]) -> Mapping[str, FieldEntry]:
    from sockdiag.analysis.grouping import KEYS
    from sockdiag.kernel.tcp_states import SHOWN_STATES
    from sockdiag.model.fields import FieldEntry
    from sockdiag.model.record import LABEL, field

    def column(key: str) -> FieldEntry:
        shown = SHOWN_STATES if key == "state" else {}
        declared = field(KEYS[key].help, kind=LABEL, header=key.upper(), shown=shown)
        declared.name = "key" if len(by) == 1 else key
        return FieldEntry(declared.name, declared, "str | None", lambda row: row.keys[key])

    columns = {key: column(key) for key in by}
    return columns | {entry.name: entry for entry in columns.values()}
