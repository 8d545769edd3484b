"""The capabilities of this process, ``/proc/self/status``."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_LABEL = b"CapEff:"


def effective_capabilities(files: ProcRoot) -> int | None:
    """Return the effective capabilities of this process, bit n for capability n; None where they cannot be read.

    Source: ``task_cap()``, fs/proc/array.c.
    """
    try:
        status = files.read("/proc/self/status")
    except SourceError:
        return None
    for line in status.splitlines():
        if line.startswith(_LABEL):
            try:
                return int(line.removeprefix(_LABEL), 16)
            except ValueError:
                return None
    return None
