"""Read the counters of /proc/net: snmp, netstat and snmp6, alone or at one moment with those of the devices and CPUs.

snmp and netstat share a grammar: a line of names, then a line of values, both with the prefix.
"""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.counters import Counters, counters_of
from sockdiag.model.provenance import Gap
from sockdiag.sources.proc.table import number
from sockdiag.sources.reading import MAX_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.system.proc_root import ProcRoot

SNMP = "/proc/net/snmp"
NETSTAT = "/proc/net/netstat"
SNMP6 = "/proc/net/snmp6"
XFRM_STAT = "/proc/net/xfrm_stat"
TLS_STAT = "/proc/net/tls_stat"


def parse_mib(body: bytes, path: str) -> Counters:
    """Parse pairs of lines ``Prefix: Name …`` and ``Prefix: value …``.

    Source: ``snmp_seq_show()`` and ``netstat_seq_show()``, net/ipv4/proc.c.
    Units: events, except those of :data:`sockdiag.model.counters.GAUGES`.
    Shape: names are not sorted and differ between kernels; a prefix may come in several pairs (IcmpMsg, 16 types each).

    Args:
        body: the whole file.
        path: its name, for errors.

    Returns:
        Counters by ``Prefix.Name``. A value that is not a number costs that counter, a pair of lines that does not
        match costs that pair; its ``errors`` name it.
    """
    values: dict[str, int] = {}
    errors: list[ParseError] = []
    prefix = b""
    names: list[bytes] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        head = tokens.pop(0)
        if prefix and head != prefix:
            errors.append(ParseError(path, line, _text(prefix), "the line of values", text))
            prefix = b""
        if not prefix:
            if head.endswith(b":") and head.isascii() and text.isascii():
                prefix, names = head, tokens
            else:
                errors.append(ParseError(path, line, "prefix", "a line of names that starts with Prefix:", text))
            continue
        start = _text(prefix)[:-1] + "."
        prefix = b""
        if len(tokens) != len(names):
            errors.append(ParseError(path, line, start[:-1], f"{len(names)} values", text))
            continue
        for name, token in zip(names, tokens, strict=True):
            value = number(token)
            if value is None:
                errors.append(ParseError(path, line, start + _text(name), "a decimal number", token))
            else:
                values[start + _text(name)] = value
    if prefix:
        errors.append(ParseError(path, body.count(b"\n") + 1, _text(prefix), "the line of values", b""))
    return Counters(values, tuple(errors[:MAX_ERRORS]))


def _text(token: bytes) -> str:
    return token.decode("ascii", "backslashreplace")


def parse_snmp(body: bytes) -> Counters:
    """Parse the text of ``/proc/net/snmp``; see :func:`sockdiag.sources.proc.mib.parse_mib`.

    Source: ``snmp_seq_show()``, net/ipv4/proc.c. ``Tcp.MaxConn`` is signed, -1 for no limit. TCP and IP retransmission
    counters here hold IPv4 and IPv6 together; datagrams and errors of UDP over IPv6 are in ``/proc/net/snmp6``.
    """
    return parse_mib(body, SNMP)


def read_snmp(files: ProcRoot) -> Counters:
    """Read and parse ``/proc/net/snmp``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_snmp(files.read(SNMP))


def parse_netstat(body: bytes) -> Counters:
    """Parse the text of ``/proc/net/netstat``; see :func:`sockdiag.sources.proc.mib.parse_mib`.

    Source: ``netstat_seq_show()``, net/ipv4/proc.c, ``mptcp_seq_show()``, net/mptcp/mib.c (since 5.6). TcpExt counts
    IPv4 and IPv6 together.
    """
    return parse_mib(body, NETSTAT)


def read_netstat(files: ProcRoot) -> Counters:
    """Read and parse ``/proc/net/netstat``.

    Raises:
        SourceError: it cannot be read.
    """
    return parse_netstat(files.read(NETSTAT))


# The file runs prefix and name together; the longer prefix first.
_PREFIXES = ("UdpLite6", "Icmp6", "Udp6", "Ip6", "Sctp", "Xfrm", "Tls")


def parse_snmp6(body: bytes, path: str = SNMP6) -> Counters:
    """Parse the text of ``/proc/net/snmp6``, and of ``dev_snmp6/DEVICE``, ``sctp/snmp``, ``xfrm_stat`` and ``tls_stat``.

    Source: ``snmp6_seq_show()``, net/ipv6/proc.c; ``sctp_snmp_seq_show()``, net/sctp/proc.c; ``xfrm_statistics_seq_show()``,
    net/xfrm/xfrm_proc.c; ``tls_statistics_seq_show()``, net/tls/tls_proc.c.
    Units: events.
    Shape: one name and one value a line.

    Args:
        body: the whole file.
        path: its name, for errors.

    Returns:
        Counters named as those of IPv4 are: ``Udp6InErrors`` is ``Udp6.InErrors``; a name without a known prefix stays
        as it is. A malformed line costs that counter; its ``errors`` name it.
    """
    values: dict[str, int] = {}
    errors: list[ParseError] = []
    for line, text in enumerate(body.split(b"\n"), 1):
        tokens = text.split()
        if not tokens:
            continue
        if len(tokens) != 2 or not tokens[0].isascii():
            errors.append(ParseError(path, line, "line", "a name and a value", text))
            continue
        name = dotted(tokens[0].decode())
        value = number(tokens[1])
        if value is None:
            errors.append(ParseError(path, line, name, "a decimal number", tokens[1]))
        else:
            values[name] = value
    return Counters(values, tuple(errors[:MAX_ERRORS]))


def dotted(name: str) -> str:
    """Put the dot between prefix and name."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return f"{prefix}.{name[len(prefix) :]}"
    return name


def read_snmp6(files: ProcRoot) -> Counters:
    """Read and parse ``/proc/net/snmp6``.

    Raises:
        SourceError: it cannot be read; SourceUnavailable where the kernel has no IPv6.
    """
    return parse_snmp6(files.read(SNMP6))


def read_more_counters(files: ProcRoot) -> tuple[Counters, list[Gap]]:
    """Read the counters of IPsec and kernel TLS, as far as this kernel has them.

    Source: ``/proc/net/{xfrm_stat,tls_stat}``.

    Returns:
        The counters, and what exists and could not be read.
    """
    found = Counters({})
    gaps: list[Gap] = []
    for path in (XFRM_STAT, TLS_STAT):
        try:
            found = found.joined(parse_snmp6(files.read(path), path))
        except SourceUnavailable:
            continue
        except SourceError as error:
            gaps.append(Gap.from_error(error))
    gaps += [Gap.from_error(error) for error in found.errors]
    return found, gaps


def read_counters(files: ProcRoot) -> tuple[Counters, list[Gap]]:
    """Read the MIBs, the devices' and the CPUs' counters.

    Source: ``/proc/net/{snmp,snmp6,netstat,dev,softnet_stat}``.

    Returns:
        The counters, and what could not be read.
    """
    from sockdiag.sources.proc.net_dev import read_dev
    from sockdiag.sources.proc.net_softnet_stat import read_softnet_stat

    found = Counters({})
    gaps: list[Gap] = []
    readers: tuple[Callable[[], Counters], ...] = (
        lambda: read_snmp(files),
        lambda: read_netstat(files),
        lambda: read_snmp6(files),
        lambda: counters_of("dev", read_dev(files)),
        lambda: counters_of("softnet_stat", read_softnet_stat(files)),
    )
    for read in readers:
        try:
            found = found.joined(read())
        except (SourceError, ParseError) as error:
            gap = Gap.from_error(error)
            # Without IPv6 there is no snmp6, and nothing is missing.
            if not (isinstance(error, SourceUnavailable) and gap.source == SNMP6):
                gaps.append(gap)
    gaps += [Gap.from_error(error) for error in found.errors]
    return found, gaps
