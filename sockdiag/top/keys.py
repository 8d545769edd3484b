"""What keys mean, for the help of each screen and the last line."""

from __future__ import annotations

# Where keys do something besides tabs: on a running system or a capture, and in a recording.
LIVE, RECORDING = "live", "recording"
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
    ("F", "sort sockets by any field; Tab completes its name", ()),
    ("O", "choose the columns of sockets, as with --output", ()),
    ("Space", "freeze the screen, or go on", (LIVE,)),
    ("r", "take a look now", (LIVE,)),
    ("Space", "play the recording, or pause", (RECORDING,)),
    (", .", "the moment before, the next moment", (RECORDING,)),
    ("< >", "ten moments back, ten moments on", (RECORDING,)),
    ("[ ]", "play slower, play faster", (RECORDING,)),
    ("t", "go to a time: 13:07:30, -10m before the end, first, last", (RECORDING,)),
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

_COMMON = "?:help q:quit"
_PLACES = {False: "space:freeze", True: "space:play/pause ,/.:step t:time"}
_TABLE = "/:filter s:sort"
# Besides these, by tab.
_OWN = {
    "problems": "enter:evidence and advice",
    "sockets": "enter:inspect K:close c:keep closed",
    "listeners": "enter:inspect",
    "processes": "b:group by enter:its sockets",
    "memory": "",
    "path": "",
}


def hints(shown: str, *, recording: bool) -> str:
    """Return the last line of a tab, or of an opened row (``detail``)."""
    if shown == "detail":
        return " ".join(("esc:back j/k:scroll o:other end K:close y:copy", *([_PLACES[True]] * recording), _COMMON))
    return " ".join(filter(None, (_COMMON, _PLACES[recording], _TABLE, _OWN[shown])))
