"""The filter expression of a command line and of the file of -F."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.filter.context import FilterContext
from sockdiag.filter.ss_filter import SsFilter, SsFilterError, parse_ss
from sockdiag.ss.output import Stop
from sockdiag.ss.tables import TCP, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.settings import Settings


def build(words: list[str], settings: Settings) -> SsFilter:
    """Parse the expression; the families of its operands become the selected ones.

    Raises:
        Stop: it does not parse.
    """
    from sockdiag.ss.names import Names

    selection = settings.selection
    look_ups = FilterContext(port_range=Names(numeric=True).ephemeral, cgroup_id=_cgroup_id)
    services = tuple(name for name, table in (("udp", UDP), ("tcp", TCP)) if selection.tables & table)
    try:
        parsed = parse_ss(
            words,
            look_ups,
            file_text=settings.filter_text,
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


def _cgroup_id(path: str) -> int:
    from sockdiag.sources.proc.mountinfo import mounts
    from sockdiag.sources.system.proc_root import ProcRoot

    files = ProcRoot()
    try:
        mounted = [mount.point for mount in mounts(files) if mount.type == "cgroup2"]
        if not mounted:
            raise LookupError("Failed to find cgroup2 mount")
        real = os.path.realpath(path)
        if any(real == point or real.startswith(f"{point}/") for point in mounted):
            return files.inode(real)
        return files.inode(f"{mounted[0]}/{path}")
    except SourceError as error:
        raise LookupError(f"Failed to get cgroup2 ID: {error.reason}") from None


def read_file(path: str) -> bytes:
    """Return the content of the file; standard input if its name begins with ``-``.

    Raises:
        Stop: it cannot be read.
    """
    standard_input = path.startswith("-")
    try:
        with open(0 if standard_input else path, "rb", closefd=not standard_input) as file:
            return file.read()
    except OSError as error:
        raise Stop(255, f"fopen filter file: {os.strerror(error.errno or 0)}") from None
