"""The sysctls that bound sockets, below /proc/sys."""

from __future__ import annotations

import os

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap
from sockdiag.model.sysctl import PORT_LIST, TEXT, Sysctls, release_version
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.sources.proc.table import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.sysctl import Sysctl, Value
    from sockdiag.sources.system.proc_root import ProcRoot

# A network namespace may hide these; all others are the same everywhere.
_PER_NAMESPACE = "/proc/sys/net/"
# Every namespace has the first (since 4.15), only the initial one the second.
_EVERYWHERE = "/proc/sys/net/ipv4/tcp_rmem"
_INITIAL = "/proc/sys/net/ipv4/tcp_mem"

_SCTP = "/proc/net/sctp"

# Since 6.1. The notes of a capture, and the releases of distributions (5.14.0-427.el9.x86_64, 5.10.0-32-amd64), tell it too.
_ARCH = "/proc/sys/kernel/arch"
_META = "/meta.toml"
_RELEASE = "/proc/sys/kernel/osrelease"
# Architectures with one size of page only.
_PAGE_SIZES = {b"x86_64": 4096, b"i686": 4096, b"s390x": 4096}


def parse_sysctl(sysctl: Sysctl, body: bytes) -> Value:
    """Parse the text of a sysctl's file.

    Source: ``proc_dointvec()`` and its kin, kernel/sysctl.c; ``proc_do_large_bitmap()`` for lists of ports.
    Units: those of the declaration.
    Shape: decimal numbers with blanks between them, a word, or ``8080,9000-9100``.

    Returns:
        A number, several, a text; a list of ports as first and last port of each range in turn.

    Raises:
        ParseError: it is not what is declared.
    """
    text = body.strip()
    if sysctl.numbers == TEXT:
        return text.decode("utf-8", "backslashreplace")
    if sysctl.numbers == PORT_LIST:
        return _ports(sysctl, text)
    tokens = text.split()
    values = [number(token) for token in tokens]
    if len(values) != sysctl.numbers or None in values:
        expected = "a number" if sysctl.numbers == 1 else f"{sysctl.numbers} numbers"
        raise ParseError(sysctl.path, 1, sysctl.name, expected, text)
    low, high = sysctl.bounds
    if not all(low <= value <= high for value in values if value is not None):
        raise ParseError(sysctl.path, 1, sysctl.name, f"{low} to {high}", text)
    return values[0] if sysctl.numbers == 1 else tuple(values)  # type: ignore[return-value, arg-type]


def _ports(sysctl: Sysctl, text: bytes) -> tuple[int, ...]:
    flat: list[int] = []
    for part in text.split(b",") if text else ():
        first, dash, last = part.partition(b"-")
        low = number(first)
        high = number(last) if dash else low
        if low is None or high is None or not 0 <= low <= high <= 65535:
            raise ParseError(sysctl.path, 1, sysctl.name, "ports and ranges of ports", text)
        flat += (low, high)
    return tuple(flat)


def read_sysctls(files: ProcRoot, names: Iterable[str] = SYSCTLS) -> Sysctls:
    """Read sysctls by name; by default all that are declared.

    One that is not there is unknown, with the reason; it is a gap only where the kernel has it and does not show it: a
    limit of the host in a namespace that is not the initial one, a file that may not be read or does not parse.
    """
    values: dict[str, Value] = {}
    missing: dict[str, str] = {}
    errors: list[Gap] = []
    hidden: list[str] = []
    for name in names:
        sysctl = SYSCTLS[name]
        try:
            values[name] = parse_sysctl(sysctl, files.read(sysctl.path))
        except SourceUnavailable as error:
            missing[name] = error.reason
            if not sysctl.path.startswith(_PER_NAMESPACE):
                errors.append(Gap(sysctl.path, error.reason))
            elif (sysctl.initial_only and _has(files, sysctl.needs)) or not sysctl.needs:
                hidden.append(name)
        except (SourceError, ParseError) as error:
            gap = Gap.from_error(error)
            missing[name] = gap.reason
            errors.append(gap)
    if hidden and not _in_child(files):
        errors += (Gap(SYSCTLS[name].path, missing[name]) for name in hidden if not SYSCTLS[name].needs)
        hidden = []
    for name in hidden:
        missing[name] = "not visible in this network namespace"
    for name in missing:
        if name not in hidden and SYSCTLS[name].needs:
            missing[name] += f" (needs {SYSCTLS[name].needs})"
    return Sysctls(values, missing, hidden, errors)


def _has(files: ProcRoot, needs: str) -> bool:
    # Whether the kernel has it, as far as a namespace other than the first shows that.
    if needs == "SCTP":
        try:
            files.names(_SCTP)
        except SourceError:
            return False
        return True
    least, kernel = (
        release_version(needs.removeprefix("Linux ")),
        release_version(_read(files, _RELEASE).decode("latin-1")),
    )
    return least is None or kernel is None or kernel >= least


def _in_child(files: ProcRoot) -> bool:
    try:
        files.read(_EVERYWHERE)
    except SourceError:
        return False
    try:
        files.read(_INITIAL)
    except SourceUnavailable:
        return True
    except SourceError:
        pass
    return False


def read_page_size(files: ProcRoot) -> int | None:
    """Return the size of a page in bytes; of a captured system only where its architecture leaves no choice."""
    if files.live:
        return os.sysconf("SC_PAGE_SIZE")
    return _PAGE_SIZES.get(_captured_arch(files))


def _captured_arch(files: ProcRoot) -> bytes:
    if arch := _read(files, _ARCH).strip():
        return arch
    for line in _read(files, _META).splitlines():
        key, _equals, value = line.partition(b"=")
        if key.strip() == b"arch":
            return value.strip().strip(b'"')
    last = _read(files, _RELEASE).strip().replace(b".", b"-").rpartition(b"-")[2]
    return b"x86_64" if last == b"amd64" else last


def _read(files: ProcRoot, path: str) -> bytes:
    try:
        return files.read(path)
    except SourceError:
        return b""
