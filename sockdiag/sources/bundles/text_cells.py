"""Cells of tables that programs print: numbers, times and addresses, as ss and netstat write them."""

from __future__ import annotations

import re

from sockdiag.model.address import Endpoint

_LONGEST = 20
_FRACTION = re.compile(r"\d{1,20}(?:\.\d{1,12})?(?:e[+-]?\d{1,2})?")
_TIME = re.compile(r"(?:(\d{1,9})min)?(?:(\d{1,9})sec)?(?:(?:(\d{1,9})\.)?(\d{1,9})ms)?")
_PORT_MAX = 65535


def decimal(text: str) -> int:
    """Return a number without a sign; ValueError if it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST:
        raise ValueError(text)
    return int(text)


def fraction(text: str, factor: int) -> int:
    """Return a number that may have decimals times a factor; ValueError if it is none."""
    if _FRACTION.fullmatch(text) is None:
        raise ValueError(text)
    return round(float(text) * factor)


def printed_ms(text: str) -> int:
    """Return a time as ss prints it: ``1min59sec``, ``9.876ms`` (9 s and 876 ms), ``200ms``; ValueError if it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    minutes, seconds, whole, ms = (int(part or 0) for part in match.groups())
    return minutes * 60_000 + (seconds + whole) * 1000 + ms


def endpoint(text: str, protocol: str, old: bool, *, six: bool = False) -> tuple[str, Endpoint]:
    """Return family and end of ``ADDRESS[%INTERFACE]:PORT``; ValueError if it is none.

    Args:
        text: the cell.
        protocol: whose names of ports it may have.
        old: an IPv6 address has no brackets, and ``*`` is IPv4: so did ss until 2017, and so does netstat.
        six: ``*`` is IPv6.
    """
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise ValueError(text)
    interface = None
    if "%" in host:
        host, _percent, interface = host.partition("%")
        if interface.endswith("]"):  # [fe80::1%eth0]
            host, interface = host + "]", interface[:-1]
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1]
        family = "AF_INET6"
    else:
        family = "AF_INET6" if ":" in host else "AF_INET"
    if host == "*":
        family = "AF_INET6" if six or not old else "AF_INET"
        host = "::" if family == "AF_INET6" else "0.0.0.0"  # noqa: S104 - an address that was read
    if not host or len(host) > 256:
        raise ValueError(text)
    return family, Endpoint(host, _port(port_text, protocol), interface)


def _port(text: str, protocol: str) -> int | None:
    if text == "*":
        return 0
    if text.isascii() and text.isdigit():
        port = decimal(text)
        if port > _PORT_MAX:
            raise ValueError(text)
        return port
    from socket import getservbyname

    try:
        return getservbyname(text, "udp" if protocol.startswith("udp") else "tcp")
    except (OSError, UnicodeError, ValueError):
        return None  # a name that is not known here
