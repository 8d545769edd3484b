"""The system that is read: its files and its netlink, both injectable."""

from __future__ import annotations

import time

from sockdiag.defaults import LOAD_MODULES
from sockdiag.sources.system.proc_root import ProcRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from sockdiag.model.provenance import Gap, Namespace
    from sockdiag.sources.bundles.texts import BundleTexts
    from sockdiag.sources.namespaces.search import FoundNamespace
    from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport
    from sockdiag.sources.system.modules import Modules
    from sockdiag.sources.system.transport import Transport

    # (question, inode) -> its answer: sockdiag.sources.capture.answers.
    Answers = Mapping[tuple[str, int], int]

    class HeldNamespaces(Protocol):
        """The network namespaces of a captured system: ``sockdiag.sources.capture.namespaces``."""

        @property
        def gaps(self) -> tuple[Gap, ...]:
            """What could not be entered."""
            ...

        @property
        def places(self) -> tuple[FoundNamespace, ...]:
            """All of them, with a way into each as it was."""
            ...

        @property
        def several(self) -> bool:
            """Whether there are others than the capture's own."""
            ...

        def system(self, namespace: Namespace) -> System:
            """Return the system as it is seen from a namespace."""
            ...

        def seen_from(self, files: ProcRoot) -> tuple[FoundNamespace, ...]:
            """Return the places as a search finds them that runs in one of them."""
            ...

        def name_of(self, inode: int | None) -> str | None:
            """Return the name that a namespace had."""
            ...

        def resolve(self, spec: str, files: ProcRoot) -> Namespace:
            """Return the namespace that ``--netns`` names; SourceUnavailable if it is not there."""
            ...


# Questions that single sockets answer, as a capture names them: whether the queue of a unix datagram socket is full
# (sockdiag.sources.netlink.unix_queue), 1 or 0, and SO_RCVBUF (sockdiag.sources.process.pidfd_getfd) in bytes.
QUEUE_FULL, RECEIVE_BUFFER = "queue_full", "receive_buffer"


class System:
    """A Linux system, this one or a captured one.

    Args:
        files: opener of /proc and /sys.
        netlink: answers netlink requests.
        clock: seconds since the epoch.
        root: folder or archive of a captured one, as it was named; "" for this one.
        modules: where to look whether a handler is there; None to ask the kernel without a look.
        monotonic: seconds of a clock that is never set.
        moments: of a captured one, the earlier moments that it holds, oldest first; *files* and *netlink* are of the last.
        answers: of a captured one that ``sockdiag capture`` made, what single sockets answered; its tables hold tcp_info.
        texts: of a captured one, what programs printed about its sockets.
        processes_age_s: of a recorded one, seconds from the reading of its processes to its moment.

    Attributes:
        namespaces: of a captured one, the network namespaces that it holds.
        guard: asks for what takes socket locks, of a program that reads again and again; None for one of each reading's own.
        reader: of a captured one, the process that read it; None where that is not known.
        earlier: of a recorded one, returns the moments that lie an interval in seconds before it; None for any other.
    """

    __slots__ = (
        "answers",
        "clock",
        "earlier",
        "files",
        "guard",
        "modules",
        "moments",
        "monotonic",
        "namespaces",
        "netlink",
        "processes_age_s",
        "reader",
        "root",
        "texts",
    )

    def __init__(
        self,
        files: ProcRoot,
        netlink: Transport,
        clock: Callable[[], float] = time.time,
        root: str | None = None,
        modules: Modules | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        moments: tuple[System, ...] = (),
        answers: Answers | None = None,
        texts: BundleTexts | None = None,
        processes_age_s: float = 0.0,
    ) -> None:
        self.files = files
        self.netlink = netlink
        self.clock = clock
        self.modules = modules
        self.root = files.root if root is None else root
        self.monotonic = monotonic
        self.moments = moments
        self.answers = answers
        self.processes_age_s = processes_age_s
        self.texts = texts
        self.earlier: Callable[[float], tuple[System, ...]] | None = None
        self.namespaces: HeldNamespaces | None = None
        self.guard: GuardedTransport | None = None
        self.reader: int | None = None

    @property
    def shows_others(self) -> bool:
        """Whether other network namespaces than its own can be looked into."""
        return self.files.live if self.namespaces is None else self.namespaces.several

    def before(self, seconds: float) -> tuple[System, ...]:
        """Return the earlier moments to compare with; *seconds* is how far before, where a recording leaves the choice."""
        return self.moments if self.earlier is None else self.earlier(seconds)

    @property
    def recorded_s(self) -> float | None:
        """Seconds from the first moment of a capture to its last; None for a single moment, and for a running system."""
        return self.monotonic() - self.moments[0].monotonic() if self.moments else None


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
