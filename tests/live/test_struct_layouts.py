"""The info structs have the layout that the running kernel's type information says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.sources.netlink import inet_attributes as info
from tests.live import btf

if TYPE_CHECKING:
    from sockdiag.model.record import Record

LAYOUTS = {
    "tcp_info": (info.TCP_INFO, "tcpi_"),
    "mptcp_info": (info.MPTCP_INFO, "mptcpi_"),
    "tcpvegas_info": (info.VEGAS_INFO, "tcpv_"),
    "tcp_dctcp_info": (info.DCTCP_INFO, "dctcp_"),
    "inet_diag_meminfo": (info.MEM_INFO, "idiag_"),
}


@pytest.fixture(scope="module")
def structs() -> dict[str, tuple[int, dict[str, tuple[int, int]]]]:
    """Read this kernel's structs."""
    if not btf.PATH.exists():
        pytest.skip(f"this kernel: no {btf.PATH}")
    return btf.structs(set(LAYOUTS))


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(structs: dict[str, tuple[int, dict[str, tuple[int, int]]]], name: str) -> None:
    """Each member that both know begins at the same bit, in the same order; a struct of a newer kernel only goes on."""
    layout, prefix = LAYOUTS[name]
    if name not in structs:
        pytest.skip(f"this kernel: no struct {name}")
    size, members = structs[name]
    theirs = {m.removeprefix(prefix): place for m, place in members.items() if m.startswith(prefix)}
    ours = [f.sources[0].rpartition(f".{prefix}")[2] for f in layout._record.FIELDS]
    both = min(len(theirs), len(ours))
    assert list(theirs)[:both] == ours[:both]
    assert size <= layout.size or len(theirs) > len(ours)
    for index, (bit, width) in enumerate(list(theirs.values())[:both]):
        data = bytearray(layout.size)
        data[bit // 8] = 1 << bit % 8
        values: Record = layout.decode(bytes(data))
        assert [i for i, value in enumerate(values._values()) if value] == [index]
        if width:
            data[bit // 8] = ((1 << width) - 1) << bit % 8
            assert layout.decode(bytes(data))[index] == (1 << width) - 1


def test_the_two_words_of_bbr_bandwidth_are_one_number() -> None:
    """bbr_bw_lo comes first, then bbr_bw_hi, whatever the byte order of the machine."""
    decoded = info.decode_bbr_info(struct.pack("=IIIII", 1, 2, 3, 4, 5))
    assert decoded.bw_bytes_per_s == 1 | 2 << 32
