"""Text of other programs in the form of the files that they read: sysctl, nstat, ps, uname.

Each function returns paths and contents as a copied /proc tree has them; a line that is not understood is left out.
"""

from __future__ import annotations

import re

from sockdiag.kernel.task_states import TASK_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Files = Iterator[tuple[str, bytes]]

_SYSCTL = re.compile(rb"([a-zA-Z0-9_./@:+-]{1,256}) = ([^\n]{0,4096})")
_COUNTER = re.compile(rb"([A-Za-z0-9]{1,64})\s+(\d{1,20})(?:\s+[\d.]{1,20})?\s*")
_PID = re.compile(rb"\d{1,10}")
# A name may have blanks, brackets and line ends in it; those with line ends are left out.
_STAT = re.compile(rb"(\d{1,10}) \([^\n]{0,64}\) [A-Za-z] \d{1,10} [^()\n]{1,4096}")
# Prefix of nstat's names: their line in snmp or netstat. Names that begin otherwise are of snmp6.
_MIBS = {
    b"IcmpMsg": "snmp",
    b"UdpLite": "snmp",
    b"TcpExt": "netstat",
    b"IpExt": "netstat",
    b"MPTcpExt": "netstat",
    b"Icmp": "snmp",
    b"Tcp": "snmp",
    b"Udp": "snmp",
    b"Ip": "snmp",
}
_SIX = (b"Ip6", b"Icmp6", b"Udp6", b"UdpLite6")


def sysctl_files(body: bytes) -> Files:
    """Yield the files of /proc/sys that ``sysctl -a`` lists."""
    for line in body.split(b"\n"):
        match = _SYSCTL.fullmatch(line.rstrip(b"\r"))
        if match is None:
            continue
        # A dot in a name (of a VLAN) is printed as a slash, and the other way about.
        parts = [part.replace("/", ".") for part in match[1].decode("ascii").split(".")]
        if all(part not in ("", "..", ".") for part in parts):
            yield "/proc/sys/" + "/".join(parts), match[2] + b"\n"


def nstat_files(body: bytes) -> Files:
    """Yield snmp, netstat and snmp6 of what ``nstat -a`` (with -s and -z) lists; counters that are 0 may be left out of it."""
    mibs: dict[tuple[str, bytes], list[tuple[bytes, bytes]]] = {}
    six: list[bytes] = []
    if not is_nstat(body[:256]):
        return
    for line in body.split(b"\n"):
        match = _COUNTER.fullmatch(line)
        if match is None:
            continue
        name, value = match[1], match[2]
        if name.startswith(_SIX):
            six.append(b"%-32s\t%s\n" % (name, value))
            continue
        prefix = next((p for p in _MIBS if name.startswith(p) and name != p), None)
        if prefix is not None:
            mibs.setdefault((_MIBS[prefix], prefix), []).append((name[len(prefix) :], value))
    for file in ("snmp", "netstat"):
        lines = [
            b"%s: %s\n%s: %s\n" % (prefix, b" ".join(n for n, _v in found), prefix, b" ".join(v for _n, v in found))
            for (where, prefix), found in mibs.items()
            if where == file
        ]
        if lines:
            yield f"/proc/net/{file}", b"".join(lines)
    if six:
        yield "/proc/net/snmp6", b"".join(six)


def is_nstat(head: bytes) -> bool:
    """Return whether a text begins as one that nstat printed."""
    return head.startswith(b"#kernel")


def ps_files(body: bytes) -> Files:
    """Yield comm, stat, status and cgroup of the processes that a ``ps`` with named columns lists."""
    heading, _newline, rows = body.partition(b"\n")
    names = heading.split()
    if b"PID" not in names:
        return
    at = {name: place for place, name in enumerate(names)}
    states = frozenset(letter.encode() for letter in TASK_STATES)
    dated = b"STARTED" in at  # lstart takes five words
    for row in rows.split(b"\n"):
        cells = row.split()
        if len(cells) < len(names):
            continue
        pid = cells[at[b"PID"]]
        if _PID.fullmatch(pid) is None:
            continue
        folder = f"/proc/{int(pid)}"
        comm = cells[at[b"COMMAND"]] if b"COMMAND" in at and b"CGROUP" in at else None
        if comm is not None and names[-1] == b"CGROUP" and at[b"COMMAND"] == len(names) - 2:
            # A name may have blanks: the cgroup is the last word.
            comm = b" ".join(cells[at[b"COMMAND"] : -1])[:64]
            yield f"{folder}/comm", comm + b"\n"
            yield from _cgroup(folder, cells[-1])
        letter = cells[at[b"S"]] if b"S" in at else b""
        if letter in states and b"PPID" in at and _PID.fullmatch(cells[at[b"PPID"]]):
            yield f"{folder}/state", letter + b" " + cells[at[b"PPID"]]
        if b"UID" in at and _PID.fullmatch(cells[at[b"UID"]]):
            uid = cells[at[b"UID"]]
            yield f"{folder}/status", b"Uid:\t" + b"\t".join((uid,) * 4) + b"\n"
        if b"WCHAN" in at and b"CMD" in at and cells[at[b"WCHAN"]] != b"-":
            yield f"{folder}/wchan", cells[at[b"WCHAN"]][:64]
        if b"CMD" in at and names[-1] == b"CMD":
            command = cells[at[b"CMD"] + 4 * dated :]
            if command and not command[0].startswith(b"["):
                yield f"{folder}/cmdline", b"\0".join(command)[:4096] + b"\0"


def stat_files(body: bytes) -> Files:
    """Yield the files that ``cat /proc/[0-9]*/stat`` printed one after the other."""
    for line in body.split(b"\n"):
        match = _STAT.fullmatch(line)
        if match is not None:
            yield f"/proc/{int(match[1])}/stat", line + b"\n"


def _cgroup(folder: str, text: bytes) -> Files:
    # ps joins the lines of /proc/PID/cgroup with commas, which also stand between the controllers of one.
    if b":/" in text:
        lines = re.sub(rb",(?=\d{1,5}:)", b"\n", text)
        yield f"{folder}/cgroup", lines + b"\n"


def uname_files(body: bytes) -> Files:
    """Yield host name and release of ``uname -a``."""
    words = body.split()
    if len(words) >= 3 and words[0] == b"Linux":
        yield "/proc/sys/kernel/hostname", words[1][:64] + b"\n"
        yield "/proc/sys/kernel/osrelease", words[2][:64] + b"\n"
