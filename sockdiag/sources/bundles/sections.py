"""Texts with sections: a file in which a collector wrote what many commands printed, and whole files.

A section begins with ``#==[ Command ]====…#`` or ``#==[ Configuration File ]====…#`` and a line with the command or the path.

Source: ``log_cmd()``, ``conf_files()`` and ``net_info_namespace()``, bin/supportconfig and bin/supportconfig.rc of supportutils.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = re.compile(rb"^#==\[ ([^\]\n]{1,80}) \]=+#[ \t\r]*\n# ([^\n]{1,4096})\n", re.MULTILINE)
_ANY_HEADER = re.compile(rb"^#==\[ ", re.MULTILINE)
COMMAND, FILE = "Command", "Configuration File"
_MOST = 1_000_000


class Section:
    """One section.

    Attributes:
        netns: name of the network namespace that the command ran in; None for that of the collector.
        label: the command without the folder of its program, or the path of the file.
        body: what it printed, or what the file holds.
    """

    __slots__ = ("body", "label", "netns")

    def __init__(self, netns: str | None, label: str, body: bytes) -> None:
        self.netns = netns
        self.label = label
        self.body = body


def sections(body: bytes) -> Iterator[Section]:
    """Yield the sections of a text that are commands or files."""
    for number, match in enumerate(_HEADER.finditer(body)):
        kind = match[1].decode("utf-8", "replace")
        if number >= _MOST:
            return
        if kind not in (COMMAND, FILE):
            continue
        end = _ANY_HEADER.search(body, match.end())
        label = match[2].decode("utf-8", "surrogateescape").strip()
        text = body[match.end() : len(body) if end is None else end.start()]
        if kind == FILE:
            yield Section(None, label, text.rstrip(b"\n") + b"\n")
            continue
        words = label.split()
        netns = None
        if _program(words) == "ip" and words[1:3] == ["netns", "exec"] and len(words) > 4:
            netns = words[3]
            words = words[4:]
        yield Section(netns, " ".join((_program(words), *words[1:])), text)


def _program(words: list[str]) -> str:
    return words[0].rpartition("/")[2] if words else ""
