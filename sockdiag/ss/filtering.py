"""The filter expression of a command line and of the file of -F."""

from __future__ import annotations

import os
import sys

from sockdiag.errors import SourceError
from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilter, SsFilterError, parse_ss
from sockdiag.sources.system.proc_root import close_fd
from sockdiag.ss.output import Stop
from sockdiag.ss.tables import TCP, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.rpc_services import RpcServices
    from sockdiag.ss.settings import Settings

# Bytes of the handle of a cgroup's folder, which is its id.
_ID = 8
# Calls that ten thousand nested parentheses take.
_DEEPEST = 50_000
# ss reads a file to its end, whatever it is.
_MOST = 1 << 24


def build(words: list[str], settings: Settings, rpc: RpcServices | None) -> SsFilter:
    """Parse the expression; the families of its operands become the selected ones.

    Args:
        words: the expression.
        settings: the options.
        rpc: the services that rpcbind knows, where it was asked.

    Raises:
        Stop: it does not parse.
    """
    from sockdiag.ss.names import Names

    selection = settings.selection
    look_ups = FilterContext(port_range=Names(numeric=True).ephemeral, cgroup_id=_cgroup_id, interface=_interface)
    if rpc is not None:
        look_ups.rpc_ports = rpc.ports
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
    services = tuple(name for name, table in (("udp", UDP), ("tcp", TCP)) if selection.tables & table)
    try:
        parsed = parse_ss(
            words,
            look_ups,
            file_text=None if settings.filter_file is None else _read(settings.filter_file),
            preferred=selection.preferred,
            services=services,
            version=(6, 1) if settings.old else (7, 1),
        )
    except SsFilterError as error:
        raise Stop(error.exit_code, error.message, usage=error.usage) from None
    selection.preferred = parsed.preferred
    if parsed.families is not None:
        selection.families = parsed.families
    return parsed


def _interface(name: str) -> int | None:
    from sockdiag.sources.system.interfaces import interface_index

    return interface_index(name)


def _cgroup_id(path: str) -> int:
    """Return the id of the first file handle that there is: of the path as it stands, or below the cgroup2 mount."""
    from sockdiag.sources.proc.mountinfo import mounts
    from sockdiag.sources.system.file_handle import handle
    from sockdiag.sources.system.proc_root import ProcRoot

    try:
        return _id_of(handle(path, _ID))
    except SourceError:
        pass
    below = path.lstrip("/")
    if not below:
        raise LookupError("Invalid cgroup2 path")
    try:
        mounted = [mount.point for mount in mounts(ProcRoot()) if mount.type == "cgroup2"]
    except SourceError as error:
        raise LookupError(f"Failed to open mounts file: {error.reason}") from None
    if not mounted:
        raise LookupError("Failed to find cgroup2 mount")
    try:
        return _id_of(handle(f"{mounted[0]}/{below}", _ID))
    except SourceError as error:
        raise LookupError(f"Failed to get cgroup2 ID: {error.reason}") from None


def _id_of(data: bytes) -> int:
    if len(data) != _ID:
        raise LookupError("Invalid size of cgroup2 ID")
    return int.from_bytes(data, sys.byteorder)


def open_file(path: str) -> int:
    """Open the file of -F and return its descriptor; standard input if its name begins with ``-``.

    Raises:
        Stop: it cannot be opened.
    """
    if path.startswith("-"):
        return 0
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Stop(255, f"fopen filter file: {os.strerror(error.errno or 0)}") from None


def _read(fd: int) -> bytes:
    """Return what can be read of it, and close it; a folder can be opened, too, but has no lines."""
    parts = []
    left = _MOST
    try:
        while left > 0 and (part := os.read(fd, min(left, 1 << 16))):
            parts.append(part)
            left -= len(part)
    except OSError:
        pass
    if fd:
        close_fd(fd)
    return b"".join(parts)
