"""Names for numbers: services, protocols, hosts, interfaces, netlink protocols, ethertypes, cgroups.

**Source:** the C library's databases, /etc/protocols, rtnetlink, iproute2's nl_protos, the cgroup2 mount.
"""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, if_indextoname, inet_ntop, ntohs  # start-up: docs/rejected.md

from sockdiag.errors import SourceError
from sockdiag.kernel.sock_diag import V4_MAPPED
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.output import complain, safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.rpc_services import RpcServices

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
        "rpc",
    )

    def __init__(self, *, numeric: bool, resolve: bool = False, old: bool = False) -> None:
        self.numeric = numeric
        # The database of the table shown last; None: any, "raw": the port is a protocol.
        self.protocol: str | None = None
        self.rpc: RpcServices | None = None
        self._resolve = resolve
        self._old = old
        self._addresses: dict[tuple[bytes, bool], str] = {}
        self._ports: dict[tuple[int, str | None], str] = {}
        self._devices: dict[int, str] = {}
        self._ephemeral: tuple[int, int] | None = None
        self._netlink: dict[int, str] | None = None
        self._cgroups: _Cgroups | None = None

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
        """Print a port that was cast from network byte order."""
        return self.port(ntohs(number))

    def host(self, raw: bytes) -> str:
        """Print an address of 4 or 16 bytes, as a name if that is asked for and there is one."""
        text = inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)
        if self._resolve:
            from _socket import gethostbyaddr  # start-up: docs/rejected.md

            asked = inet_ntop(AF_INET, raw[12:]) if raw[:12] == V4_MAPPED else text
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
        if self.rpc is not None:
            known = self.rpc.name(port, self.protocol)
            if known is not None:
                return known
        low, high = self.ephemeral()
        if not low <= port <= high:
            from _socket import getservbyport  # start-up: docs/rejected.md

            try:
                return getservbyport(port, self.protocol) if self.protocol else getservbyport(port)
            except OSError:
                pass
        return str(port)

    def ephemeral(self) -> tuple[int, int]:
        """Return the range of ports that the kernel chooses from; 1024 to 4999 where it cannot be read."""
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
                # An unsigned int in C; Python takes more, and fails with SystemError for 2**64 - 1.
                name = safe_text(os.fsencode(if_indextoname(index & 0xFFFFFFFF)))
            except OSError:
                name = f"if{index & 0xFFFFFFFF}"
            self._devices[index] = name
        return name

    def netlink_protocol(self, number: int) -> str:
        """Name a netlink protocol."""
        if self.numeric:
            return str(number)
        if self._netlink is None:
            self._netlink = _netlink_names(old=self._old)
        return self._netlink.get(number, str(number))

    def cgroup(self, number: int) -> str:
        """Print the path of a cgroup id below the cgroup2 mount."""
        return self._cgroup_paths().path(number)

    def has_cgroups(self) -> bool:
        """Return whether there is a cgroup2 mount; without one ss complains at each row."""
        return self._cgroup_paths().mounted

    def _cgroup_paths(self) -> _Cgroups:
        if self._cgroups is None:
            self._cgroups = _Cgroups(old=self._old)
        return self._cgroups


_NL_PROTOS = ("/etc/iproute2/nl_protos", "/usr/share/iproute2/nl_protos")


def _netlink_names(*, old: bool) -> dict[int, str]:
    """Read the names of netlink protocols: the table of ss itself, then iproute2's file; 6.1 knows only the first one."""
    from sockdiag.filter.context import NETLINK_NAMES

    names = dict(NETLINK_NAMES)
    for path in _NL_PROTOS[:1] if old else _NL_PROTOS:
        try:
            with open(path, "rb") as file:
                data = file.read(1 << 20)
        except OSError:
            continue
        for line in data.split(b"\n"):
            words = line.strip().split()
            if len(words) < 2 or words[0][:1] == b"#":
                continue
            try:
                number = int(words[0], 16 if words[0][:2] == b"0x" else 10)
            except ValueError:
                continue
            if 0 <= number < 256:
                names[number] = safe_text(words[1])
        break
    return names


_ip_protocols: dict[int, str] = {}


def _protocol_name(number: int) -> str:
    """Name an IP protocol by /etc/protocols: Python's binding of the C library looks protocols up by name only."""
    if not _ip_protocols:
        try:
            with open("/etc/protocols", encoding="latin-1") as file:
                lines = file.read().split("\n")
        except OSError:
            lines = []
        for line in lines:
            words = line.partition("#")[0].split()
            if len(words) > 1 and words[1].isdecimal():
                _ip_protocols.setdefault(int(words[1]), words[0])
        _ip_protocols.setdefault(-1, "")
    return _ip_protocols.get(number) or f"ipproto-{number}"


class _Cgroups:
    """Paths of cgroup ids below the cgroup2 mount, as the details and --cgroup print them.

    Args:
        old: report ids that lead nowhere, as 6.1 does.

    Attributes:
        mounted: there is a cgroup2 mount.
    """

    __slots__ = ("_known", "_old", "_paths", "mounted")

    def __init__(self, *, old: bool) -> None:
        from sockdiag.sources.process.cgroup import CgroupPaths

        self._old = old
        self._known: dict[int, str | None] = {}
        self._paths = CgroupPaths(ProcRoot())
        self.mounted = self._paths.mount() is not None

    def path(self, number: int) -> str:
        """Return the path below the mount, ``unreachable:HEX`` where the id leads nowhere."""
        if not self.mounted:
            # ss looks when it makes its list of cgroups, and at each id that is not in it.
            complain("Failed to find cgroup2 mount\n" * (1 if self._known else 2))
            self._known[number] = None
            return f"unreachable:{number:x}"
        if number not in self._known:
            path = self._paths.path(number)
            self._known[number] = None if path is None else safe_text(os.fsencode(path))
        found = self._known[number]
        if found is None:
            if self._old:
                complain("Failed to open cgroup2 by ID\n")
            return f"unreachable:{number:x}"
        return found
