"""The system that is read: its files and its netlink, both injectable."""

from __future__ import annotations

import time

from sockdiag.sources.system.proc_root import ProcRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.transport import Transport


class System:
    """A Linux system, this one or a captured one.

    Args:
        files: opener of /proc and /sys.
        netlink: answers sock_diag requests.
        clock: seconds since the epoch.
        root: folder or archive of a captured one, as it was named; "" for this one.
    """

    __slots__ = ("clock", "files", "netlink", "root")

    def __init__(
        self, files: ProcRoot, netlink: Transport, clock: Callable[[], float] = time.time, root: str | None = None
    ) -> None:
        self.files = files
        self.netlink = netlink
        self.clock = clock
        self.root = files.root if root is None else root


def this_system() -> System:
    """Return the running system."""
    from sockdiag.sources.system.transport import KernelTransport

    return System(ProcRoot(), KernelTransport())
