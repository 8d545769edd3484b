"""Ports that RPC programs have registered with rpcbind, by the names of the programs (-r)."""

from __future__ import annotations

from sockdiag.sources.system.rpcbind import Rpcbind, programs

# Addresses of services that listen at every address; the port follows in two parts.
_EVERYWHERE = ("::.", "0.0.0.0.")
_PROTOCOLS = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp", "sctp": "sctp"}


class RpcServices:
    """The services of this host, asked for once."""

    __slots__ = ("_names", "_rpcbind")

    def __init__(self) -> None:
        self._rpcbind = Rpcbind()
        self._names: dict[tuple[int, str], str | None] = {}
        known: dict[int, str] | None = None
        for program, netid, address in self._rpcbind.dump():
            port = _port(address)
            protocol = _PROTOCOLS.get(netid)
            if port is None or protocol is None:
                continue
            if known is None:
                known = programs()
            name = known.get(program)
            # Of several registrations of a port the last one counts.
            self._names[port, protocol] = None if name is None else f"rpc.{name}"[:127]

    def close(self) -> None:
        """Close the socket that rpcbind was asked over; ss keeps it open, and lists it."""
        self._rpcbind.close()

    def name(self, port: int, protocol: str | None) -> str | None:
        """Name the service at a port."""
        return self._names.get((port, protocol or ""))

    def ports(self, name: str, protocol: str) -> set[int]:
        """Return the ports of a service."""
        return {port for (port, other), known in self._names.items() if other == protocol and known == name}


def _port(address: str) -> int | None:
    for start in _EVERYWHERE:
        if address.startswith(start):
            high, dot, low = address[len(start) :].partition(".")
            if dot and f"{high}{low}".isdecimal():
                return (int(high) << 8 | int(low)) & 0xFFFF
    return None
