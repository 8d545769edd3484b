"""Init and the ancestors of this process: mostly one of them is in the host's own namespaces."""

from __future__ import annotations

import os

from sockdiag.errors import ParseError, SourceError
from sockdiag.sources.process.stat import read_stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_MOST = 64


def init_and_ancestors(files: ProcRoot) -> list[int]:
    """Return the pids of init, and of the parents of this process, the nearest first."""
    pid = os.getpid()
    pids = [1]
    while pid > 1 and len(pids) < _MOST:
        try:
            with files.process(pid) as process:
                parent = read_stat(process).parent
        except (SourceError, ParseError):
            break
        if parent is None:
            break
        pids.append(parent)
        pid = parent
    return pids
