"""The version of the kernel that answers: some structs changed in place, and nothing else tells their layouts apart."""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.model.sysctl import release_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.proc_root import ProcRoot

    # Major and minor version, None where they are not known. It is a function because most answers never ask.
    Version = Callable[[], tuple[int, int] | None]

RELEASE = "/proc/sys/kernel/osrelease"


def kernel_version(files: ProcRoot) -> Version:
    """Return the function that tells the version of a system's kernel, of a captured one as the capture recorded it."""
    known: list[tuple[int, int] | None] = []

    def version() -> tuple[int, int] | None:
        if not known:
            try:
                known.append(release_version(files.read(RELEASE).decode("latin-1").strip()))
            except SourceError:
                known.append(None)
        return known[0]

    return version


def unknown_version() -> None:
    """Tell nothing: for messages whose kernel is not known."""
    return
