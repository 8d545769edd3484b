"""The system that is read: its files and its netlink, both injectable."""

from __future__ import annotations

import time

from sockdiag.defaults import LOAD_MODULES
from sockdiag.sources.system.proc_root import ProcRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.modules import Modules
    from sockdiag.sources.system.transport import Transport


class System:
    """A Linux system, this one or a captured one.

    Args:
        files: opener of /proc and /sys.
        netlink: answers sock_diag requests.
        clock: seconds since the epoch.
        root: folder or archive of a captured one, as it was named; "" for this one.
        modules: where to look whether a handler is there; None to ask the kernel without a look.
    """

    __slots__ = ("clock", "files", "modules", "netlink", "root")

    def __init__(
        self,
        files: ProcRoot,
        netlink: Transport,
        clock: Callable[[], float] = time.time,
        root: str | None = None,
        modules: Modules | None = None,
    ) -> None:
        self.files = files
        self.netlink = netlink
        self.clock = clock
        self.modules = modules
        self.root = files.root if root is None else root


def this_system(load_modules: str = LOAD_MODULES[0]) -> System:
    """Return the running system.

    Args:
        load_modules: ``auto`` to ask every handler, whose module the kernel loads then; ``never`` only those that are there.
    """
    from sockdiag.sources.system.transport import KernelTransport

    files = ProcRoot()
    if load_modules == LOAD_MODULES[0]:
        return System(files, KernelTransport())
    from sockdiag.sources.system.modules import Modules

    modules = Modules(files)
    return System(files, KernelTransport(modules), modules=modules)


def asked_quietly(system: System) -> System:
    """Return the same system, whose kernel is asked only what its loaded modules answer; for questions that /proc answers as well."""
    from sockdiag.sources.system.modules import Modules
    from sockdiag.sources.system.transport import KernelTransport

    if not isinstance(system.netlink, KernelTransport) or system.modules is not None:
        return system
    modules = Modules(system.files, symbols=False)
    return System(system.files, KernelTransport(modules), system.clock, system.root, modules)
