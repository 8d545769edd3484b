"""Turn a document into text, in the format that the command line asks for."""

from __future__ import annotations

from sockdiag.cli.options import RENDERERS, SCREEN
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.cli.options import Renderer
    from sockdiag.cli.spec import Args
    from sockdiag.render.document import Document, Style

    Render = Callable[[Document, Style], Iterable[str]]

# Lines come one by one; one system call per line would cost more than the line itself.
_PIECE = 1 << 15


def chosen_renderer(args: Args) -> Renderer:
    """Return the renderer that the command line asks for.

    Raises:
        UsageError: two formats were asked for.
    """
    chosen = [renderer for renderer in RENDERERS if renderer.option is not None and args.given(renderer.option)]
    if len(chosen) > 1:
        first, second = (renderer.option.name for renderer in chosen[:2] if renderer.option is not None)
        raise UsageError(f"--{first} and --{second} exclude each other")
    return chosen[0] if chosen else SCREEN


def written(document: Document, args: Args, style: Style) -> Iterator[str]:
    """Yield a document in pieces that are large enough for one system call each.

    Raises:
        UsageError: two formats were asked for.
    """
    return _in_pieces(_function(chosen_renderer(args), args)(document, style))


def _function(renderer: Renderer, args: Args) -> Render:
    function = getattr(__import__(renderer.module, fromlist=[renderer.function]), renderer.function)
    value = None if renderer.option is None else args.value(renderer.option)
    render: Render = function(value) if isinstance(value, str) else function
    return render


def _in_pieces(texts: Iterable[str]) -> Iterator[str]:
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
