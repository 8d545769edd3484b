"""Where a capture has the files of other network namespaces than its own; ``sockdiag.sources.capture.namespaces`` reads them."""

from __future__ import annotations

from sockdiag.sources.namespaces.netns import OWN
from sockdiag.sources.system.captured_root import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_FILE = "/netns.tsv"
ANSWERS_FILE = "/answers.tsv"
NAMESPACES = "/netns"
# In the place of an inode that is not known.
UNNUMBERED = b"="
# What a namespace has of its own: the first are folders.
_OWN_FOLDERS = ("/proc/net", "/proc/sys/net", "/netlink", "/moments", "/text")
_OWN_FILES = (OWN, "/meta.toml", ANSWERS_FILE)


def is_of_namespace(path: str) -> bool:
    """Return whether a file differs from one network namespace to the next."""
    return path in _OWN_FILES or any(path == f or path.startswith(f + "/") for f in _OWN_FOLDERS)


def folder_of(inode: int) -> str:
    """Return the folder of another network namespace in a capture."""
    return f"{NAMESPACES}/{inode}"


def folder_of_name(name: str) -> str:
    """Return the folder of another network namespace of a bundle, of which only the name is known."""
    return f"{NAMESPACES}/={name}"


def is_name(text: str) -> bool:
    """Return whether a network namespace may have a name: it is that of a file in /run/netns."""
    return text not in ("", ".", "..") and "/" not in text and "\0" not in text and len(text) < 256


def format_names(names: Iterable[str]) -> bytes:
    """Format what :func:`parse_index` reads, of other namespaces of which only the names are known."""
    return b"".join(
        b"\t".join((UNNUMBERED, b"name", escaped(raw), escaped(b"/run/netns/" + raw))) + b"\n"
        for raw in (name.encode("utf-8", "surrogateescape") for name in names)
    )
