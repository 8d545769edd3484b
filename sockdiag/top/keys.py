"""What keys mean, for the help of each screen and the last line."""

from __future__ import annotations

# Keys, what they do, and the tabs where they do it; () is everywhere.
HELP: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("1 to 6, Tab", "show another tab", ()),
    ("j k, arrows", "next or previous row", ()),
    ("g G", "first or last row", ()),
    ("PgUp PgDn", "a page up or down", ()),
    ("Enter", "open the row", ("problems", "sockets", "listeners")),
    ("Enter", "show the sockets of the process", ("processes",)),
    ("Esc", "close what is open, or clear the filter", ()),
    ("/", "filter sockets (sockdiag help filter); Tab completes a word", ()),
    ("s", "sort by the next column; after the last, in the tab's own order", ()),
    ("S", "reverse the order", ()),
    ("Space", "freeze the screen, or go on", ()),
    ("r", "take a look now", ()),
    ("b", "group by the next key: process, unit, container, user, …", ("processes",)),
    ("c", "keep sockets that close visible, or no longer", ("sockets",)),
    ("o", "open the other end of the connection", ("detail",)),
    ("K", "close this socket, after you confirm it", ("sockets", "listeners", "detail")),
    ("y", "copy the row to the clipboard (OSC 52)", ()),
    ("x", "write all rows of the tab to a CSV or JSON file", ()),
    ("p", "write the screen to an SVG file", ()),
    ("?", "this help", ()),
    ("q", "quit", ()),
)

_COMMON = "?:help q:quit space:freeze /:filter s:sort"
# The last line, by tab.
HINTS = {
    "problems": f"{_COMMON} enter:evidence and advice",
    "sockets": f"{_COMMON} enter:inspect K:close c:keep closed",
    "listeners": f"{_COMMON} enter:inspect",
    "processes": f"{_COMMON} b:group by enter:its sockets",
    "memory": _COMMON,
    "path": _COMMON,
    "detail": "esc:back j/k:scroll o:other end K:close y:copy ?:help q:quit",
}
