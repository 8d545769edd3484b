"""`sockdiag fields`: what each field means, and its source."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.invocation import Invocation
from sockdiag.cli.spec import Command, argument
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.analysis.field_docs import FieldDoc
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.render.document import Style


NAME = argument("name", "A field, or a group of fields such as skmem.", completion="fields")


def run(env: Env, args: Args) -> int:
    """Describe the fields of a socket."""
    from sockdiag.analysis.field_docs import FieldDoc, explain
    from sockdiag.model.fields import catalogue, resolve, suggest
    from sockdiag.render.document import Document

    docs = [explain(entry) for entry in catalogue()]
    wanted = args[NAME]
    if wanted:
        entry = resolve(wanted.lower().replace("-", "_"))
        if entry is None:
            near = suggest(wanted)
            hint = f"did you mean '{near}'?" if near else "'sockdiag fields' lists them"
            raise UsageError(f"there is no field '{wanted}'; {hint}")
        docs = [doc for doc in docs if doc.name == entry.name or doc.name.startswith(entry.name + ".")]
    this = Invocation(env, args)
    docs = list(this.ordered(docs, FieldDoc))
    columns, chosen = this.columns(FieldDoc, ("name", "unit", "help"))
    table = this.table(columns, docs, chosen=chosen)
    lines = (lambda style: _cards(docs, style)) if wanted and not args[options.COLUMNS] else None
    return this.show(Document(COMMAND.name, this.survey.provenance, table=table, table_key="fields", lines=lines))


def _cards(docs: list[FieldDoc], _style: Style) -> Iterator[str]:
    for i, doc in enumerate(docs):
        yield ("\n" if i else "") + f"{doc.name}\n  {doc.help}\n"
        for title, value in (
            ("type", doc.type),
            ("kind", doc.kind),
            ("unit", doc.unit),
            ("kernel", doc.kernel),
            ("sources", "; ".join(doc.sources)),
            ("words", ", ".join(doc.words)),
            ("looked up on demand", ", ".join(doc.needs)),
        ):
            if value:
                yield f"  {title}: {value}\n"


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.analysis.field_docs import FieldDoc

    return {"fields*": [FieldDoc]}


COMMAND = Command(
    run,
    name="fields",
    help="These names are the columns of 'list', the keys of its JSON, and what --where filters on.",
    options=options.REFERENCE,
    arguments=(NAME,),
    examples=(("fields", "all fields"), ("fields skmem.rcvbuf", "one of them, with its kernel name and source")),
    document=document,
)
