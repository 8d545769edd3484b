"""One row, opened: a finding with its evidence, or a socket through all its layers beside its history."""

from __future__ import annotations

from sockdiag.top.canvas import BOLD, DIM, fitted, graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from sockdiag.model.inspection import FarEnd
    from sockdiag.model.socket import Socket
    from sockdiag.top.canvas import Line
    from sockdiag.top.history import LookHistory
    from sockdiag.top.tabs import TabFacts

# Columns of the history beside the text, and the least width of the screen that has room for both.
_SIDE, _WIDE = 40, 110
_GRAPHS = ("recv-q", "send-q", "drops")


class Detail:
    """What is known about the row that was opened.

    Args:
        title: names it.
        write: writes its text for a width.
        identity: what the socket is recognised by; None for a finding.
        socket: the socket as it was last seen; None for a finding.

    Attributes:
        far: the other ends that were found.
    """

    def __init__(
        self,
        title: str,
        write: Callable[[int], Sequence[str]],
        identity: Hashable | None = None,
        socket: Socket | None = None,
    ) -> None:
        self.title = title
        self.identity = identity
        self.socket = socket
        self.far: Sequence[FarEnd] = ()
        self._write = write
        self._top = 0
        self._count = 0

    def update(self, write: Callable[[int], Sequence[str]], far: Sequence[FarEnd] = ()) -> None:
        """Take a newer text; the place that is shown stays."""
        self._write = write
        self.far = far

    def texts(self, width: int) -> list[str]:
        """Return the lines of its text."""
        return [line.rstrip("\n") for line in self._write(width)]

    def scroll(self, how: str, amount: int, page: int) -> None:
        """Scroll by lines or pages, or to the first or the last line."""
        if how == "to":
            self._top = 0 if amount == 0 else self._count
        else:
            self._top += amount * (page if how == "pages" else 1)

    def lines(self, width: int, height: int, history: LookHistory, *, ascii_only: bool) -> list[Line]:
        """Draw it."""
        beside = self.identity is not None and width >= _WIDE
        text_width = width - _SIDE - 2 if beside else width
        graphs = [] if self.identity is None else self._graphs(history, _SIDE if beside else width, ascii_only)
        texts = self.texts(text_width)
        room = max(1, height - 1 - (0 if beside else len(graphs)))
        self._count = len(texts)
        self._top = min(max(0, self._top), max(0, len(texts) - room))
        shown = texts[self._top : self._top + room]
        more = "" if len(texts) <= room else f"  lines {self._top + 1} to {self._top + len(shown)} of {len(texts)}"
        drawn: list[Line] = [[(self.title, BOLD), (more, DIM)]]
        if not beside:
            return [*drawn, *graphs, *([(text, "")] for text in shown)]
        for place in range(max(len(shown), len(graphs))):
            text = shown[place] if place < len(shown) else ""
            side = graphs[place] if place < len(graphs) else []
            drawn.append([(fitted(text, text_width, ascii_only=ascii_only), ""), ("  ", ""), *side])
        return drawn

    def _graphs(self, history: LookHistory, space: int, ascii_only: bool) -> list[Line]:
        assert self.identity is not None
        followed = history.of(self.identity)
        if followed is None:
            return [[("nothing waited in its queues so far", DIM)]]
        drawn: list[Line] = []
        for name, kept, most in zip(_GRAPHS, followed.queues(), followed.most, strict=True):
            values = list(kept)
            last = values[-1] if values else None
            figures = f"{name} {'-' if last is None else f'{last:.0f}'}, at most {most:.0f}"
            drawn.append([(fitted(figures, space, ascii_only=ascii_only), DIM)])
            drawn.append([(graph(values, space, ascii_only=ascii_only), "critical" if name == "drops" else "graph")])
        return drawn


def socket_title(socket: Socket, facts: TabFacts) -> str:
    """Name a socket: table, state, both ends and who holds it."""
    from sockdiag.render.cells import endpoint, process_cell, state_word

    owners = (facts.owners.get(socket.inode) if socket.inode else None) or ()
    who = f" of {process_cell(owners[0].comm, owners[0].pid)}" if owners else ""
    return f"{socket.netid} {state_word(socket.state)} {endpoint(socket.local)} {endpoint(socket.peer)}{who}"
