"""`sockdiag fields`: what each field means and where it comes from."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Argument, Command
from sockdiag.errors import UsageError, unknown
from sockdiag.survey.session import choose_columns, ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.analysis.field_docs import FieldDoc
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.render.document import Style


def run(env: Env, given: Given) -> int:
    """Describe the fields of a socket."""
    from sockdiag.analysis.field_docs import FieldDoc, explain
    from sockdiag.model.fields import catalogue
    from sockdiag.render.document import Document, Table
    from sockdiag.survey.session import Session

    docs = [explain(entry) for entry in catalogue()]
    if given.name:
        name = given.name.lower().replace("-", "_")
        docs = [doc for doc in docs if doc.name == name or doc.name.startswith(name + ".")]
        if not docs:
            raise UsageError(
                unknown("field", given.name, [e.name for e in catalogue()], "'sockdiag fields' lists them")
            )
    session = Session(env, given)
    docs = list(ordered(docs, session, FieldDoc))
    columns, chosen = choose_columns(session, FieldDoc, ("name", "unit", "help"))
    table = Table(columns, docs, chosen=chosen, header=not given.no_header)
    lines = (lambda style: _cards(docs, style)) if given.name and not given.output else None
    return session.show(Document("fields", session.seen, table=table, table_key="fields", lines=lines))


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


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.analysis.field_docs import FieldDoc

    return {"fields*": [FieldDoc]}


COMMAND = Command(
    run,
    name="fields",
    summary=summary("fields"),
    help="These names are the columns of 'list', the keys of its JSON, and what --where filters on.",
    options=options.EVERYWHERE,
    arguments=(Argument("name", "A field, or a group of fields as skmem.", completion="fields"),),
    examples=(("fields", "all fields"), ("fields skmem.rcvbuf", "one of them, with its kernel name and source")),
    document=document,
)
