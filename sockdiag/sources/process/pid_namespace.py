"""Whether /proc numbers processes as the kernel does, or as some pid namespace does."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

# include/uapi/linux/nsfs.h, PID_NS_INIT_INO
_FIRST = 0xEFFFFFFC


def numbers_as_the_kernel(files: ProcRoot) -> bool:
    """Return whether it is proven that process ids in /proc are those of the first pid namespace.

    A process sees itself in a /proc of its own namespace or of one above it, so one that is in the first namespace sees the first
    one's. Process 1 of a /proc is in the namespace that it was mounted for.
    """
    for process in ("self", "1"):
        try:
            if files.inode(f"/proc/{process}/ns/pid") == _FIRST:
                return True
        except SourceError:
            continue
    return False
