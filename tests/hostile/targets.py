"""What is fuzzed: every reader of bytes or texts that others choose. Each may raise its declared errors and nothing else."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sockdiag.analysis.inspect_target import parse_target
from sockdiag.analysis.port_target import parse_port
from sockdiag.check import entries
from sockdiag.errors import SockdiagError
from sockdiag.filter.context import FilterContext
from sockdiag.filter.quantity import parse_quantity
from sockdiag.filter.ss_filter import SsFilterError, parse_ss
from sockdiag.filter.where import compile_where
from sockdiag.model.alert_range import AlertRange
from sockdiag.model.batch import all_sockets
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.render import template
from sockdiag.render.escape import printable, printable_line
from sockdiag.sources.bundles import program_texts
from sockdiag.sources.bundles.netstat_text import parse_netstat
from sockdiag.sources.bundles.ss_text import parse_ss as parse_ss_text
from sockdiag.sources.capture.archive import read_archive, read_text_file
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.netlink import (
    inet_diag,
    netlink_diag,
    nfnetlink_nat,
    packet_diag,
    unix_diag,
    vsock_diag,
    xdp_diag,
)
from sockdiag.sources.netlink.inet_columns import Columns
from sockdiag.sources.proc import (
    inet,
    mib,
    mountinfo,
    net_addresses,
    net_dev,
    net_netlink,
    net_packet,
    net_protocols,
    net_route,
    net_sockstat,
    net_softnet_stat,
    net_stat_nf_conntrack,
    net_unix,
    sys_net,
)
from sockdiag.sources.process import cgroup, cgroup_memory, fdinfo, limits, passwd, stat
from sockdiag.sources.recordings.packing import Damaged
from sockdiag.sources.recordings.reader import RecordingReader
from sockdiag.sources.recordings.sample import StoredMoment
from sockdiag.sources.recordings.sample import decode as decode_moment
from sockdiag.sources.recordings.sample import encode as encode_moment
from sockdiag.sources.system.captured_root import parse_stats
from sockdiag.sources.system.rpcbind import parse_dump
from sockdiag.sources.system.transport import Request
from tests.recordings import BEGIN, BOOT, moment_of, record, small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIXTURE = Path(__file__).parents[1] / "fixtures" / "6.18-world"
CONTEXT = FilterContext(
    service=lambda _name, _protocol: None,
    hosts=lambda _name, _family: [],
    interface={"lo": 1}.get,
    interface_name={1: "lo"}.get,
    user_name=str,
    cgroup_id=lambda _path: 5,
)
_REQUEST = Request("inet_diag_tcp", b"")


class Target(NamedTuple):
    """One reader.

    Attributes:
        run: reads an input.
        seeds: inputs to begin with.
        errors: what it may raise.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    errors: tuple[type[Exception], ...] = (SockdiagError,)


def nothing(_index: int) -> None:
    """Know no interface."""


def files(*paths: str) -> Callable[[], Iterable[bytes]]:
    """Take files of the recorded system as seeds."""
    return lambda: [path.read_bytes() for name in paths for path in FIXTURE.glob(name) if path.is_file()]


def messages(*names: str) -> Callable[[], Iterable[bytes]]:
    """Take the netlink messages of recorded answers as seeds."""

    def found() -> list[bytes]:
        out = []
        for name in names:
            data = (FIXTURE / "netlink" / f"{name}.nl").read_bytes()
            while len(data) >= 16:
                (length,) = struct.unpack_from("=I", data)
                out.append(data[:length])
                data = data[(length + 3 & ~3) or len(data) :]
        return out[::5]

    return found


def texts(*lines: str) -> Callable[[], Iterable[bytes]]:
    """Take texts as seeds."""
    return lambda: [line.encode("utf-8", "surrogateescape") for line in lines]


def on_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Give a reader of command lines the text that Python makes of their bytes."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def in_file(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Give a reader of files a file in memory."""

    def run(data: bytes) -> None:
        fd = os.memfd_create("fuzz")
        try:
            os.write(fd, data)
            os.lseek(fd, 0, os.SEEK_SET)
            read(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)

    return run


def bulk_and_clear(data: bytes) -> None:
    """Cut columns out of messages in bulk, and compare with the clear decoder, message by message, in each table."""
    for table in sorted(inet_diag.TABLES):
        _bulk_and_clear(data, table)


def _bulk_and_clear(data: bytes, table: str) -> None:
    columns = Columns(table, _REQUEST, nothing)
    whole, clear = [], []
    at = 0
    while len(data) - at >= 16:
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16 or at + length > len(data):
            break
        if kind == 20:
            whole.append(data[at : at + length].ljust(length + 3 & ~3, b"\0"))
            with contextlib.suppress(SockdiagError):
                clear.append(inet_diag.decode(data[at : at + length], table, nothing))
        at += length + 3 & ~3
    if whole:
        columns.take(b"".join(whole))
    found = list(all_sockets(columns.rest()))
    assert sorted(map(repr, found)) == sorted(map(repr, clear)), "the columns differ from the clear decoder"


def escapes(data: bytes) -> None:
    """Nothing that a terminal obeys is left of a name."""
    shown = printable(data)
    assert shown.replace(" ", "").isprintable()
    assert printable_line(shown) == shown


def capture(data: bytes) -> None:
    """Read a whole command's worth from a folder of which one file is as given; its first line is the file's name."""
    name, _, body = data.partition(b"\n")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for given in ("meta.toml", "stat.tsv"):
            os.symlink(FIXTURE / given, f"{folder}/{given}")
        if name in (b"meta.toml", b"stat.tsv"):
            os.unlink(f"{folder}/{name.decode()}")
            Path(folder, name.decode()).write_bytes(body)
        system = captured_system(folder)
        for path in ("/proc/net/tcp", "/proc/self/mountinfo"):
            with contextlib.suppress(SockdiagError):
                system.files.read(path)


def sysctls(data: bytes) -> None:
    """Read a value as each kind of limit."""
    for sysctl in SYSCTLS.values():
        with contextlib.suppress(SockdiagError):
            sys_net.parse_sysctl(sysctl, data)


def filters_of_ss(data: bytes) -> None:
    """Compile a filter of ss, and its bytecode."""
    words = data.decode("latin-1").split("\0")
    parse_ss(words, CONTEXT).bytecode()


def state_file(data: bytes) -> None:
    """Read a state file: as it is, and as an entry whose checksum is right."""
    from binascii import crc32

    wrapped = entries.write_entries([]) + b"entry\t%d\t%d\n" % (len(data), crc32(data)) + data + b"\n"
    for whole in (data, wrapped):
        with contextlib.suppress(entries.NotOurs):
            for one in entries.read_entries(whole)[0]:
                with contextlib.suppress(ValueError):
                    one.decode()


def state_seeds() -> list[bytes]:
    """Write a state file with one entry, and the entry alone."""
    place = entries.BaselinePlace("boot", "1", "machine")
    whole = entries.write_entries(
        [entries.stored(entries.BaselineEntry("q", place, 1.0, 1.0, 1.0, entries.Earlier({"Tcp.X": 1})))]
    )
    return [whole, whole.split(b"\n", 2)[2]]


def archives() -> list[bytes]:
    """Pack a small part of the recorded system."""
    import io
    import tarfile

    out = []
    for mode in ("w", "w:gz", "w:xz"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for name in ("meta.toml", "proc/net/sockstat", "proc/self/ns"):
                tar.add(FIXTURE / name, f"capture/{name}")
        out.append(packed.getvalue())
    return out


def recording(data: bytes) -> None:
    """Read every moment of a recording that has one segment."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "00000001.seg").write_bytes(data)
        read = RecordingReader(folder)
        for moment in read.moments[:50]:
            with contextlib.suppress(SockdiagError):
                read.tree(moment)


def recordings() -> list[bytes]:
    """Record the recorded system, and a few small moments."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record(folder / "a", ((small(n), BEGIN + n, 100.0 + n, BOOT) for n in range(3)))
        part = StoredMoment(
            {key: body for key, body in moment_of(FIXTURE).parts.items() if key.startswith(b"F/netlink/inet_diag")}
        )
        record(folder / "b", ((moment, BEGIN + n, 100.0 + n, BOOT) for n, moment in enumerate((part, small(1)))))
        return [(folder / one / "00000001.seg").read_bytes() for one in "ab"]


TARGETS: dict[str, Target] = {
    "recording": Target(recording, recordings),
    "recorded moment": Target(
        lambda data: decode_moment(small(1), data), lambda: [encode_moment(small(1), small(2))], (Damaged,)
    ),
    "where": Target(
        on_text(lambda text: compile_where(text, CONTEXT)),
        texts(
            "netid = tcp and not state = time-wait",
            "recv_q > 4KiB or (process ~ 'a*' and dport = :22)",
            "tcp_info.rtt>=1ms",
        ),
    ),
    "ss filter": Target(
        filters_of_ss,
        texts(
            "( sport = :22 or dport = :80 )\0and\0dev = lo",
            "src 127/8 and not dst [::1]:80",
            "autobound",
            "fwmark = 1/2",
        ),
        (SsFilterError, SockdiagError),
    ),
    "template": Target(on_text(template.parse), texts("{{netid}} {{local}}\\n", "{{json .}}")),
    "bytes": Target(on_text(lambda text: parse_quantity(text, "bytes")), texts("4KiB", "1.5M", "0x10"), (ValueError,)),
    "time": Target(on_text(lambda text: parse_quantity(text, "s")), texts("10ms", "1.5s", "1m"), (ValueError,)),
    "alert range": Target(on_text(AlertRange), texts("10", "@10:20", "~:5", "1e3:"), (ValueError,)),
    "inspect target": Target(on_text(parse_target), texts("1/3", "inode:7", "cookie:1f", "[::1]:80", "@x", ":80")),
    "port": Target(
        on_text(lambda text: parse_port(text, lambda _name, _table: None, lambda _port: None)),
        texts("80", "tcp:22", "[::1]:80/udp", "10.0.0.1:443"),
    ),
    "escape": Target(escapes, texts("a\x1b[31m", "\u202e\u2028\x9b\\", "e\u0301")),
    "archive": Target(in_file(read_archive), archives),
    "text of ss": Target(
        lambda data: parse_ss_text(data, "ss.txt"),
        texts(
            "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
            'tcp ESTAB 5 7 [fe80::1]%eth0:22 [fe80::2]:40000 users:(("sshd",pid=7,fd=3)) timer:(on,1.250ms,3) uid:5 ino:99 sk:1f <->\n'
            "\t skmem:(r10,rb131072,t0,tb87040,f1,w2,o3,bl4,d5) ts sack cubic wscale:7,8 rto:204 rtt:0.25/0.125 cwnd:10 "
            "pacing_rate 9.5Mbps retrans:1/4 busy:12ms rwnd_limited:4ms(33.3%)\n"
            "u_str LISTEN 3 4 /run/my app.sock 12 * 0 <->\n",
            "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nUNCONN 0 0 *:53 *:*\n",
        ),
    ),
    "text of netstat": Target(
        lambda data: parse_netstat(data, "netstat.txt"),
        texts(
            "Proto Recv-Q Send-Q Local Address Foreign Address State User Inode PID/Program name Timer\n"
            "tcp6 0 0 :::80 :::* LISTEN 0 14 9/nginx off (0.00/0/0)\n"
            "udp 768 0 127.0.0.1:53 0.0.0.0:* 0 15 10/my dns on (1.25/3/0)\n"
            "Proto RefCnt Flags Type State I-Node PID/Program name Path\n"
            "unix  2      [ ACC ]     STREAM     LISTENING     21       10/my app            /run/my app.sock\n",
        ),
    ),
    "sysctl -a": Target(lambda data: list(program_texts.sysctl_files(data)), texts("net.core.somaxconn = 4096\n")),
    "nstat": Target(
        lambda data: list(program_texts.nstat_files(data)), texts("#kernel\nTcpExtListenOverflows 7 0.0\n")
    ),
    "ps": Target(
        lambda data: list(program_texts.ps_files(data)),
        texts("F S UID PID PPID WCHAN STARTED CMD\n4 T 33 7 1 do_wait Mon Nov 30 10:34:44 2026 /bin/app\n"),
    ),
    "uname -a": Target(lambda data: list(program_texts.uname_files(data)), texts("Linux web 6.1.0 #1 SMP\n")),
    "text or dump": Target(
        in_file(read_text_file),
        lambda: [b"tcp LISTEN 0 1 1.2.3.4:5 0.0.0.0:*\n", *messages("inet_diag_tcp")()],
        (SockdiagError, OSError),
    ),
    "capture": Target(capture, lambda: [b"meta.toml\n" + (FIXTURE / "meta.toml").read_bytes()]),
    "stat.tsv": Target(parse_stats, files("stat.tsv")),
    "state file": Target(state_file, state_seeds),
    "columns": Target(bulk_and_clear, lambda: [b"".join(messages("inet_diag_tcp")()), *messages("inet_diag_tcp")()]),
    "sysctls": Target(sysctls, texts("1", "4096\t131072\t6291456\n", "-1", "cubic")),
    "rpcbind": Target(
        lambda data: parse_dump(data, 1), lambda: [struct.pack(">7I", 1, 1, 0, 0, 0, 0, 0)], (ValueError, struct.error)
    ),
}

DECODERS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "unix_diag": (unix_diag.decode, "unix_diag"),
    "netlink_diag": (netlink_diag.decode, "netlink_diag"),
    "vsock_diag": (vsock_diag.decode, "vsock_diag"),
    "packet_diag": (lambda m: packet_diag.decode(m, nothing), "packet_diag"),
    "xdp_diag": (lambda m: xdp_diag.decode(m, nothing), "xdp_diag"),
    "inet_diag tcp": (lambda m: inet_diag.decode(m, "tcp", nothing), "inet_diag_tcp"),
    "inet_diag udp": (lambda m: inet_diag.decode(m, "udp", nothing), "inet_diag_udp"),
    "inet_diag sctp": (lambda m: inet_diag.decode(m, "sctp", nothing), "inet_diag_sctp"),
    "inet_diag mptcp": (lambda m: inet_diag.decode(m, "mptcp", nothing), "inet_diag_mptcp"),
    "nfnetlink_nat": (nfnetlink_nat.parse_rule, "inet_diag_tcp"),
}
PARSERS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "snmp": (mib.parse_snmp, "proc/net/snmp"),
    "netstat": (mib.parse_netstat, "proc/net/netstat"),
    "snmp6": (mib.parse_snmp6, "proc/net/snmp6"),
    "sockstat": (net_sockstat.parse_sockstat, "proc/net/sockstat"),
    "sockstat6": (net_sockstat.parse_sockstat6, "proc/net/sockstat6"),
    "protocols": (net_protocols.parse_protocols, "proc/net/protocols"),
    "used protocols": (net_protocols.parse_used, "proc/net/protocols"),
    "dev": (net_dev.parse_dev, "proc/net/dev"),
    "softnet_stat": (net_softnet_stat.parse_softnet_stat, "proc/net/softnet_stat"),
    "nf_conntrack": (net_stat_nf_conntrack.parse_nf_conntrack_stat, "proc/net/softnet_stat"),
    "unix": (net_unix.parse_unix, "proc/net/unix"),
    "netlink": (net_netlink.parse_netlink, "proc/net/netlink"),
    "packet": (lambda body: net_packet.parse_packet(body, nothing), "proc/net/packet"),
    "tcp": (inet.parse_tcp, "proc/net/tcp*"),
    "udp": (inet.parse_udp, "proc/net/udp*"),
    "raw": (inet.parse_raw, "proc/net/raw*"),
    "fib_trie": (net_addresses.parse_fib_trie, "proc/net/route"),
    "if_inet6": (net_addresses.parse_if_inet6, "proc/net/if_inet6"),
    "route": (net_route.parse_route, "proc/net/dev"),
    "ipv6_route": (net_route.parse_route6, "proc/net/if_inet6"),
    "mountinfo": (mountinfo.parse_mountinfo, "proc/self/mountinfo"),
    "process stat": (stat.parse_stat, "proc/*/stat"),
    "process limits": (lambda body: limits.parse_open_files(body, "x"), "proc/*/limits"),
    "process cgroup": (cgroup.parse_cgroup, "proc/*/cgroup"),
    "fdinfo": (lambda body: fdinfo.parse_fdinfo(body, "x"), "proc/*/status"),
    "passwd": (passwd.parse_passwd, "etc/passwd"),
    "cgroup limit": (lambda body: cgroup_memory.parse_limit(body, "x"), "proc/*/comm"),
    "cgroup flat": (cgroup_memory.parse_flat, "proc/net/sockstat"),
}


def _add(name: str, run: Callable[[bytes], Any], seeds: Callable[[], Iterable[bytes]]) -> None:
    TARGETS[name] = Target(run, seeds)


for _name, (_decode, _dump) in DECODERS.items():
    _add(_name, _decode, messages(_dump))
for _name, (_parse, _path) in PARSERS.items():
    _add(f"/proc {_name}", _parse, files(_path))
