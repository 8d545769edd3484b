"""Effects of sysctls that need no arithmetic: one sentence with the value in it, or one sentence per setting."""

from __future__ import annotations

from sockdiag.analysis.limits.effects import EFFECTS, Known
from sockdiag.analysis.limits.times import TIMES
from sockdiag.model.quantity import size
from sockdiag.model.record import BYTES, COUNT, HOST, US
from sockdiag.model.sysctl import PACKETS, PORT_LIST, PORTS, Limit, Sysctls, port_ranges
from sockdiag.model.sysctl_table import SYSCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sockdiag.analysis.limits.effects import Effect
    from sockdiag.model.provenance import Gap
    from sockdiag.model.sysctl import Sysctl, Value


_NEIGHBOURS = (COUNT, "Beyond {v} neighbours on the whole host, packets to a new one are not sent.")
_UNRESOLVED = (
    BYTES,
    "While a neighbour's address is being resolved, {size} to it wait; then the oldest are dropped.",
)

# The effect is the value itself.
AS_IT_IS: Mapping[str, tuple[str, str]] = {
    "net.core.rmem_default": (
        BYTES,
        "A new UDP, raw, netlink or packet socket has {size} of receive buffer, the kernel's overhead included.",
    ),
    "net.core.wmem_default": (
        BYTES,
        "A new UDP, raw, unix, netlink or packet socket may have {size} in flight, overhead included.",
    ),
    "net.core.optmem_max": (
        BYTES,
        (
            "Options, filters and ancillary data of one socket may take {size}; then setsockopt(2) fails with ENOMEM "
            "or ENOBUFS, sendmsg(2) with ENOBUFS."
        ),
    ),
    "net.core.netdev_max_backlog": (
        PACKETS,
        "Beyond {v} packets in a CPU's input queue, new ones are dropped and counted in softnet_stat.",
    ),
    "net.core.netdev_budget": (
        PACKETS,
        "A CPU ends a round of receiving after {v} packets; if more wait, softnet_stat counts a time_squeeze.",
    ),
    "net.core.netdev_budget_usecs": (
        US,
        "A CPU ends a round of receiving after {v} microseconds; if more wait, softnet_stat counts a time_squeeze.",
    ),
    "net.core.dev_weight": (PACKETS, "A queue delivers at most {v} packets before the next queue has its turn."),
    "net.core.skb_defer_max": (PACKETS, "Up to {v} packets that other CPUs have read wait for a CPU to free them."),
    "net.core.max_skb_frags": (COUNT, "A packet has at most {v} fragments of memory besides its head."),
    "net.ipv4.udp_rmem_min": (
        BYTES,
        "A UDP socket that holds less than {size} receives even beyond udp_mem's first number.",
    ),
    "net.ipv4.tcp_limit_output_bytes": (
        BYTES,
        "One TCP socket keeps at most about {size} in queueing discipline and device.",
    ),
    "net.ipv4.tcp_max_orphans": (
        COUNT,
        "Beyond {v} closed sockets on the whole host that still have data to send, another one is reset instead.",
    ),
    "net.ipv4.tcp_max_tw_buckets": (
        COUNT,
        "Beyond {v} sockets in TIME_WAIT, a closing one skips that state (TcpExt.TCPTimeWaitOverflow).",
    ),
    "net.ipv4.tcp_syn_linear_timeouts": (
        COUNT,
        "The first {v} retransmitted SYNs are one second apart, in addition to those of tcp_syn_retries.",
    ),
    "net.ipv4.tcp_keepalive_probes": (
        COUNT,
        "A connection is given up after {v} keep-alive probes without an answer.",
    ),
    "net.ipv4.ip_unprivileged_port_start": (PORTS, "Binding to a port below {v} needs CAP_NET_BIND_SERVICE."),
    "net.ipv4.igmp_max_memberships": (
        COUNT,
        "A socket may be in {v} IPv4 multicast groups; joining one more fails with ENOBUFS.",
    ),
    "net.ipv4.ipfrag_high_thresh": (
        BYTES,
        "Incomplete IPv4 datagrams of this namespace may take {size}; then fragments are dropped (Ip.ReasmFails).",
    ),
    "net.ipv4.neigh.default.gc_thresh3": _NEIGHBOURS,
    "net.ipv4.neigh.default.unres_qlen_bytes": _UNRESOLVED,
    "net.ipv6.ip6frag_high_thresh": (
        BYTES,
        "Incomplete IPv6 datagrams of this namespace may take {size}; then fragments are dropped (Ip6.ReasmFails).",
    ),
    "net.ipv6.neigh.default.gc_thresh3": _NEIGHBOURS,
    "net.ipv6.neigh.default.unres_qlen_bytes": _UNRESOLVED,
    "net.netfilter.nf_conntrack_buckets": (COUNT, "All namespaces share a hash of {v} buckets."),
    "net.netfilter.nf_conntrack_expect_max": (
        COUNT,
        "Helpers (FTP, SIP) may expect at most {v} connections.",
    ),
    "fs.file-max": (
        COUNT,
        "Beyond {v} open files on the host, socket(2) and accept(2) fail with ENFILE, except for root.",
    ),
    "fs.nr_open": (COUNT, "A process's limit of open files (RLIMIT_NOFILE) cannot be set above {v}."),
}

# One sentence per setting; the last one is for all other values.
BY_SETTING: Mapping[str, tuple[str, ...]] = {
    "net.core.rps_sock_flow_entries": ("RFS is off.", "RFS remembers the CPU of this many flows."),
    "net.core.busy_poll": ("poll(2) sleeps at once.", "poll(2) spins on the device for that time before it sleeps."),
    "net.core.busy_read": ("read(2) sleeps at once.", "read(2) spins on the device for that time before it sleeps."),
    "net.ipv4.tcp_window_scaling": (
        "A connection never has more than 65535 bytes in flight in each direction.",
        "Windows may be larger than 65535 bytes.",
    ),
    "net.ipv4.tcp_shrink_window": (
        "An advertised window is never withdrawn, even if the receive buffer is exceeded.",
        "An advertised window is withdrawn rather than exceed the receive buffer.",
    ),
    "net.ipv4.tcp_syncookies": (
        "A SYN that finds the SYN queue full is dropped.",
        "A SYN that finds the SYN queue full is answered with a cookie and takes no place.",
        "Every SYN is answered with a cookie: the SYN queue stays empty.",
    ),
    "net.ipv4.tcp_abort_on_overflow": (
        "A client whose handshake ends at a full accept queue believes it is connected, and retransmits.",
        "A client whose handshake ends at a full accept queue is reset.",
    ),
}

# First version in which it has no effect.
WITHOUT_EFFECT: Mapping[str, tuple[int, int]] = {
    "net.ipv4.ipfrag_low_thresh": (4, 17),
    "net.ipv6.ip6frag_low_thresh": (4, 17),
    "net.ipv6.route.max_size": (6, 3),
}


def limits(
    sysctls: Sysctls, page_size: int | None, kernel: tuple[int, int] | None = None, netns: str | None = None
) -> list[Limit]:
    """Build one row per sysctl that was asked for, in the order of the declarations.

    Args:
        sysctls: the sysctls that were read.
        page_size: bytes per page; None if unknown, in which case amounts stay in pages.
        kernel: major and minor version, for defaults and effects that changed; None if unknown.
        netns: the network namespace that they were read in.

    Returns:
        The rows; a row with an unknown value has the reason.
    """
    known = Known(sysctls, page_size, kernel)
    asked = (s for s in SYSCTLS.values() if s.name in sysctls or s.name in sysctls.missing)
    return [_row(sysctl, known, netns) for sysctl in asked]


def limits_everywhere(
    parts: Sequence[tuple[str | None, Sysctls]], page_size: int | None, kernel: tuple[int, int] | None = None
) -> tuple[list[Limit], list[Gap]]:
    """Build the rows of several namespaces, sysctl by sysctl: once for one of the host, otherwise once per namespace.

    Args:
        parts: label of each namespace and the sysctls that were read in it, the same names in each.
        page_size: see :func:`limits`.
        kernel: see :func:`limits`.

    Returns:
        The rows, and the sysctls that should be visible but are not visible in any namespace.
    """
    host: dict[str, Value] = {}
    for _label, sysctls in parts:
        for name, value in sysctls.values.items():
            if SYSCTLS[name].scope == HOST:
                host.setdefault(name, value)
    found: dict[str, list[Limit]] = {}
    gaps: list[Gap] = []
    for label, sysctls in parts:
        # One namespace may show a sysctl of the host that another does not.
        missing = {name: why for name, why in sysctls.missing.items() if name not in host}
        hidden = [name for name in sysctls.hidden if name not in host]
        whole = Sysctls({**sysctls.values, **host}, missing, hidden, sysctls.errors)
        gaps += whole.gaps()
        for row in limits(whole, page_size, kernel, label):
            rows = found.setdefault(row.name, [])
            if row.netns is not None or not rows:
                rows.append(row)
    return [row for rows in found.values() for row in rows], list(dict.fromkeys(gaps))


def _row(sysctl: Sysctl, known: Known, netns: str | None) -> Limit:
    value = known.sysctls.get(sysctl.name)
    default = sysctl.default_in(known.kernel)
    effective, unit, note = _effect(sysctl, known)
    if sysctl.numbers == PORT_LIST:
        value, default = _as_text(value), _as_text(default)
    return Limit(
        sysctl.name,
        _exact(value),
        sysctl.unit,
        _exact(default),
        _exact(effective),
        unit if effective is not None else "",
        note,
        sysctl.scope,
        sysctl.path,
        netns if sysctl.scope != HOST else None,
    )


def _exact(value: Any) -> Any:
    # Programs that read JSON numbers as doubles would round these: fs.file-max is 2**63 - 1 on many hosts.
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return str(value) if isinstance(value, int) and value > 1 << 53 else value


def _effect(sysctl: Sysctl, known: Known) -> Effect:
    name = sysctl.name
    value = known.sysctls.get(name)
    if value is None:
        return None, "", f"{sysctl.help} Unknown: {known.sysctls.missing[name]}."
    if name in EFFECTS:
        return EFFECTS[name](known, value)
    if name in TIMES and isinstance(value, int):
        return TIMES[name](known, value)
    since = WITHOUT_EFFECT.get(name)
    if since is not None and (known.kernel is None or known.kernel >= since):
        return None, "", f"No effect since Linux {since[0]}.{since[1]}."
    if name in AS_IT_IS and isinstance(value, int):
        unit, sentence = AS_IT_IS[name]
        return value, unit, sentence.format(v=value, size=size(value))
    if name in BY_SETTING and isinstance(value, int):
        sentences = BY_SETTING[name]
        return None, "", sentences[min(max(value, 0), len(sentences) - 1)]
    return None, "", sysctl.help


def _as_text(value: Value | None) -> Value | None:
    # A list of ports as the kernel prints it: "8080,9000-9100".
    if not isinstance(value, tuple):
        return value
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in port_ranges(value))
