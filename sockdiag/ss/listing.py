"""What all tables of a run share: options, names, owners, the filter, and the layout that takes their rows."""

from __future__ import annotations

import os

from sockdiag.ss.names import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.transport import Transport
    from sockdiag.ss.layout import RowLayout
    from sockdiag.ss.owners import OwnerTexts
    from sockdiag.ss.row import SocketRow
    from sockdiag.ss.settings import Settings


class Listing:
    """One run.

    Attributes:
        settings: the options.
        names: name look-ups.
        owners: who holds which inode; None if that is not shown.
        layout: where rows go.
        accepts: the filter expression, or None.
        bytecode: the same for the kernel, or None.
        refused: the kernel would refuse the bytecode that ss sends.
        sifted: what the kernel lets pass with the bytecode is all that the filter accepts.
        item: what begins a block that has its own line: a newline and a tab, or a blank with -O.
        transport: who answers; None is the kernel.
        sctp_inode: inode of the IP socket shown last; an SCTP association repeats its endpoint's.
    """

    __slots__ = (
        "accepts",
        "bytecode",
        "item",
        "layout",
        "names",
        "owners",
        "refused",
        "sctp_inode",
        "settings",
        "sifted",
        "transport",
    )

    def __init__(self, settings: Settings, layout: RowLayout, transport: Transport | None = None) -> None:
        self.settings = settings
        self.transport = transport
        self.layout = layout
        self.names = Names(numeric=settings.numeric, resolve=settings.resolve, old=settings.old)
        self.owners: OwnerTexts | None = None
        self.accepts: Callable[[SocketRow], bool] | None = None
        self.bytecode: bytes | None = None
        self.sifted = False
        self.refused = False
        self.item = " " if settings.oneline else "\n\t"
        self.sctp_inode = 0

    def owners_text(self, row: SocketRow) -> str:
        """Print the processes that hold a socket."""
        return self.owners.text(row.ino) if self.owners is not None else ""


def redirected(variable: str) -> bool:
    """Return whether a table is read from files: *variable* or PROC_ROOT is set."""
    return variable in os.environ or "PROC_ROOT" in os.environ


def proc_path(variable: str, name: str) -> str:
    """Return the path of a file: what *variable* says, else *name* below PROC_ROOT."""
    path = os.environ.get(variable)
    if path is not None:
        return path
    root = os.environ.get("PROC_ROOT", "/proc")
    return f"{root}{'' if root.endswith('/') else '/'}{name}"
