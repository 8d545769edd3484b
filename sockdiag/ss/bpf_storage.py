"""Storage that BPF programs attach to sockets: --bpf-maps, --bpf-map-id.

**Source:** INET_DIAG_REQ_SK_BPF_STORAGES, ``bpf_sk_storage_diag_put()``, net/core/bpf_sk_storage.c.
"""

from __future__ import annotations

import errno

from sockdiag.errors import ParseError, SourceError
from sockdiag.filter.cnumbers import UINT_MAX, unsigned
from sockdiag.kernel.byte_order import S32, U32
from sockdiag.kernel.inet_diag import REQ_SK_BPF_STORAGES
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, align4
from sockdiag.sources.netlink.attributes import attribute, attributes
from sockdiag.sources.system import bpf
from sockdiag.sources.system.btf import Btf
from sockdiag.ss.btf_text import ValueText
from sockdiag.ss.output import Stop, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NESTED = 1 << 15
_REQ_MAP_FD = 1
_STORAGE, _MAP_ID, _MAP_VALUE = 1, 2, 3
_MOST_MAPS = 32
_MIXED = "ss: --bpf-maps and --bpf-map-id cannot be used together"


class Storages:
    """The maps whose values are shown."""

    __slots__ = ("_all", "_maps")

    def __init__(self) -> None:
        self._all = False
        self._maps: dict[int, _StorageMap] = {}

    def show_all(self) -> None:
        """Show the values of all maps.

        Raises:
            Stop: single maps were asked for.
        """
        if self._maps:
            raise Stop(1, _MIXED)
        self._all = True

    def add(self, text: str) -> None:
        """Show those of one map, by its id.

        Raises:
            Stop: there is no such map.
        """
        if self._all:
            raise Stop(1, _MIXED)
        number = unsigned(text, UINT_MAX - 1)
        if not number:
            raise Stop(1, f"ss: invalid BPF map ID {text}")
        if self._map(number) is None:
            raise Stop(1)

    def request(self) -> bytes:
        """Return the attribute that asks for them."""
        fds = [] if self._all else [attribute(_REQ_MAP_FD, S32.pack(one.info.fd)) for one in self._maps.values()]
        return attribute(REQ_SK_BPF_STORAGES | _NESTED, b"".join(fds))

    def text(self, data: bytes, *, oneline: bool) -> str:
        """Print the values of a socket.

        Args:
            data: INET_DIAG_SK_BPF_STORAGES.
            oneline: in the row's own line.
        """
        text = ""
        for body in _storages(data):
            try:
                found = attributes(body, 0, "netlink:inet_diag")
            except ParseError:
                continue
            if len(found.get(_MAP_ID, b"")) == U32.size:
                text += self._one(U32.unpack(found[_MAP_ID])[0], found.get(_MAP_VALUE, b""), oneline=oneline)
        return text

    def _one(self, number: int, value: bytes, *, oneline: bool) -> str:
        one = self._map(number)
        if one is None:
            return f"\n\tmap_id: {number} failed to fetch info, skipping\n"
        if len(value) != one.info.value_size:
            complain(f"map_id: {number}: invalid value size, expecting {one.info.value_size}, got {len(value)}\n")
            return ""
        text, error = ValueText(one.types, compact=oneline).text(one.info.value_type, value)
        failed = f"failed to dump data: {error}" if error else ""
        if oneline:
            return f" map_id:{number}{text}{failed}"
        if failed:
            text += f"\t\t{failed}"
        return f"\n\tmap_id:{number} [\n{text}\n\t]"

    def _map(self, number: int) -> _StorageMap | None:
        known = self._maps.get(number)
        if known is not None:
            return known
        if len(self._maps) == _MOST_MAPS:
            complain(f"ss: too many (> {_MOST_MAPS}) BPF socket-local storage maps found, skipping map ID {number}\n")
            return None
        try:
            fd = bpf.open_map(number)
        except SourceError as error:
            denied = ": missing root permissions, CAP_BPF, or CAP_SYS_ADMIN" if error.errno == errno.EPERM else ""
            complain(f"ss: cannot get fd for BPF map ID {number}{denied}\n")
            return None
        try:
            info = bpf.map_info(fd)
        except SourceError:
            complain(f"ss: failed to get info for BPF map ID {number}\n")
            return None
        if info.type != bpf.BPF_MAP_TYPE_SK_STORAGE:
            complain(
                f"ss: BPF map with ID {number} has type ID {info.type}, expecting {bpf.BPF_MAP_TYPE_SK_STORAGE}"
                " ('sk_storage')\n"
            )
            return None
        try:
            types = Btf(bpf.btf(info.btf_id))
        except (SourceError, ParseError):
            complain(f"ss: failed to load BTF for map ID {number}\n")
            return None
        self._maps[number] = _StorageMap(info, types)
        return self._maps[number]


def _storages(data: bytes) -> Iterator[bytes]:
    at = 0
    while len(data) - at >= NLA_HDRLEN:
        length, kind = NLATTR.unpack_from(data, at)
        if not NLA_HDRLEN <= length <= len(data) - at:
            return
        if kind & NLA_TYPE_MASK == _STORAGE:
            yield data[at + NLA_HDRLEN : at + length]
        at += align4(length)


class _StorageMap:
    __slots__ = ("info", "types")

    def __init__(self, info: bpf.MapInfo, types: Btf) -> None:
        self.info = info
        self.types = types
