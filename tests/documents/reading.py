"""Read a Markdown document: the commands it shows, examples with their output, links and headings.

An example with output is a fenced ``console`` block below a comment that says where it is played and what in it changes
from run to run::

    <!-- shown: in=busy masks=pid,lost -->

``in`` names a function of tests/documents/conditions.py, which fills a network namespace; ``as=written`` is for commands
that read a capture of tests/fixtures. A ``sh`` block below ``<!-- run: in=… -->`` is run as a whole in an empty folder. ``masks`` are names in tests/documents/masks.py. ``kernel`` is the release that figures are of; on others
only the words are compared. Standard output is shown, not standard error.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.program import PROJECT

DOCUMENTS = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
NAMES = [path.relative_to(PROJECT).as_posix() for path in DOCUMENTS]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DECLARED = re.compile(r"<!-- (?:shown|run): ([^>]*?) -->\n\Z")


class Block(NamedTuple):
    """A fenced block: its language, its text, where that begins, and what a comment above it declares."""

    language: str
    text: str
    start: int
    declared: dict[str, str]

    def turns(self) -> list[tuple[str, str]]:
        """Split a console into commands and what each prints."""
        parts = re.split(r"(?m)^\$ (.*)\n", self.text)
        assert parts[0] == "", f"output before the first command: {parts[0]!r}"
        return list(zip(parts[1::2], parts[2::2], strict=True))

    @property
    def masks(self) -> list[str]:
        """Names of what changes from run to run."""
        return [name for name in self.declared.get("masks", "").split(",") if name]


def read(name: str) -> str:
    """Return the text of a document."""
    return (PROJECT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a document."""
    found = []
    for match in _FENCE.finditer(text):
        above = _DECLARED.search(text, 0, match.start())
        declared = dict(part.split("=", 1) for part in above[1].split()) if above else {}
        found.append(Block(match[1], match[2], match.start(2), declared))
    return found


def without_blocks(text: str) -> str:
    """Return a document's prose."""
    return _FENCE.sub("", text)


def inline(text: str) -> list[str]:
    """Return what stands between backticks in the prose."""
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", without_blocks(text))]


def shell_lines(text: str) -> list[str]:
    """Return the lines of the ``sh`` blocks that are not run as a whole, without comments."""
    plain = [block for block in blocks(text) if block.language == "sh" and not block.declared]
    lines = [line for block in plain for line in block.text.splitlines()]
    return [line for line in (re.sub(r"(?:^|\s+)# .*", "", line).strip() for line in lines) if line]


def command_lines(text: str) -> list[str]:
    """Return every command line of the program that a document shows outside of consoles."""
    found = [re.sub(r"^(?:\.venv/bin/)", "", line) for line in shell_lines(text)]
    return [line for line in (*found, *inline(text)) if re.match(r"sockdiag(?: |$)", line)]


def headings(text: str) -> list[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    anchors: list[str] = []
    for title in re.findall(r"^#+ (.*)$", without_blocks(text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).replace(" ", "-")
        repeated = anchors.count(plain)
        anchors.append(f"{plain}-{repeated}" if repeated else plain)
    return anchors


def links(text: str) -> list[str]:
    """Return the targets of a document's links."""
    return re.findall(r"\]\(([^)\s]+)\)", without_blocks(text))
