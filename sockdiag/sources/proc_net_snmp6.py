"""/proc/net/snmp6: the IPv6, ICMPv6, UDP and UDP-Lite over IPv6 MIBs of the network namespace."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.counters import Counters
from sockdiag.sources._numbers import number
from sockdiag.sources.reading import MAX_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources._procroot import ProcRoot

PATH = "/proc/net/snmp6"

# The file runs prefix and name together; the longer prefix first.
_PREFIXES = ("UdpLite6", "Icmp6", "Udp6", "Ip6", "Sctp")


def parse_snmp6(body: bytes, path: str = PATH) -> Counters:
    """Parse the text of ``/proc/net/snmp6``, and of ``/proc/net/dev_snmp6/DEVICE`` and ``/proc/net/sctp/snmp``.

    Source: ``snmp6_seq_show()``, net/ipv6/proc.c; ``sctp_snmp_seq_show()``, net/sctp/proc.c.
    Units: events.
    Shape: one name and one value a line.

    Args:
        body: the whole file.
        path: its name, for errors.

    Returns:
        Counters named as those of IPv4 are: ``Udp6InErrors`` is ``Udp6.InErrors``; a name without a known prefix stays
        as it is. A malformed line costs that counter; its ``errors`` say which.
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
    return parse_snmp6(files.read(PATH))
