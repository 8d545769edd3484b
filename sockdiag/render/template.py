"""Rows in the form of a template: ``{{netid}} {{local}}``, one line per row."""

from __future__ import annotations

from sockdiag.errors import UsageError
from sockdiag.render.table import cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.render.document import Document, Style

_OPEN, _CLOSE = "{{", "}}"
_ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}


def parse(text: str) -> tuple[list[str], list[str]]:
    r"""Return the texts of a template around its fields, and the names of the fields.

    A name may have spaces around it and a dot before it, as in the templates of docker. ``\t``, ``\n`` and ``\\`` are a
    tab, a new line and a backslash.

    Raises:
        UsageError: a field has no end or no name, or there is none.
    """
    first, *parts = text.split(_OPEN)
    texts, names = [_unescaped(first)], []
    for part in parts:
        name, closed, after = part.partition(_CLOSE)
        name = name.strip().removeprefix(".")
        if not closed or not name:
            shown = f"{_OPEN}{part}"
            raise UsageError(f"--format: '{shown}' is not a field: write {_OPEN}NAME{_CLOSE}, with a name of -o")
        names.append(name)
        texts.append(_unescaped(after))
    if not names:
        raise UsageError(f"--format: '{text}' has no field: write {_OPEN}NAME{_CLOSE}, with a name of -o")
    return texts, names


def _unescaped(text: str) -> str:
    first, *rest = text.split("\\")
    pieces = [first]
    while rest:
        part = rest.pop(0)
        if not part and rest:
            pieces.append("\\" + rest.pop(0))
        else:
            pieces.append(_ESCAPES[part[0]] + part[1:] if part[:1] in _ESCAPES and part else "\\" + part)
    return "".join(pieces)


def template(text: str) -> Callable[[Document, Style], Iterator[str]]:
    """Return a renderer that writes each row as the template says; an unknown value is ``-``.

    Raises:
        UsageError: see :func:`parse`.
    """
    (first, *texts), _names = parse(text)

    def render(document: Document, _style: Style) -> Iterator[str]:
        # The command line has chosen one column for each field of the template.
        for row in zip(*cells(document.table), strict=True):
            yield first + "".join([value + after for value, after in zip(row, texts, strict=True)]) + "\n"

    return render
