"""Where a port is passed on to, from the command line of the proxy that listens on it."""

from __future__ import annotations

from sockdiag.analysis.bind_conflict import packed
from sockdiag.model.address import Endpoint
from sockdiag.model.port import Published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.port import PortHolder

_PROXY = b"docker-proxy"


def proxied(holders: Iterable[PortHolder], netns: str | None) -> list[Published]:
    """List where the docker-proxies among some processes pass connections on to."""
    found = []
    for holder in holders:
        command = None if holder.process is None else holder.process.command
        if holder.comm != _PROXY or command is None:
            continue
        words = [word.decode("utf-8", "surrogateescape") for word in command.split(b" ")]
        options = {name: words[i + 1] for i, name in enumerate(words[:-1])}
        address, port = options.get("-container-ip", ""), options.get("-container-port", "")
        if packed(address) is None or not (port.isascii() and port.isdecimal() and len(port) <= 5):
            continue
        by = f"docker-proxy({holder.pid})"
        found.append(Published(netns, options.get("-proto", "tcp"), Endpoint(address, int(port)), by))
    return found
