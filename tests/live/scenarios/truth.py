"""The truth about a condition: counters of the kernel, drops of its sockets and what its applications count.

Runs in the process of the namespace, and reads without any code of the program under test.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tests.live.scenarios.load import BLAMED, COUNTS, KEPT, PROGRAMS, meminfo

# Counters that grow only when the kernel loses or refuses something. Of the others (resets, failed attempts, ports that
# nobody listens at), some are part of every healthy host; a condition that is about them names them.
LOSSES = frozenset(
    f"{table}.{name}"
    for table, names in {
        "Ip": "InHdrErrors InAddrErrors InUnknownProtos InDiscards OutDiscards OutNoRoutes ReasmFails FragFails",
        "Udp": "InErrors RcvbufErrors SndbufErrors InCsumErrors MemErrors",
        "Tcp": "InErrs InCsumErrors",
        "TcpExt": "ListenOverflows ListenDrops TCPReqQFullDrop TCPBacklogDrop TCPRcvQDrop RcvPruned TCPOFODrop OfoPruned"
        " TCPAbortOnMemory TCPMinTTLDrop TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPZeroWindowDrop"
        " PFMemallocDrop IPReversePathFilter TCPWqueueTooBig LockDroppedIcmps TCPFastOpenListenOverflow",
        "IpExt": "InNoRoutes InTruncatedPkts InCsumErrors",
        "Ip6": "InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InDiscards OutDiscards OutNoRoutes ReasmFails FragFails",
        "Udp6": "InErrors RcvbufErrors SndbufErrors InCsumErrors MemErrors",
    }.items()
    for name in names.split()
)
_DEVICE = {"rx_errs": 2, "rx_drop": 3, "rx_fifo": 4, "tx_errs": 10, "tx_drop": 11}


def losses(grown: dict[str, int]) -> dict[str, int]:
    """Return what of the counters that have grown is loss whatever the condition is."""
    return {
        name: value
        for name, value in grown.items()
        if name in LOSSES or name.partition(".")[0] in ("drops", "dev", "qdisc", "conntrack", "app_lost")
    }


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what has grown, and by how much; sockets that are gone do not count."""
    return {name: value - before.get(name, 0) for name, value in after.items() if value > before.get(name, 0)}


def read() -> dict[str, int]:
    """Read everything that may show a loss."""
    found: dict[str, int] = {f"app.{name}": value for name, value in COUNTS.items() if not name.startswith("lost")}
    found |= {f"app_lost.{name}": value for name, value in COUNTS.items() if name.startswith("lost")}
    for table in ("snmp", "netstat"):
        lines = _net(table)
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            prefix, _, keys = names.partition(":")
            for name, value in zip(keys.split(), values.partition(":")[2].split(), strict=True):
                found[f"{prefix}.{name}"] = int(value)
    for line in _net("snmp6"):
        name, value = line.split()
        for prefix in ("Ip6", "Udp6", "Icmp6", "UdpLite6"):
            if name.startswith(prefix):
                found[f"{prefix}.{name[len(prefix) :]}"] = int(value)
    # By socket: a socket that goes takes its drops with it.
    for table in ("udp", "udp6", "raw", "raw6", "netlink"):
        for line in _net(table)[1:]:
            words = line.split()
            drops, key = (words[-2], words[0]) if table == "netlink" else (words[-1], f"{words[1]}.{words[-4]}")
            found[f"drops.{table}.{key}"] = int(drops)
    for line in _net("dev")[2:]:
        device, _, rest = line.partition(":")
        for name, column in _DEVICE.items():
            found[f"dev.{device.strip()}.{name}"] = int(rest.split()[column])
    for name in ("drop", "early_drop", "insert_failed"):
        found[f"conntrack.{name}"] = _conntrack(name)
    if "tc" in PROGRAMS:
        text = subprocess.run(["tc", "-s", "qdisc"], check=True, capture_output=True, text=True).stdout
        found["qdisc.dropped"] = sum(
            int(part.split()[1].rstrip(",")) for part in text.split("(")[1:] if part.startswith("dropped")
        )
    for sock in KEPT:
        # Listeners and packet sockets show their drops to themselves, and to netlink.
        if isinstance(sock, socket.socket) and sock.fileno() >= 0 and _counts_drops(sock):
            found[f"drops.own.{sock.fileno()}"] = meminfo(sock)[8]
    return found


def _counts_drops(sock: socket.socket) -> bool:
    if sock.family == socket.AF_PACKET:
        return True
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return False
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def blamed() -> list[tuple[int, str]]:
    """Return the processes that are to be named."""
    return list(BLAMED)


def _net(table: str) -> list[str]:
    return Path(f"/proc/thread-self/net/{table}").read_text().splitlines()


def _conntrack(name: str) -> int:
    path = Path("/proc/thread-self/net/stat/nf_conntrack")
    if not path.exists():
        return 0
    names, *rows = (line.split() for line in path.read_text().splitlines())
    return sum(int(row[names.index(name)], 16) for row in rows)
