"""Open a system for a survey: this one, another network namespace, all of them, or a capture."""

from __future__ import annotations

import os

from sockdiag.defaults import ALL_NAMESPACES, LOAD_MODULES, SOURCES
from sockdiag.errors import UsageError, unknown
from sockdiag.model.query import AUTO, TABLES
from sockdiag.survey.options import SurveyOptions
from sockdiag.survey.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.sources.namespaces.search import FoundNamespace
    from sockdiag.sources.system.machine import System


def open_system(
    root: str | os.PathLike[str] = "",
    *,
    netns: str | int | None = None,
    netids: Iterable[str] = (),
    where: str | Iterable[str] = (),
    source: str = AUTO,
    load_modules: str = LOAD_MODULES[0],
    numeric: bool = False,
) -> Survey:
    """Open a system whose sockets can be read, and which can be sampled and diagnosed.

    This reads only the identity of the network namespace, or with ``netns="all"`` the list of all namespaces. This
    process never changes its own namespace: child processes enter the others.

    Args:
        root: a capture, as a folder or an archive; by default the running system.
        netns: another network namespace: a name in /run/netns, the PID of a process in it, a path, or ``all``.
        netids: tables to read (``tcp``, ``udp``, ``unix``, …); by default all.
        where: a filter in the language of ``--where``, or several that must all match: the default of methods that take one.
        source: ``netlink``, ``proc``, or ``auto``: netlink, and /proc for tables that netlink lacks.
        load_modules: ``auto`` to ask the kernel for every table, which makes it load the modules that answer; ``never`` to ask
            only those that are loaded, and read /proc instead of the others.
        numeric: show users as numbers.

    Raises:
        UsageError: an argument is invalid, or two of them exclude each other.
        FilterError: the filter does not parse.
        SourceError: the capture or the namespace cannot be opened.
    """
    chosen = (netids,) if isinstance(netids, str) else tuple(netids)
    for netid in chosen:
        if netid not in TABLES:
            raise UsageError(unknown("table", netid, TABLES))
    if source not in SOURCES:
        raise UsageError(unknown("source", source, SOURCES))
    if load_modules not in LOAD_MODULES:
        raise UsageError(f"load_modules: {unknown('value', load_modules, LOAD_MODULES)}")
    path = os.fspath(root)
    place = None if netns is None else str(netns)
    filters = (where,) if isinstance(where, str) else tuple(where)
    options = SurveyOptions(place, source, chosen, tuple(text for text in filters if text), numeric)
    system = _system(path, load_modules)
    places: tuple[FoundNamespace, ...] = ()
    if place is not None and place != ALL_NAMESPACES:
        if system.namespaces is not None:
            system = in_namespace(system, place)
        else:
            places = _places(system, place)
    survey = Survey(system, options, places=places)
    _ = survey.where  # refuse a filter that does not parse now
    return survey


def _system(root: str, load_modules: str) -> System:
    if root:
        from sockdiag.sources.recordings.opening import open_captured

        return open_captured(root)
    from sockdiag.sources.system.machine import this_system

    return this_system(load_modules)


def in_namespace(system: System, netns: str | None) -> System:
    """Return a system as it is seen from the network namespace that ``--netns`` names; *system* itself if it is no capture.

    Raises:
        SourceUnavailable: the capture does not hold it.
    """
    if system.namespaces is None or netns in (None, ALL_NAMESPACES):
        return system
    return system.namespaces.system(system.namespaces.resolve(netns, system.files))


def _places(system: System, netns: str) -> tuple[FoundNamespace, ...]:
    """Find the namespace that a name, a PID or a path stands for; return none if it is this process's own."""
    from sockdiag.model.provenance import Namespace
    from sockdiag.sources.namespaces.netns import OWN, resolve
    from sockdiag.sources.namespaces.search import FoundNamespace

    path = resolve(netns)
    inode = system.files.inode(path)
    if inode == system.files.inode(OWN):
        return ()
    name = None if "/" in netns or netns.isdecimal() else netns
    return (FoundNamespace(Namespace(name, inode), path, "name" if name else "process"),)
