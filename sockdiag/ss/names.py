"""Names for numbers: services, protocols, hosts, interfaces, netlink protocols, ethertypes, cgroups.

**Source:** the C library's databases, rtnetlink, /etc/iproute2/nl_protos.
"""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, if_indextoname, inet_ntop

from sockdiag.errors import SourceError
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.output import safe_text

_MAPPED = b"\0" * 10 + b"\xff\xff"
_ANY6 = b"\0" * 16


class Names:
    """Look names up, each once.

    Args:
        numeric: print numbers (-n).
        resolve: look up hosts (-r).
        old: as 6.1.
    """

    __slots__ = (
        "_addresses",
        "_cgroups",
        "_devices",
        "_ephemeral",
        "_netlink",
        "_old",
        "_ports",
        "_resolve",
        "numeric",
        "protocol",
    )

    def __init__(self, *, numeric: bool, resolve: bool = False, old: bool = False) -> None:
        self.numeric = numeric
        # The database of the table shown last; None: any, "raw": the port is a protocol.
        self.protocol: str | None = None
        self._resolve = resolve
        self._old = old
        self._addresses: dict[tuple[bytes, bool], str] = {}
        self._ports: dict[tuple[int, str | None], str] = {}
        self._devices: dict[int, str] = {}
        self._ephemeral: tuple[int, int] | None = None
        self._netlink: dict[int, str] | None = None
        self._cgroups: object = None

    def address(self, raw: bytes, *, v6only: bool) -> str:
        """Print an address of 4 or 16 bytes as the Local and Peer columns do."""
        key = (raw, v6only)
        text = self._addresses.get(key)
        if text is None:
            if len(raw) == 16 and raw == _ANY6 and not v6only:
                text = "*"
            else:
                text = self.host(raw)
                if len(raw) == 16 and ":" in text:
                    text = f"[{text}]"
            self._addresses[key] = text
        return text

    def inet6_text(self, raw: bytes) -> str:
        """Print an IPv6 address and the colon before the port; any is ``*``."""
        return f"{self.address(raw, v6only=False)}:"

    def network_port(self, number: int) -> str:
        """Print a port that is in network byte order."""
        return self.port((number & 0xFF) << 8 | number >> 8)

    def host(self, raw: bytes) -> str:
        """Print an address of 4 or 16 bytes, as a name if that is asked for and there is one."""
        text = inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)
        if self._resolve:
            from _socket import gethostbyaddr

            asked = inet_ntop(AF_INET, raw[12:]) if raw[:12] == _MAPPED else text
            try:
                return gethostbyaddr(asked)[0]
            except OSError:
                return text
        return text

    def port(self, port: int) -> str:
        """Print a port, as a service where there is one."""
        if self.numeric:
            return str(port) if port else "*"
        key = (port, self.protocol)
        text = self._ports.get(key)
        if text is None:
            text = self._ports[key] = self._service(port)
        return text

    def _service(self, port: int) -> str:
        if not port:
            return "*"
        if self.protocol == "raw":
            return _protocol_name(port)
        low, high = self.ephemeral()
        if not low <= port <= high:
            from _socket import getservbyport

            try:
                return getservbyport(port, self.protocol) if self.protocol else getservbyport(port)
            except OSError:
                pass
        return str(port)

    def ephemeral(self) -> tuple[int, int]:
        """Return the range of ports that the kernel chooses from; 1024 to 4999 where it is not told."""
        if self._ephemeral is None:
            path = os.environ.get("PROC_IP_LOCAL_PORT_RANGE") or (
                os.environ.get("PROC_ROOT", "/proc").rstrip("/") + "/sys/net/ipv4/ip_local_port_range"
            )
            try:
                low, high = ProcRoot().read(path).split()[:2]
                self._ephemeral = (int(low), int(high))
            except (SourceError, ValueError):
                self._ephemeral = (1024, 4999)
        return self._ephemeral

    def device(self, index: int) -> str:
        """Name an interface; ``ifN`` where there is none of this index."""
        name = self._devices.get(index)
        if name is None:
            try:
                name = safe_text(os.fsencode(if_indextoname(index)))
            except (OSError, OverflowError):
                name = f"if{index & 0xFFFFFFFF}"
            self._devices[index] = name
        return name

    def netlink_protocol(self, number: int) -> str:
        """Name a netlink protocol."""
        if self.numeric:
            return str(number)
        if self._netlink is None:
            from sockdiag.ss.netlink_names import protocol_names

            self._netlink = protocol_names(old=self._old)
        return self._netlink.get(number, str(number))

    def cgroup(self, number: int) -> str:
        """Print the path of a cgroup id below the cgroup2 mount."""
        from sockdiag.ss.cgroup_paths import CgroupPaths

        if not isinstance(self._cgroups, CgroupPaths):
            self._cgroups = CgroupPaths(old=self._old)
        return self._cgroups.path(number)


def _protocol_name(number: int) -> str:
    # The C library's Python binding looks protocols up by name only.
    from sockdiag.ss.protocol_names import protocol_name

    return protocol_name(number) or f"ipproto-{number}"
