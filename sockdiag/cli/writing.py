"""A document as text, in the format that the command line asks for."""

from __future__ import annotations

from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.cli.spec import Given
    from sockdiag.render.document import Document, Style


def written(document: Document, given: Given, style: Style) -> Iterator[str]:
    """Yield a document in pieces that are worth a system call each.

    Raises:
        UsageError: two formats were asked for.
    """
    return _in_pieces(_renderer(given)(document, style))


def _renderer(given: Given) -> Any:
    from sockdiag.cli.options import RENDERERS
    from sockdiag.cli.spec import TEXT

    chosen = [(option, module, name) for option, module, name in RENDERERS if getattr(given, option.name)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0][0].name} and --{chosen[1][0].name} exclude each other")
    for option, module, function in chosen:
        render = getattr(__import__(module, fromlist=[function]), function)
        return render(getattr(given, option.name)) if option.kind == TEXT else render
    from sockdiag.render.table import render_table

    return render_table


def _in_pieces(texts: Iterable[str]) -> Iterator[str]:
    # Lines come one by one; a system call for each would cost more than the line.
    held: list[str] = []
    length = 0
    for text in texts:
        if len(text) > _PIECE and not held:
            yield text
            continue
        held.append(text)
        length += len(text)
        if length > _PIECE:
            yield "".join(held)
            held.clear()
            length = 0
    yield "".join(held)


_PIECE = 1 << 15
