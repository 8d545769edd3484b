"""The info structs have the layout that the running kernel's type information says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.model.congestion import DctcpInfo, VegasInfo
from sockdiag.model.inet_attrs import MemInfo
from sockdiag.model.mptcp_info import MptcpInfo
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.netlink import inet_attributes as info
from sockdiag.sources.system.kernel_version import kernel_version
from sockdiag.sources.system.proc_root import ProcRoot
from tests.live import btf

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.record import Record

VERSION = kernel_version(ProcRoot())
LAYOUTS: dict[str, tuple[type[Record], str, Callable[[bytes], Any]]] = {
    "tcp_info": (TcpInfo, "tcpi_", lambda data: info.decode_tcp_info(data, VERSION)),
    "mptcp_info": (MptcpInfo, "mptcpi_", lambda data: info.decode_mptcp_info(data, VERSION)),
    "tcpvegas_info": (VegasInfo, "tcpv_", info.VEGAS_INFO.decode),
    "tcp_dctcp_info": (DctcpInfo, "dctcp_", info.DCTCP_INFO.decode),
    "inet_diag_meminfo": (MemInfo, "idiag_", info.MEM_INFO.decode),
}


@pytest.fixture(scope="module")
def structs() -> dict[str, tuple[int, dict[str, tuple[int, int]]]]:
    """Read this kernel's structs."""
    if not btf.PATH.exists():
        pytest.skip(f"this kernel: no {btf.PATH}")
    return btf.structs(set(LAYOUTS))


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(structs: dict[str, tuple[int, dict[str, tuple[int, int]]]], name: str) -> None:
    """Each member that both know is read from its own bits; those that only a newer kernel has are the last."""
    record, prefix, decode = LAYOUTS[name]
    if name not in structs:
        pytest.skip(f"this kernel: no struct {name}")
    size, members = structs[name]
    theirs = {m.removeprefix(prefix): place for m, place in members.items() if m.startswith(prefix)}
    ours = [f.sources[0].rpartition(f".{prefix}")[2] for f in record.FIELDS]
    known = [member for member in theirs if member in ours]
    assert list(theirs)[: len(known)] == known

    def read(data: bytes) -> dict[str, Any]:
        # The words of a number tell which it is: the plain record has both.
        return dict(zip(ours, decode(data)._values(), strict=True))

    for member in known:
        bit, width = theirs[member]
        data = bytearray(size)
        data[bit // 8] = 1 << bit % 8
        assert [one for one, value in read(bytes(data)).items() if value] == [member]
        if width:
            data[bit // 8] = ((1 << width) - 1) << bit % 8
            assert decode(bytes(data))[ours.index(member)] == (1 << width) - 1
    # What this kernel lacks is unknown, not 0.
    nothing = read(bytes(size))
    assert {member: nothing[member] for member in ours if member not in theirs and nothing[member] is not None} == {}


def test_the_two_words_of_bbr_bandwidth_are_one_number() -> None:
    """bbr_bw_lo comes first, then bbr_bw_hi, whatever the byte order of the machine."""
    decoded = info.decode_bbr_info(struct.pack("=IIIII", 1, 2, 3, 4, 5))
    assert decoded.bw_bytes_per_s == 1 | 2 << 32
