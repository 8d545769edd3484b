"""/proc/PID/mountinfo: mounts and their mount points."""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot


class Mount(Record):
    """One mount. Source: ``show_mountinfo()``, fs/proc_namespace.c."""

    root: str = field("Folder of the file system that is mounted; for nsfs the namespace, as net:[INODE].", kind=LABEL)
    point: str = field("Where it is mounted, seen from the process's root.", kind=LABEL)
    type: str = field("Type of file system.", kind=LABEL)
    options: tuple[str, ...] = field("Options of the file system, the mount's own not among them.", kind=LABEL)


def mounts(files: ProcRoot) -> list[Mount]:
    """Return this process's mounts.

    Raises:
        SourceError: the file cannot be read.
    """
    return parse_mountinfo(files.read("/proc/self/mountinfo"))


def parse_mountinfo(body: bytes) -> list[Mount]:
    """Parse a mountinfo file; a line of another shape is no mount and left out.

    Source: ``show_mountinfo()``, fs/proc_namespace.c: ``id parent major:minor root point options [tags] - type source
    options``.
    """
    found = []
    for line in body.decode("utf-8", "surrogateescape").split("\n"):
        head, separator, tail = line.partition(" - ")
        before, after = head.split(" "), tail.split(" ")
        if separator and len(before) >= 6 and len(after) >= 3:
            found.append(Mount(_unescape(before[3]), _unescape(before[4]), after[0], tuple(after[2].split(","))))
    return found


def _unescape(text: str) -> str:
    """Undo mangle(): blank, tab, newline and backslash are written as three octal digits after a backslash."""
    if "\\" not in text:
        return text
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
