"""What conditions are made of. Runs in the namespace's process, which holds the sockets until it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: list[Any] = []
# What applications count themselves; names that begin with "lost" are losses.
COUNTS: Counter[str] = Counter()
# What command() has run.
PROGRAMS: set[str] = set()
# Processes that a finding must name: pid and comm.
BLAMED: list[tuple[int, str]] = []
_stop = threading.Event()
ATTACH_FILTER = 26
_AF_INET, _AF_INET6 = socket.AF_INET, socket.AF_INET6
LOOPBACK = {_AF_INET: "127.0.0.1", _AF_INET6: "::1"}

# Losses by file, key and column: what the kernel itself counts, read without the program under test.
_SNMP = {
    "Udp": ("RcvbufErrors", "InErrors", "SndbufErrors", "NoPorts"),
    "Ip": (
        "ReasmFails",
        "InDiscards",
        "OutDiscards",
        "OutNoRoutes",
        "InHdrErrors",
        "InAddrErrors",
        "InUnknownProtos",
        "FragFails",
    ),
    "Tcp": ("InCsumErrors", "AttemptFails"),
}
_NETSTAT = (
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPBacklogDrop",
    "TCPRcvQDrop",
    "RcvPruned",
    "TCPOFODrop",
    "OfoPruned",
    "TCPAbortOnMemory",
    "IPReversePathFilter",
    "TCPMinTTLDrop",
    "TCPMD5NotFound",
    "BeyondWindow",
    "OutOfWindowIcmps",
    "SyncookiesFailed",
    "TCPAbortOnTimeout",
    "TCPAbortOnClose",
)
# Events that happen on any host: how many there must be while a condition is looked at. Fewer are not lost.
LEAST = {
    **dict.fromkeys(("Udp.NoPorts", "Ip.InAddrErrors", "Ip.OutNoRoutes", "Tcp.AttemptFails"), 30),
    **dict.fromkeys(("refused here", "IPv6 without a route", "neighbour", "nftables"), 20),
    "TcpExt.BeyondWindow": 60,
    **dict.fromkeys(("TcpExt.OutOfWindowIcmps", "TcpExt.SyncookiesFailed", "TcpExt.TCPAbortOnTimeout"), 5),
    # More than a load generator that ends.
    "TcpExt.TCPAbortOnClose": 110,
}
_DEV_LOSSES = {"rx_errs": 2, "rx_drop": 3, "rx_fifo": 4, "rx_frame": 5, "tx_errs": 10, "tx_drop": 11}


def keep(sock: socket.socket) -> socket.socket:
    """Hold a socket until the namespace ends."""
    KEPT.append(sock)
    return sock


def forever(step: Callable[[], Any], pause: float = 0.002) -> None:
    """Call *step* again and again in a thread, until stop()."""

    def loop() -> None:
        while not _stop.is_set():
            with contextlib.suppress(OSError):
                step()
            time.sleep(pause)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()


_children: list[subprocess.Popen[bytes]] = []
_folders: list[str] = []


def folder() -> Path:
    """Make a folder that lasts as long as the namespace, and that every user may enter."""
    path = tempfile.mkdtemp(prefix="sockdiag-scenario-")
    Path(path).chmod(0o777)
    _folders.append(path)
    return Path(path)


def spawn(*words: object, user: str = "", env: dict[str, str] | None = None, nice: int = 0) -> subprocess.Popen[bytes]:
    """Start a program, as another user if one is named; it ends with the namespace."""
    account = pwd.getpwnam(user) if user else None
    child = subprocess.Popen(
        [*(("nice", "-n", str(nice)) if nice else ()), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        env={**os.environ, **(env or {})},
        cwd="/",
    )
    _children.append(child)
    return child


def fork(work: Callable[[], None], *mine: socket.socket) -> int:
    """Run *work* in a child process, which is this one once more and ends with the namespace; return its pid.

    Of the sockets it has *mine* alone, if any are named.
    """
    pid = os.fork()
    if pid == 0:
        try:
            for thing in KEPT if mine else ():
                if isinstance(thing, socket.socket) and thing not in mine:
                    thing.close()
            _children.clear()
            _folders.clear()
            work()
            while True:
                time.sleep(60)
        finally:
            os._exit(0)
    _forked.append(pid)
    return pid


_forked: list[int] = []


def stopped(pid: int) -> None:
    """Stop a process, and wait until it is."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T")


def state(pid: int) -> str:
    """Return the letter of a process's state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def comm(pid: int) -> str:
    """Return the name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().rstrip()


def blame(pid: int) -> None:
    """Note a process that a finding must name."""
    BLAMED.append((pid, comm(pid)))


def until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something holds; an OSError is the same as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.02)


def listening(port: int, family: int = _AF_INET) -> None:
    """Wait until somebody listens at a TCP port of this host; nothing connects to it for that."""
    table = Path(f"/proc/thread-self/net/tcp{'6' if family == _AF_INET6 else ''}")

    def found() -> bool:
        rows = (line.split() for line in table.read_text().splitlines()[1:])
        return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)

    until(found)


@atexit.register
def _close() -> None:
    _stop.set()
    for pid in [*_forked, *(child.pid for child in _children)]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if _children:
        # What they have started themselves, as the workers of nginx, which outlive their master.
        here = os.stat("/proc/self/ns/net").st_ino
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and int(name) != os.getpid() and os.stat(f"/proc/{name}/ns/net").st_ino == here:
                    os.kill(int(name), signal.SIGKILL)
    for child in _children:
        child.wait()
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)
    for thing in KEPT:
        if isinstance(thing, socket.socket):
            thing.close()


def stop() -> None:
    """End what forever() began."""
    _stop.set()
    time.sleep(0.05)
    _stop.clear()


def command(text: str) -> None:
    """Run a program; it must succeed."""
    PROGRAMS.add(text.split(maxsplit=1)[0])
    subprocess.run(text.split(), check=True, capture_output=True)


def sysctl(name: str, value: object) -> None:
    """Write a sysctl of this namespace."""
    Path("/proc/sys", *name.split(".")).write_text(f"{value}\n")


def nowhere() -> str:
    """Make a device into which packets vanish; return an address that nobody answers for."""
    command("ip link add void0 type veth peer name void1")
    for device in ("void0", "void1"):
        sysctl(f"net.ipv6.conf.{device}.disable_ipv6", 1)
        command(f"ip link set {device} arp off up")
    command("ip addr add 10.9.0.1/24 dev void0")
    return "10.9.0.2"


def udp(
    family: int = _AF_INET, size: int | None = None, address: str | None = None
) -> tuple[socket.socket, socket.socket]:
    """Make a bound socket with a receive buffer of *size*, and one connected to it."""
    receiver = keep(socket.socket(family, socket.SOCK_DGRAM))
    if size is not None:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size // 2)
    receiver.bind((LOOPBACK[family] if address is None else address, 0))
    sender = keep(socket.socket(family, socket.SOCK_DGRAM))
    sender.connect((LOOPBACK[family], receiver.getsockname()[1]))
    return receiver, sender


def meminfo(sock: socket.socket) -> tuple[int, ...]:
    """Return SO_MEMINFO."""
    return struct.unpack("=9I", sock.getsockopt(socket.SOL_SOCKET, 55, 36))


def fill_to(receiver: socket.socket, sender: socket.socket, share: float, payload: int = 500) -> None:
    """Send until the receive buffer holds *share* of its limit, or has no room for one more."""
    grown = 0
    while True:
        held, limit = meminfo(receiver)[:2]
        if held >= share * limit or held + grown > limit:
            return
        sender.send(b"x" * payload)
        grown = max(grown, meminfo(receiver)[0] - held)


def listener(backlog: int, family: int = _AF_INET, address: str | None = None) -> socket.socket:
    """Make a listener."""
    sock = keep(socket.socket(family, socket.SOCK_STREAM))
    sock.bind((LOOPBACK[family] if address is None else address, 0))
    sock.listen(backlog)
    return sock


def client(server: socket.socket, *, wait: bool = True) -> socket.socket:
    """Connect to a listener."""
    sock = keep(socket.socket(server.family, socket.SOCK_STREAM))
    sock.setblocking(wait)
    sock.connect_ex((LOOPBACK[server.family], server.getsockname()[1]))
    return sock


def pair(server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Connect and accept: client and server side."""
    one = client(server)
    return one, keep(server.accept()[0])


# A reader that pauses for less than this is slow, or works in batches.
SILENCE_S = 6.1


def fill_stream(sock: socket.socket) -> None:
    """Send until nothing more is taken for a moment."""
    sock.setblocking(False)
    quiet = 0
    while quiet < 3:
        try:
            sock.send(b"x" * 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)


def reject_all(sock: socket.socket) -> None:
    """Attach a filter that lets nothing pass."""
    attach_filter(sock, 0)


def attach_filter(sock: socket.socket, length: int) -> None:
    """Attach a filter that lets so many bytes of each packet pass; none is to reject it."""
    import ctypes

    code = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, length))
    program = struct.pack("HL", 1, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)
    KEPT.append(code)


def losses() -> dict[str, int]:
    """Read the kernel's own counters of loss, and the drops of the sockets that there are."""
    found: dict[str, int] = {}
    _mib("snmp", lambda prefix, name: name in _SNMP.get(prefix, ()), found)
    _mib("netstat", lambda prefix, name: prefix == "TcpExt" and name in _NETSTAT, found)
    _mib("netstat", lambda prefix, name: (prefix, name) == ("IpExt", "InTruncatedPkts"), found)
    found |= _derived()
    for line in Path("/proc/thread-self/net/snmp6").read_text().splitlines():
        name, value = line.split()
        if name in (
            "Udp6RcvbufErrors",
            "Udp6InErrors",
            "Ip6ReasmFails",
            "Ip6InDiscards",
            "Ip6OutDiscards",
            "Udp6NoPorts",
        ):
            found[name] = int(value)
    for table in ("udp", "udp6", "raw", "netlink"):
        rows = Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:]
        found[table] = sum(int(row.split()[-2 if table == "netlink" else -1]) for row in rows)
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]:
        device, _, rest = line.partition(":")
        for name, column in _DEV_LOSSES.items():
            found[f"{device.strip()}.{name}"] = int(rest.split()[column])
    tracked = Path("/proc/thread-self/net/stat/nf_conntrack")
    if tracked.exists():
        names, *rows = (line.split() for line in tracked.read_text().splitlines())
        found["conntrack"] = sum(int(row[names.index("drop")], 16) for row in rows)
    text = subprocess.run(["tc", "-s", "qdisc"], check=True, capture_output=True, text=True).stdout
    found["qdisc"] = sum(int(part.split()[1].rstrip(",")) for part in text.split("(")[1:] if part.startswith("dropped"))
    for sock in KEPT:
        # Packet sockets show their drops to themselves, and to netlink.
        if isinstance(sock, socket.socket) and sock.family == socket.AF_PACKET and sock.fileno() >= 0:
            found[f"packet {sock.fileno()}"] = meminfo(sock)[8]
    return found


def _derived() -> dict[str, int]:
    """Work out what no single counter holds."""
    every: dict[str, int] = {}
    _mib("snmp", lambda _prefix, _name: True, every)
    _mib("netstat", lambda _prefix, _name: True, every)
    six = dict(line.split() for line in Path("/proc/thread-self/net/snmp6").read_text().splitlines())
    found = {}
    # Resets that neither a process of this namespace caused nor got, and that answer no end of a connection of which
    # TIME-WAIT had no room to remember anything.
    ended = ("TcpExt.TCPAbortOnClose", "TcpExt.TCPAbortOnData", "Tcp.EstabResets", "Tcp.AttemptFails")
    ended += ("TcpExt.TCPTimeWaitOverflow",)
    found["refused here"] = max(0, every["Tcp.OutRsts"] - sum(every[name] for name in ended))
    # Programs that try IPv6 first use IPv4 afterwards.
    instead = every["Tcp.ActiveOpens"] + every["Udp.OutDatagrams"]
    found["IPv6 without a route"] = max(0, int(six["Ip6OutNoRoutes"]) - 4 * instead)
    neighbours = subprocess.run(["ip", "neigh"], check=True, capture_output=True, text=True).stdout
    rows = [line.partition(":")[2].split() for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]]
    handed = every.get("Ip.OutTransmits", 0) + int(six.get("Ip6OutTransmits", 0)) - sum(int(row[9]) for row in rows)
    found["neighbour"] = handed if "INCOMPLETE" in neighbours or "FAILED" in neighbours else 0
    ipsec = Path("/proc/thread-self/net/xfrm_stat")
    if ipsec.exists():
        found["IPsec"] = sum(int(line.split()[1]) for line in ipsec.read_text().splitlines())
    if shutil.which("nft"):
        rules = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
        found["nftables"] = sum(int(n) for n in re.findall(r"counter packets (\d+) bytes \d+ drop", rules))
    return found


def lost(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what was lost between two readings, without what happens on any host."""
    changes = {name: n - before.get(name, 0) for name, n in after.items()}
    # What falls is the sum over sockets of which one closed, or a difference of two counters.
    return {name: n for name, n in changes.items() if n >= LEAST.get(name, 1)}


def sent_again() -> tuple[int, int]:
    """Read how many TCP segments were sent again, and how many with data were sent for the first time."""
    found: dict[str, int] = {}
    _mib("snmp", lambda prefix, name: (prefix, name) == ("Tcp", "RetransSegs"), found)
    _mib("netstat", lambda prefix, name: (prefix, name) == ("TcpExt", "TCPOrigDataSent"), found)
    return found["Tcp.RetransSegs"], found["TcpExt.TCPOrigDataSent"]


def _mib(table: str, wanted: Callable[[str, str], bool], found: dict[str, int]) -> None:
    lines = Path(f"/proc/thread-self/net/{table}").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        prefix, _, _rest = names.partition(":")
        for name, value in zip(names.split()[1:], values.split()[1:], strict=True):
            if wanted(prefix, name):
                found[f"{prefix}.{name}"] = int(value)


def pid() -> int:
    """Return this process."""
    return os.getpid()
