"""The program: options, state words, filter, tables."""

from __future__ import annotations

import os

from sockdiag.defaults import LOAD_MODULES_VARIABLE
from sockdiag.ss.output import Stop, complain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Transport
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.owners import OwnerTexts
    from sockdiag.ss.settings import Settings

# SOCKDIAG_SS_VERSION that selects the older program.
_OLD = "6.1"


def run(argv: list[str], transport: Transport | None = None) -> int:
    """Run ``ss`` and return its exit status.

    Args:
        argv: the program's name and its arguments.
        transport: who answers requests; None is the kernel.
    """
    old = os.environ.get("SOCKDIAG_SS_VERSION", "") == _OLD
    try:
        _run([os.path.basename(argv[0]), *argv[1:]], old=old, transport=transport)
    except Stop as stop:
        return _ended(stop, old=old)
    except OSError as error:
        return _ended(Stop(1, f"ss: {error.filename or 'system call'}: {os.strerror(error.errno or 0)}"), old=old)
    except MemoryError:
        return _ended(Stop(1, "ss: out of memory"), old=old)
    except ImportError as error:
        return _ended(Stop(1, f"ss: cannot load a part of the program: {error}"), old=old)
    except Exception as error:
        # A bug: the traceback is for its authors.
        if os.environ.get("SOCKDIAG_DEBUG"):
            raise
        complain(f"ss: internal error: {type(error).__name__}: {error}; SOCKDIAG_DEBUG=1 shows where\n")
        return 1
    return 0


def _ended(stop: Stop, *, old: bool) -> int:
    if stop.message:
        complain(f"{stop.message}\n")
    if stop.usage or stop.help:
        from sockdiag.ss.usage import text

        if stop.usage:
            complain(text(old=old))
        else:
            try:
                write(text(old=old))
            except Stop as failed:
                return _ended(failed, old=old)
    return stop.code


def _run(argv: list[str], *, old: bool, transport: Transport | None) -> None:
    from sockdiag.ss.options import parse

    settings = parse(argv, old=old)
    if LOAD_MODULES_VARIABLE in os.environ and transport is None:
        from sockdiag.ss.answers import kernel

        transport = kernel()
    owners = None
    if settings.processes or settings.threads or settings.proc_context:
        owners = _owners(settings)
    selection = settings.selection
    if settings.summary:
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

        dump(settings, transport)
        raise Stop(0)
    _show(settings, words, owners, transport)


def _owners(settings: Settings) -> OwnerTexts:
    from sockdiag.ss.listing import proc_path
    from sockdiag.ss.owners import OwnerTexts, scan

    root = proc_path("", "").rstrip("/")
    if settings.proc_context:
        from sockdiag.ss.selinux import scan_labelled

        return OwnerTexts(scan_labelled(root, settings))
    return OwnerTexts(scan(root, threads=settings.threads, old=settings.old))


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


def _show(settings: Settings, words: list[str], owners: OwnerTexts | None, transport: Transport | None) -> None:
    from sockdiag import progress
    from sockdiag.ss.layout import NETID, PROCESS, RECV_Q, SEND_Q, STATE, RowLayout, screen_width
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.tables import INET_TABLES, RAW, UNIX_TABLES

    selection = settings.selection
    hidden = []
    if not settings.processes and not settings.old:
        hidden.append(PROCESS)
    if settings.no_queues:
        hidden += [RECV_Q, SEND_Q]
    rpc = None
    if settings.resolve and not settings.numeric and selection.tables & (UNIX_TABLES | INET_TABLES & ~RAW):
        from sockdiag.ss.rpc_services import RpcServices

        rpc = RpcServices()
    expression = None
    if words or settings.filter_file is not None:
        from sockdiag.ss.filtering import build

        expression = build(words, settings, rpc)
    if not selection.tables & (selection.tables - 1):
        hidden.append(NETID)
    if not selection.states & (selection.states - 1):
        hidden.append(STATE)
    layout = RowLayout(hidden, old=settings.old, screen=screen_width(old=settings.old))
    listing = Listing(settings, layout, transport)
    listing.names.rpc = rpc
    if settings.processes or (settings.old and settings.threads):
        listing.owners = owners
    if expression is not None and expression.tree is not None:
        listing.accepts = expression.match
        listing.bytecode = expression.bytecode()
        listing.refused = expression.is_refused()
        listing.sifted = expression.settled and listing.bytecode is not None
    progress.listen(lambda remark: complain(f"ss: {remark}\n"))
    if not settings.no_header:
        layout.header()
    if settings.events:
        from sockdiag.ss.events import follow

        follow(listing)
    _tables(listing)
    layout.render()


def _tables(listing: Listing) -> None:
    import gc

    from sockdiag.ss.sources import show

    # Hundreds of thousands of rows, none of them in a cycle.
    gc.disable()
    show(listing)
