"""Memory of the protocols, and their limits, on the whole host."""

from __future__ import annotations

from sockdiag.model.record import BYTES, HOST, LABEL, PAGES, RATIO, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.model.protocols import Protocol
    from sockdiag.model.sockstat import SockStat
    from sockdiag.model.sysctl import Sysctls


class ProtocolMemory(Record):
    """Memory of the sockets of one account. Several protocols may share an account: TCP over IPv4, IPv6, and MPTCP.

    Source: ``__sk_mem_raise_allocated()``, net/core/sock.c; ``struct proto.memory_allocated``.
    """

    protocol: str = field("Name of the account.", kind=LABEL)
    members: tuple[str, ...] = field("Protocols of /proc/net/protocols that share it.", default=(), kind=LABEL)
    pages: int | None = field(
        "Memory charged.",
        default=None,
        unit=PAGES,
        scope=HOST,
        kernel="proto_memory_allocated(proto)",
        sources=("/proc/net/sockstat: mem", "/proc/net/protocols: memory"),
    )
    bytes: int | None = field("The same in bytes.", default=None, unit=BYTES, scope=HOST)
    uncertainty_pages: int | None = field(
        "Pages by which the reserves of the CPUs may distort the value: mem_pcpu_rsv for each CPU.",
        default=None,
        unit=PAGES,
        scope=HOST,
        header="+-PAGES",
        kernel="proto->per_cpu_fw_alloc",
        sources=("net.core.mem_pcpu_rsv",),
    )
    low_pages: int | None = field("First number of the limit.", default=None, unit=PAGES, scope=HOST, header="LOW")
    pressure_pages: int | None = field(
        "Second number of the limit.", default=None, unit=PAGES, scope=HOST, header="PRESSURE-AT"
    )
    high_pages: int | None = field("Third number of the limit.", default=None, unit=PAGES, scope=HOST, header="HIGH")
    limit_pages: int | None = field(
        "Memory at which data is refused: the third number, for UDP the first.",
        default=None,
        unit=PAGES,
        scope=HOST,
        header="LIMIT",
    )
    limit_bytes: int | None = field("The same in bytes.", default=None, unit=BYTES, scope=HOST)
    ratio: float | None = field("Memory charged as a share of the limit.", default=None, unit=RATIO, scope=HOST)
    pressure: bool | None = field(
        "The kernel is short of memory for it and slows it down; unknown if the protocol has no such state.",
        default=None,
        kind=LABEL,
        scope=HOST,
        sources=("/proc/net/protocols: press",),
    )
    limit_source: str = field("Sysctl of the limit; empty if the protocol has none.", default="", kind=LABEL)
    note: str = field("Why a limit is unknown.", default="", kind=LABEL)


# Protocols that point to one memory_allocated.
_ACCOUNTS: Mapping[str, tuple[str, ...]] = {
    "TCP": ("TCP", "TCPv6", "MPTCP", "MPTCPv6"),
    "UDP": ("UDP", "UDPv6", "UDP-Lite", "UDPLITEv6"),
    "SCTP": ("SCTP", "SCTPv6"),
}
_LIMITS = {"TCP": "net.ipv4.tcp_mem", "UDP": "net.ipv4.udp_mem", "SCTP": "net.sctp.sctp_mem"}

# UDP has no pressure state: above the first number, __sk_mem_raise_allocated() refuses memory to all sockets but those
# below udp_rmem_min.
_REFUSED_FROM_FIRST = ("UDP",)


def protocol_memory(
    sockstat: SockStat | None,
    protocols: Iterable[Protocol] | None,
    limits: Sysctls,
    page_size: int | None,
    cpus: int | None,
) -> list[ProtocolMemory]:
    """Compare the memory of each protocol that accounts for it with its limit.

    Args:
        sockstat: /proc/net/sockstat, preferred for TCP and UDP; None if it could not be read.
        protocols: /proc/net/protocols, or None.
        limits: sysctls that were read; tcp_mem, udp_mem, sctp_mem and mem_pcpu_rsv are used.
        page_size: bytes per page; None if unknown.
        cpus: number of online CPUs; None if unknown.

    Returns:
        TCP and UDP first, then the other accounts in the kernel's order. Unknown members are None.
    """
    rows = list(protocols or ())
    pages: dict[str, int | None] = {
        "TCP": sockstat.tcp_mem_pages if sockstat else None,
        "UDP": sockstat.udp_mem_pages if sockstat else None,
    }
    members: dict[str, list[Protocol]] = {"TCP": [], "UDP": []}
    for row in rows:
        account = next((name for name, names in _ACCOUNTS.items() if row.name in names), row.name)
        if row.memory_pages is None:
            continue
        members.setdefault(account, []).append(row)
        if pages.get(account) is None:
            pages[account] = row.memory_pages
    reserve = limits.number("net.core.mem_pcpu_rsv")
    uncertainty = None if reserve is None or cpus is None else reserve * cpus
    return [
        _account(name, pages[name], mine, limits, page_size)._replace(uncertainty_pages=uncertainty)
        for name, mine in members.items()
        if mine or pages[name] is not None
    ]


def _account(
    name: str, pages: int | None, members: list[Protocol], limits: Sysctls, page_size: int | None
) -> ProtocolMemory:
    sysctl = _LIMITS.get(name, "")
    vector = limits.vector(sysctl)
    low, pressure, high = vector if vector is not None and len(vector) == 3 else (None, None, None)
    limit = low if name in _REFUSED_FROM_FIRST else high
    note = ""
    if sysctl and limit is None:
        note = f"{sysctl}: {limits.missing.get(sysctl, 'not read')}"
    pressed = [row.pressure for row in members if row.pressure is not None]
    return ProtocolMemory(
        protocol=name,
        members=tuple(row.name for row in members),
        pages=pages,
        bytes=_bytes(pages, page_size),
        low_pages=low,
        pressure_pages=pressure,
        high_pages=high,
        limit_pages=limit,
        limit_bytes=_bytes(limit, page_size),
        ratio=None if pages is None or not limit else pages / limit,
        pressure=any(pressed) if pressed else None,
        limit_source=sysctl,
        note=note,
    )


def _bytes(pages: int | None, page_size: int | None) -> int | None:
    return None if pages is None or page_size is None else pages * page_size
