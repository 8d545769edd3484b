"""The screen of ``top``: what is shown, and what keys do. It knows no terminal: a front end passes keys in and draws lines."""

from __future__ import annotations

import time

from sockdiag.errors import FilterError, SockdiagError
from sockdiag.top import tabs
from sockdiag.top.canvas import BOLD, DIM, REVERSE, filled, fitted, graph
from sockdiag.top.history import LookHistory
from sockdiag.top.keys import HELP, LIVE, RECORDING, hints
from sockdiag.top.prompt import Prompt
from sockdiag.top.table_view import TableView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sockdiag.model.socket import Socket
    from sockdiag.top.actions import Actions
    from sockdiag.top.canvas import Line
    from sockdiag.top.choosing import ColumnChoice
    from sockdiag.top.detail import Detail
    from sockdiag.top.look import Look
    from sockdiag.top.player import Player
    from sockdiag.top.tabs import TabFacts

# What a front end has to do after a key.
QUIT, COPY, PICTURE, REFRESH = "quit", "copy", "picture", "refresh"
# Rows of the header below its first line that are findings, and the least height that shows them.
_WORST, _ROOMY = 2, 16
_GRAPH = 24


class Screen:
    """Everything that is on the screen.

    Args:
        facts: what the tabs need besides a look.
        actions: what keys ask of the system.
        place: the host or capture that is looked at, printable.
        interval_s: seconds between two looks.
        ascii_only: draw with ASCII alone.

    Attributes:
        message: shown in the last line until the next key.
        note: shown in the help, too: how the screen is drawn.
    """

    def __init__(
        self, facts: TabFacts, actions: Actions, place: str, interval_s: float, *, ascii_only: bool = False
    ) -> None:
        self.facts = facts
        self.actions = actions
        self.place = place
        self.interval_s = interval_s
        self.ascii_only = ascii_only
        self.history = LookHistory()
        self.look: Look | None = None
        self.frozen = False
        self.tab = tabs.PROBLEMS
        self.views = {tab: TableView(tab, ascii_only=ascii_only) for tab in tabs.TABS}
        self.detail: Detail | None = None
        self.help = False
        self.prompt: Prompt | None = None
        self.filter = ""
        self.keep_closed = False
        self.message = self.note = ""
        self.failure = ""
        self._height = 24
        # The first line of the help that is shown, and the last that can come first: 0 where all lines fit.
        self._help_at = self._help_end = 0
        self._table_top = 0
        # Moves through the recording; None for a running system and a capture.
        self.player: Player | None = None
        self.choice: ColumnChoice | None = None

    # What the front end passes in

    def show(self, look: Look) -> None:
        """Take in a look."""
        if look.place is not None:
            self.history.rewind(look.place)
        if self.keep_closed and self.look is not None and (look.place or 0) >= (self.look.place or 0):
            self.history.note_closed(self.look, look)
        self.history.add(look)
        self.look = look
        self.failure = ""
        # What was read of single sockets is read again for those that are shown.
        self.facts.infos = {}
        self.facts.closed = list(self.history.closed.items())[::-1] if self.keep_closed else []
        self.rebuild()
        if self.detail is not None and not self.frozen:
            self.actions.renew(self.detail)

    def fail(self, text: str) -> None:
        """Show that something could not be read."""
        self.failure = text

    def rebuild(self) -> None:
        """Make the rows of the tab anew."""
        if self.look is not None:
            self.views[self.tab].show(tabs.grid(self.tab, self.look, self.facts))

    def redraw(self) -> None:
        """Do nothing but be drawn again."""

    def resized(self) -> None:
        """Take note that the terminal has another size."""
        for view in self.views.values():
            view.resized()

    def open(self, socket: Socket) -> None:
        """Open a socket."""
        from sockdiag.model.batch import Batch, identities

        (key,) = identities(Batch.of([socket]))
        self._show_detail(self.actions.socket((socket.netns, key), socket))

    @property
    def view(self) -> TableView:
        """The table of the tab that is shown."""
        return self.views[self.tab]

    def go(self, tab: str) -> None:
        """Show another tab."""
        if tab != self.tab:
            self.view.let_go()
        self.tab = tab
        self.detail = None
        self.help = False
        self.actions.tab_shown(tab)
        self.rebuild()
        if self.choice is not None:
            self.choice.check()

    # Keys

    def key(self, key: str) -> tuple[str, str] | None:
        """Take a key: a character, or a name such as ``enter``, ``escape``, ``up``, ``pagedown``.

        Returns:
            What the front end has to do, and with which text; None for nothing but drawing.
        """
        self.message = ""
        if self.prompt is not None:
            if self.prompt.key(key):
                self.prompt = None
            return None
        if key in ("q", "ctrl+c"):
            return QUIT, ""
        if key in ("?", "f1", "h"):
            self.help = not self.help
            self._help_at = 0
            return None
        if self.help:
            if self._help_end and key in _MOVES:
                self._scroll_help(*_MOVES[key])
            else:
                self.help = False
            return None
        if key == "escape":
            self._close_or_clear()
            return None
        if key in _MOVES:
            self._move(_MOVES[key])
            return None
        action = self._actions().get(key)
        return action() if action is not None else None

    def _close_or_clear(self) -> None:
        if self.detail is not None:
            self.detail = None
        elif self.filter:
            self._set_filter("")

    def _actions(self) -> dict[str, Callable[[], tuple[str, str] | None]]:
        found: dict[str, Callable[[], tuple[str, str] | None]] = {
            "tab": lambda: self._turn(1),
            "right": lambda: self._turn(1),
            "shift+tab": lambda: self._turn(-1),
            "left": lambda: self._turn(-1),
            "/": self._ask_filter,
            "s": lambda: self._sort(self.view.next_sort),
            "S": lambda: self._sort(self.view.reverse),
            "enter": self._open,
            "space": self._freeze,
            " ": self._freeze,
            "b": self._group,
            "c": self._closed,
            "o": self._other_end,
            "K": self._kill,
            "y": self._copy,
            "x": self._export,
            "p": lambda: (PICTURE, ""),
            "r": self._refresh,
            **(self.player.keys() if self.player is not None else {}),
            **(self.choice.keys() if self.choice is not None else {}),
        }
        for number, tab in enumerate(tabs.TABS, 1):
            found[str(number)] = lambda tab=tab: self.go(tab)  # type: ignore[misc]
        return found

    def _move(self, step: tuple[str, int]) -> None:
        how, amount = step
        page = max(1, self._height - self._table_top - 3)
        if self.detail is not None:
            self.detail.scroll(how, amount, page)
        else:
            self.view.move(how, amount, page)

    def _turn(self, step: int) -> None:
        self.go(tabs.TABS[(tabs.TABS.index(self.tab) + step) % len(tabs.TABS)])

    def _sort(self, change: Callable[[], str]) -> None:
        self.message = change()
        if self.choice is not None:
            self.choice.check()

    def _open(self) -> None:
        row = self.view.selected_row()
        if self.look is None or row is None:
            return
        if self.tab == tabs.PROBLEMS:
            self._show_detail(self.actions.finding(self.look.findings[row], self.facts))
        elif self.tab == tabs.SOCKETS:
            identity = self.view.grid.identity(row)
            if row < self.look.sockets.size:
                self._show_detail(self.actions.socket(identity, self.look.sockets.socket(row)))
            else:
                self.message = "that socket has closed"
        elif self.tab == tabs.LISTENERS:
            listeners = self.view.grid
            socket = tabs.listener_rows(self.look)[row].socket
            self._show_detail(self.actions.socket(listeners.identity(row), socket))
        elif self.tab == tabs.PROCESSES:
            self._ask_group(row)

    def _show_detail(self, detail: Detail) -> None:
        self.detail = detail
        # What is to be read of it follows.
        self.actions.renew(detail)

    def _ask_group(self, row: int) -> None:
        group = self.facts.groups[row]
        if self.facts.by == "process" and group.pid is not None:
            self._set_filter(f"pid = {group.pid}")
            self.go(tabs.SOCKETS)

    def _freeze(self) -> None:
        self.frozen = not self.frozen
        self.actions.freeze(self.frozen)

    def _group(self) -> None:
        if self.tab != tabs.PROCESSES:
            self.go(tabs.PROCESSES)
            return
        names = tabs.GROUPINGS
        self.facts.by = names[(names.index(self.facts.by) + 1) % len(names)]
        self.facts.groups = ()
        self.rebuild()
        self.actions.tab_shown(self.tab)

    def _closed(self) -> None:
        self.keep_closed = not self.keep_closed
        if not self.keep_closed:
            self.history.closed.clear()
            self.facts.closed = []
            self.rebuild()
        self.message = "sockets that close stay visible" if self.keep_closed else "sockets that close disappear"

    def _other_end(self) -> None:
        if self.detail is not None and not self.actions.other_end(self.detail):
            self.message = "its other end is not on this host, or not known yet"

    def _kill(self) -> None:
        chosen = self._chosen_socket()
        if chosen is None:
            self.message = "choose a socket first (2)"
            return
        refused = self.actions.may_close(chosen)
        if refused:
            self.message = refused
            return
        from sockdiag.top.detail import socket_title

        name = socket_title(chosen, self.facts)
        self.prompt = Prompt(f"Close {name}? [y/N] ", self._close, one_key=True)

    def _close(self, text: str) -> str:
        chosen = self._chosen_socket()
        if text not in ("y", "Y") or chosen is None:
            self.message = "nothing was closed"
            return ""
        self.message = "closing …"
        self.actions.close(chosen)
        return ""

    def _chosen_socket(self) -> Socket | None:
        if self.detail is not None:
            return self.detail.socket
        row = self.view.selected_row()
        if self.look is None or row is None:
            return None
        if self.tab == tabs.SOCKETS and row < self.look.sockets.size:
            return self.look.sockets.socket(row)
        if self.tab == tabs.LISTENERS:
            return tabs.listener_rows(self.look)[row].socket
        return None

    def _copy(self) -> tuple[str, str] | None:
        if self.detail is not None:
            return COPY, "\n".join(self.detail.texts(200))
        texts = self.view.selected_texts()
        return (COPY, "\t".join(texts)) if texts else None

    def _export(self) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.look.at if self.look is not None else None))
        self.prompt = Prompt("Export rows to (.csv or .json): ", self._write, f"sockdiag-{self.tab}-{stamp}.csv")

    def _write(self, path: str) -> str:
        from sockdiag.top.export import new_file, write_rows

        if not path:
            return ""
        try:
            file = new_file(path)
        except OSError as error:
            return f"{path}: {error.strerror}"
        view = self.view

        def finish() -> None:
            try:
                number = write_rows(path, file, view)
            except OSError as error:
                self.message = f"{path}: {error.strerror}"
            else:
                self.message = f"{number} rows are in {path}"

        # The processes of rows that were never drawn are looked up first.
        for row in view.rows():
            for column in view.grid.columns:
                column.text(row)
        self.actions.look_up(now=True)
        self.actions.afterwards(finish)
        return ""

    def _refresh(self) -> tuple[str, str]:
        self.actions.refresh()
        return REFRESH, ""

    # The filter

    def _ask_filter(self) -> None:
        self.prompt = Prompt("Filter: ", self._set_filter, self.filter, completes=self.actions.completions)

    def _set_filter(self, text: str) -> str:
        """Set the filter; return what is wrong with it, with the place below, or "" if it is taken."""
        try:
            self.actions.filter(text)
        except FilterError as error:
            return f"{' ' * error.position}{'^' * max(1, error.length)} {error.message}"
        except SockdiagError as error:
            return str(error)
        self.filter = text
        return ""

    # Clicks

    def click(self, line: int, column: int) -> None:
        """Take a click of the mouse at a line and a column of the screen."""
        if self.prompt is not None or self.help:
            return
        if line == self._tabs_line:
            at = 0
            for number, tab in enumerate(tabs.TABS, 1):
                taken = len(_tab_label(number, tab))
                if at <= column < at + taken:
                    self.go(tab)
                    return
                at += taken
        elif self.detail is None and line == self._table_top:
            self._sort(lambda: self.view.sort_at(column))
        elif self.detail is None and line > self._table_top:
            self.view.choose(line - self._table_top - 1)

    # Drawing

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw the screen: exactly *height* lines of *width* columns."""
        width, height = max(width, 1), max(height, 1)
        self._height = height
        head = self._header(width, height)
        bottom = self._bottom(width)
        room = max(0, height - len(head) - len(bottom))
        self._table_top = len(head)
        if self.help:
            body = self._help_lines(width, room)
        elif self.look is None:
            body = [[("taking the first look …" if not self.failure else "", DIM)]]
        elif self.detail is not None:
            body = self.detail.lines(width, room, self.history, ascii_only=self.ascii_only)
        else:
            body = self.view.lines(width, room)
        drawn = [*head, *body[:room]]
        drawn += [[] for _ in range(room - len(body[:room]))]
        drawn += bottom
        return [filled(line, width, ascii_only=self.ascii_only) for line in drawn[:height]]

    def _header(self, width: int, height: int) -> list[Line]:
        look = self.look
        if look is None:
            lines: list[Line] = [[("sockdiag top", BOLD), (f"  {self.place}", "")]]
        else:
            verdict = look.verdict
            style = {"ok": "ok", "recovered": "ok", "unknown": "warning"}.get(verdict, _worst_style(look))
            if look.soon and verdict == "unknown":
                # A loss shows when the next look is compared with this one.
                verdict, style = "judging…" if not self.ascii_only else "judging...", DIM
            clock = time.strftime("%H:%M:%S", time.localtime(look.at))
            first: Line = [(verdict.upper(), f"{BOLD} {style}"), (f"  {_counts(look)}  {self.place}", "")]
            if self.player is not None and look.place is not None:
                # The place comes first: a narrow terminal cuts the name of the host.
                first[1:1] = self.player.place(look.place, look.at)
            else:
                first.append((f"  {clock}", ""))
            if self.frozen:
                first.append(("  FROZEN (space goes on)", f"{BOLD} {REVERSE}"))
            lines = [first]
            if height >= _ROOMY:
                lines += self._worst(look)
                lines.append(self._graphs(width))
        self._tabs_line = len(lines)
        lines.append(self._tab_line())
        if self.filter:
            lines.append([("Filter: ", BOLD), (self.filter, REVERSE), ("  (escape clears it)", DIM)])
        return lines

    def _worst(self, look: Look) -> list[Line]:
        from sockdiag.render.findings_text import is_about_now
        from sockdiag.render.suspects import sentence

        now = [finding for finding in look.findings if is_about_now(finding)]
        made: list[Line] = []
        for finding in now[:_WORST]:
            said = f"  {sentence(finding, self.facts.whereabouts)}"
            made.append([(f"  {finding.code}", f"{BOLD} {finding.severity}"), (said, "")])
        return [*made, *([[]] * (_WORST - len(made)))]

    def _graphs(self, width: int) -> Line:
        from sockdiag.model.quantity import size

        history = self.history
        loss = history.loss[-1] if history.loss else None
        received, sent = (of[-1] if of else None for of in (history.received, history.sent))
        space = max(6, min(_GRAPH, (width - 60) // 3))
        line: Line = []
        for name, values, text in (
            ("lost", history.loss, "-" if loss is None else f"{loss:.0f}/s"),
            ("in", history.received, "-" if received is None else f"{size(received)}/s"),
            ("out", history.sent, "-" if sent is None else f"{size(sent)}/s"),
        ):
            style = "critical" if name == "lost" and loss else "graph"
            line += [(f"  {name} ", DIM), (fitted(text, 12, right=True), BOLD if loss and name == "lost" else "")]
            line += [(" ", ""), (graph(list(values)[-space:], space, ascii_only=self.ascii_only), style)]
        return line

    def _tab_line(self) -> Line:
        line: Line = []
        for number, tab in enumerate(tabs.TABS, 1):
            line.append((_tab_label(number, tab), REVERSE if tab == self.tab else ""))
        return line

    def _bottom(self, width: int) -> list[Line]:
        from sockdiag.model.quantity import counted

        if self.prompt is not None:
            return self.prompt.lines(width)
        if self.failure:
            return [[(self.failure, f"{BOLD} critical")]]
        if self.message:
            return [[(self.message, BOLD)]]
        gaps = self.look.gaps if self.look is not None else ()
        shown = self.tab if self.detail is None else "detail"
        line: Line = [(hints(shown, recording=self.player is not None), DIM)]
        if gaps and self.detail is None:
            # First, so that a narrow terminal does not cut it.
            line.insert(0, (f"{counted(len(gaps), 'gap')}: ?  ", "warning"))
        return [line]

    def _help_lines(self, width: int, room: int) -> list[Line]:
        from textwrap import wrap

        from sockdiag.render.escape import printable_line

        lines: list[Line] = []
        for keys, meaning, where in HELP:
            if self._means_something(where):
                lines.append([(f"  {keys:<14}", BOLD), (meaning, "")])
        if self.note:
            lines += [[(part, "")] for part in wrap(self.note, max(width, 10), subsequent_indent="  ")]
        for gap in self.look.gaps if self.look is not None else ():
            hint = f" ({gap.hint})" if gap.hint else ""
            said = printable_line(f"could not read {gap.source}: {gap.reason}{hint}")
            lines += [[(part, "")] for part in wrap(said, max(width, 10), subsequent_indent="  ")]
        space = max(1, room - 1)
        self._help_end = max(0, len(lines) - space)
        at = self._help_at = min(self._help_at, self._help_end)
        title = f"Keys ({self.tab}; any key closes this)"
        if self._help_end:
            title = f"Keys ({self.tab}; j k scroll, Esc closes this)  lines {at + 1} to {at + space} of {len(lines)}"
        return [[(title, BOLD)], *lines[at : at + space]]

    def _means_something(self, where: Sequence[str]) -> bool:
        """Whether a key does something here: on this tab, in an opened row, live or in a recording."""
        kinds = {LIVE, RECORDING} & set(where)
        if kinds and (RECORDING in kinds) != (self.player is not None):
            return False
        tabs_of_key = set(where) - kinds
        return not tabs_of_key or self.tab in tabs_of_key or (self.detail is not None and "detail" in tabs_of_key)

    def _scroll_help(self, how: str, number: int) -> None:
        if how == "to":
            self._help_at = self._help_end if number else 0
        else:
            lines = number if how == "by" else number * max(1, self._height - self._table_top - 3)
            self._help_at = min(max(0, self._help_at + lines), self._help_end)

    _tabs_line = 0


def _tab_label(number: int, tab: str) -> str:
    return f" {number} {tab} "


def _worst_style(look: Look) -> str:
    return look.findings[0].severity if look.findings else ""


def _counts(look: Look) -> str:
    from sockdiag.model.quantity import counted

    now = [finding for finding in look.findings if finding.severity != "info"]
    return f"{counted(len(now), 'problem')}, {counted(look.sockets.size, 'socket')}"


_MOVES = {
    "j": ("by", 1),
    "down": ("by", 1),
    "k": ("by", -1),
    "up": ("by", -1),
    "g": ("to", 0),
    "home": ("to", 0),
    "G": ("to", -1),
    "end": ("to", -1),
    "pagedown": ("pages", 1),
    "pageup": ("pages", -1),
    "ctrl+f": ("pages", 1),
    "ctrl+b": ("pages", -1),
}
