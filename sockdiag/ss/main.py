"""The program: options, state words, filter, tables."""

from __future__ import annotations

import os

from sockdiag.ss.output import complain
from sockdiag.ss.stop import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.context import Context
    from sockdiag.ss.options import Settings

# SOCKDIAG_SS_VERSION that selects the older program.
_OLD = "6.1"


def run(argv: list[str]) -> int:
    """Run ``ss`` and return its exit status.

    Args:
        argv: the program's name and its arguments.
    """
    old = os.environ.get("SOCKDIAG_SS_VERSION", "") == _OLD
    try:
        _run([os.path.basename(argv[0]), *argv[1:]], old=old)
    except Stop as stop:
        if stop.message:
            complain(f"{stop.message}\n")
        if stop.usage:
            from sockdiag.ss.usage import text

            complain(text(old=old))
        return stop.code
    except KeyboardInterrupt:
        return 130
    return 0


def _run(argv: list[str], *, old: bool) -> None:
    from sockdiag.ss.options import parse

    settings = parse(argv, old=old)
    owners = None
    if settings.processes or settings.threads or settings.proc_context:
        from sockdiag.ss.context import proc_path
        from sockdiag.ss.owners import Owners

        owners = Owners(settings, proc_path("", ""))
    selection = settings.selection
    if settings.summary:
        from sockdiag.ss.output import write
        from sockdiag.ss.summary import text

        write(text())
        if selection.untouched and not settings.operands:
            raise Stop(0)
    words = settings.operands
    if words:
        words = _state_words(words, settings)
    selection.settle()
    if not selection.tables:
        raise Stop(0, "ss: no socket tables to show with such filter.")
    if not selection.families:
        raise Stop(0, "ss: no families to show with such filter.")
    if not selection.states:
        raise Stop(0, "ss: no socket states to show with such filter.")
    if settings.diag is not None:
        from sockdiag.ss.diag_file import dump

        dump(settings)
        raise Stop(0)
    _show(settings, words, owners)


def _state_words(words: list[str], settings: Settings) -> list[str]:
    from sockdiag.filter.states import BadState, consume

    try:
        chosen, used = consume(words, settings.sets, 0)
    except BadState as error:
        if error.word is None:
            raise Stop(255, 'Command line is not complete. Try option "help"') from None
        raise Stop(255, f"ss: wrong state name: {error.word}") from None
    if used:
        # An empty set counts as none, and takes back what -a, -l and -B have chosen.
        settings.selection.chosen = chosen
    return words[used:]


def _show(settings: Settings, words: list[str], owners: object) -> None:
    from sockdiag.ss.context import Context
    from sockdiag.ss.layout import NETID, PROCESS, RECV_Q, SEND_Q, STATE, Layout, screen_width

    selection = settings.selection
    hidden = []
    if not settings.processes and not settings.old:
        hidden.append(PROCESS)
    if settings.no_queues:
        hidden += [RECV_Q, SEND_Q]
    expression = None
    if words or settings.filter_text is not None:
        from sockdiag.ss.filtering import build

        expression = build(words, settings)
    if not selection.tables & (selection.tables - 1):
        hidden.append(NETID)
    if not selection.states & (selection.states - 1):
        hidden.append(STATE)
    layout = Layout(hidden, old=settings.old, screen=screen_width(old=settings.old))
    context = Context(settings, layout)
    if settings.processes or (settings.old and settings.threads):
        context.owners = owners  # type: ignore[assignment]
    if expression is not None and expression.tree is not None:
        context.accepts = expression.match
        context.bytecode = expression.bytecode()
        context.sifted = expression.settled and context.bytecode is not None
    if not settings.no_header:
        layout.header()
    if settings.events:
        from sockdiag.ss.events import follow

        follow(context)
    _tables(context)
    layout.render()


def _tables(context: Context) -> None:
    import gc

    from sockdiag.ss.sources import show

    # Hundreds of thousands of rows, none of them in a cycle.
    gc.disable()
    show(context)
