"""The pointers that /proc/net shows of sockets, hashed by default, with their inodes.

Source: ``udp4_format_sock()``, ``get_tcp4_sock()``, ``raw_sock_seq_show()``, ``packet_seq_show()``, ``netlink_native_seq_show()``,
``unix_seq_show()``.
"""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.sources.system.proc_root import ProcRoot

# file -> table, column of the pointer, column of the inode
_FILES = {
    "udp": ("udp", 11, 9),
    "udp6": ("udp", 11, 9),
    "udplite": ("udplite", 11, 9),
    "udplite6": ("udplite", 11, 9),
    "raw": ("raw", 11, 9),
    "raw6": ("raw", 11, 9),
    "icmp": ("icmp", 11, 9),
    "icmp6": ("icmp", 11, 9),
    "packet": ("packet", 0, 8),
    "netlink": ("netlink", 0, 9),
    "unix": ("unix", 0, 6),
    "tcp": ("tcp", 11, 9),
    "tcp6": ("tcp", 11, 9),
}
LONG = ("tcp", "tcp6")
SHORT = tuple(name for name in _FILES if name not in LONG)


def read_pointers(files: ProcRoot, names: Iterable[str]) -> dict[int, tuple[str, int]]:
    """Return table and inode of each socket of some files, by the pointer that /proc shows; files that are not there are empty."""
    found: dict[int, tuple[str, int]] = {}
    for name in names:
        table, pointer_at, inode_at = _FILES[name]
        try:
            lines = files.read(f"/proc/net/{name}").splitlines()
        except SourceError:
            continue
        for line in lines[1:]:
            words = line.split()
            try:
                pointer, inode = int(words[pointer_at].rstrip(b":"), 16), int(words[inode_at])
            except (IndexError, ValueError):
                continue
            if pointer:
                found[pointer] = (table, inode)
    return found
