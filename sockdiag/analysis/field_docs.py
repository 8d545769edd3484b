"""The documentation of each field, as rows."""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.fields import FieldEntry


class FieldDoc(Record):
    """A field of a socket, explained."""

    name: str = field("Column of list, key of its JSON, word of --where.", kind=LABEL)
    type: str = field("Type in the model.", kind=LABEL)
    unit: str = field("Unit; empty if it is not a quantity.", kind=LABEL)
    kind: str = field("gauge, counter, label, id or flags.", kind=LABEL)
    kernel: str = field("The kernel's expression for it.", kind=LABEL)
    sources: tuple[str, ...] = field("Where it is read.", kind=LABEL)
    words: tuple[str, ...] = field(
        "For flags, the word of each bit, lowest first; for a state, the word of each number, from 0.", kind=LABEL
    )
    needs: tuple[str, ...] = field("Costly lookups that are made only if the field is asked for.", kind=LABEL)
    help: str = field("What it means.", kind=LABEL)


def explain(entry: FieldEntry) -> FieldDoc:
    """Describe a field of the catalogue."""
    f = entry.field
    return FieldDoc(
        entry.name, entry.annotation, f.unit, f.kind, f.kernel, f.sources, f.words, tuple(sorted(entry.needs)), f.help
    )
