"""Structs that grow at their end are read by the wire formats of a record's fields."""

from __future__ import annotations

import struct

import pytest

from sockdiag.model.mptcp_info import MptcpInfo
from sockdiag.model.record import Record, field
from sockdiag.model.sctp_info import SctpInfo
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.netlink import inet_attributes as info
from sockdiag.sources.netlink.wire import StructLayout


class Sample(Record):
    """A struct with bit fields, padding and integers of every size."""

    a: int | None = field("", default=None, wire="B")
    low: int | None = field("", default=None, wire="4")
    high: int | None = field("", default=None, wire="4")
    one: int | None = field("", default=None, wire="1")
    two: int | None = field("", default=None, wire="2")
    word: int | None = field("", default=None, wire="xI")
    name: bytes | None = field("", default=None, wire="3s")


SAMPLE = struct.pack("=BBBxI3s", 7, 0x5A, 0b101, 0x01020304, b"abc")


def test_members_and_bit_fields() -> None:
    """Bit fields share a byte from the lowest bit, the next one begins where one does not fit."""
    assert StructLayout(Sample).decode(SAMPLE) == Sample(7, 0xA, 5, 1, 2, 0x01020304, b"abc")


@pytest.mark.parametrize(
    ("length", "present"), [(0, 0), (1, 1), (2, 3), (3, 5), (4, 5), (7, 5), (8, 6), (10, 6), (11, 7), (99, 7)]
)
def test_a_member_that_does_not_fit_is_none(length: int, present: int) -> None:
    """The bytes that are there give their members, the same for every length."""
    whole = StructLayout(Sample).decode(SAMPLE)
    cut = StructLayout(Sample).decode((SAMPLE + bytes(100))[:length])
    assert cut == (*whole[:present], *[None] * (7 - present))


@pytest.mark.parametrize("length", range(len(SAMPLE) + 3))
def test_filled_members_are_zero_where_they_are_missing(length: int) -> None:
    """As if the bytes that are there were copied over a struct of zeros, and what a newer kernel appends left out."""
    layout = StructLayout(Sample)
    data = (SAMPLE + b"new")[:length]
    record = layout.filled(data)
    assert record == layout.decode(data[: len(SAMPLE)].ljust(len(SAMPLE), b"\0"))
    assert layout.reader(("word", "a", "name"))(data) == (record.word, record.a, record.name)
    for name in ("low", "high", "one", "two"):
        assert layout.bit_field(name)(data) == getattr(record, name)


def test_plans_are_bounded() -> None:
    """A file with structs of all lengths does not fill memory."""
    layout = StructLayout(Sample)
    for length in range(500):
        layout.decode(bytes(length))
    assert len(layout._plans) <= 64


# Offsets of struct tcp_info on Linux 6.18 (x86-64), from the kernel's BTF; bit fields as (offset, shift, bits).
TCP_INFO = {
    "state": 0,
    "ca_state": 1,
    "retransmits": 2,
    "probes": 3,
    "backoff": 4,
    "options": 5,
    "snd_wscale": (6, 0, 4),
    "rcv_wscale": (6, 4, 4),
    "delivery_rate_app_limited": (7, 0, 1),
    "fastopen_client_fail": (7, 1, 2),
    "rto": 8,
    "ato": 12,
    "snd_mss": 16,
    "rcv_mss": 20,
    "unacked": 24,
    "sacked": 28,
    "lost": 32,
    "retrans": 36,
    "fackets": 40,
    "last_data_sent": 44,
    "last_ack_sent": 48,
    "last_data_recv": 52,
    "last_ack_recv": 56,
    "pmtu": 60,
    "rcv_ssthresh": 64,
    "rtt": 68,
    "rttvar": 72,
    "snd_ssthresh": 76,
    "snd_cwnd": 80,
    "advmss": 84,
    "reordering": 88,
    "rcv_rtt": 92,
    "rcv_space": 96,
    "total_retrans": 100,
    "pacing_rate": 104,
    "max_pacing_rate": 112,
    "bytes_acked": 120,
    "bytes_received": 128,
    "segs_out": 136,
    "segs_in": 140,
    "notsent_bytes": 144,
    "min_rtt": 148,
    "data_segs_in": 152,
    "data_segs_out": 156,
    "delivery_rate": 160,
    "busy_time": 168,
    "rwnd_limited": 176,
    "sndbuf_limited": 184,
    "delivered": 192,
    "delivered_ce": 196,
    "bytes_sent": 200,
    "bytes_retrans": 208,
    "dsack_dups": 216,
    "reord_seen": 220,
    "rcv_ooopack": 224,
    "snd_wnd": 228,
    "rcv_wnd": 232,
    "rehash": 236,
    "total_rto": 240,
    "total_rto_recoveries": 242,
    "total_rto_time": 244,
    "received_ce": 248,
    "delivered_e1_bytes": 252,
    "delivered_e0_bytes": 256,
    "delivered_ce_bytes": 260,
    "received_e1_bytes": 264,
    "received_e0_bytes": 268,
    "received_ce_bytes": 272,
    "ecn_mode": (276, 0, 2),
    "accecn_opt_seen": (276, 2, 2),
    "accecn_fail_mode": (276, 4, 4),
}
MPTCP_INFO = {
    "subflows": 0,
    "add_addr_signal": 1,
    "add_addr_accepted": 2,
    "subflows_max": 3,
    "add_addr_signal_max": 4,
    "add_addr_accepted_max": 5,
    "flags": 8,
    "token": 12,
    "write_seq": 16,
    "snd_una": 24,
    "rcv_nxt": 32,
    "local_addr_used": 40,
    "local_addr_max": 41,
    "csum_enabled": 42,
    "retransmits": 44,
    "bytes_retrans": 48,
    "bytes_sent": 56,
    "bytes_received": 64,
    "bytes_acked": 72,
    "subflows_total": 80,
    "endp_laminar_max": 81,
    "endp_fullmesh_max": 82,
    "last_data_sent": 84,
    "last_data_recv": 88,
    "last_ack_recv": 92,
}
# From include/uapi/linux/sctp.h, by its types.
SCTP_INFO = {
    "tag": 0,
    "state": 4,
    "rwnd": 8,
    "unackdata": 12,
    "penddata": 14,
    "instrms": 16,
    "outstrms": 18,
    "fragmentation_point": 20,
    "inqueue": 24,
    "outqueue": 28,
    "overall_error": 32,
    "max_burst": 36,
    "maxseg": 40,
    "peer_rwnd": 44,
    "peer_tag": 48,
    "peer_capable": 52,
    "peer_sack": 53,
    "isacks": 56,
    "osacks": 64,
    "opackets": 72,
    "ipackets": 80,
    "rtxchunks": 88,
    "outofseqtsns": 96,
    "idupchunks": 104,
    "gapcnt": 112,
    "ouodchunks": 120,
    "iuodchunks": 128,
    "oodchunks": 136,
    "iodchunks": 144,
    "octrlchunks": 152,
    "ictrlchunks": 160,
    "p_address": 168,
    "p_state": 296,
    "p_cwnd": 300,
    "p_srtt": 304,
    "p_rto": 308,
    "p_hbinterval": 312,
    "p_pathmaxrxt": 316,
    "p_sackdelay": 320,
    "p_sackfreq": 324,
    "p_ssthresh": 328,
    "p_partial_bytes_acked": 332,
    "p_flight_size": 336,
    "p_error": 340,
    "s_autoclose": 344,
    "s_adaptation_ind": 348,
    "s_pd_point": 352,
    "s_nodelay": 356,
    "s_disable_fragments": 357,
    "s_v4mapped": 358,
    "s_frag_interleave": 359,
    "s_type": 360,
}


@pytest.mark.parametrize(
    ("record", "layout", "offsets", "size"),
    [
        (TcpInfo, info.TCP_INFO, TCP_INFO, 277),
        (MptcpInfo, info.MPTCP_INFO, MPTCP_INFO, 96),
        (SctpInfo, info.SCTP_INFO, SCTP_INFO, 364),
    ],
)
def test_layout_is_the_kernels(
    record: type[Record], layout: StructLayout, offsets: dict[str, int | tuple[int, int, int]], size: int
) -> None:
    """Each member is read from the kernel's offset and from nowhere else, and from there alone."""
    assert layout.size == size
    kernel_names = [f.sources[0].partition(".")[2].split("_", 1)[1] for f in record.FIELDS]
    assert kernel_names == list(offsets)
    for index, (name, offset) in enumerate(offsets.items()):
        data = bytearray(size)
        expected: int | bytes = 1
        if isinstance(offset, tuple):
            at, shift, bits = offset
            data[at] = (1 << bits) - 1 << shift
            expected = (1 << bits) - 1
        elif name == "p_address":
            data[offset] = 1
            expected = b"\1" + bytes(127)
        else:
            data[offset] = 1
        values = layout.decode(bytes(data))
        zero = bytes(128) if name != "p_address" else None
        assert values[index] == expected, name
        others = [v for i, v in enumerate(values) if i != index]
        assert all(v in (0, zero) for v in others), name


@pytest.mark.parametrize("length", [0, 7, 8, 104, 136, 144, 160, 192, 200, 216, 224, 228, 232, 240, 248, 280, 300])
def test_tcp_info_of_every_kernel(length: int) -> None:
    """A struct of an older or newer kernel has the members that end within it, the others are None."""
    ends = [o[0] + 1 if isinstance(o, tuple) else n for o, n in zip(TCP_INFO.values(), _ends(), strict=True)]
    decoded = info.decode_tcp_info(bytes([1, *[0x55] * (length - 1)]) if length else b"", lambda: (7, 2))
    assert [value is not None for value in decoded._values()] == [end <= length for end in ends]


def _ends() -> list[int]:
    # Where each member of struct tcp_info ends: where the next one begins, as it has no padding.
    starts = [o[0] if isinstance(o, tuple) else o for o in TCP_INFO.values()] + [280]
    return [next(s for s in starts[i + 1 :] if s > start) for i, start in enumerate(starts[:-1])]


def test_special_values_of_tcp_info_are_unknown() -> None:
    """Never measured and no limit are None, whatever the kernel writes for it."""
    data = bytearray([1, *[0x55] * 279])
    data[48:52] = bytes(4)
    data[68:72] = data[92:96] = bytes(4)
    data[76:80] = struct.pack("=I", 0x7FFFFFFF)
    data[148:152] = b"\xff" * 4
    data[104:120] = b"\xff" * 16
    decoded = info.decode_tcp_info(bytes(data), lambda: (7, 2))
    unknown = {f.name for f, v in zip(TcpInfo.FIELDS, decoded._values(), strict=True) if v is None}
    assert unknown == {
        "last_ack_sent_ms",
        "rtt_us",
        "rcv_rtt_us",
        "snd_ssthresh",
        "min_rtt_us",
        "pacing_rate_bytes_per_s",
        "max_pacing_rate_bytes_per_s",
    }


def test_tcp_info_of_a_listener() -> None:
    """What the kernel leaves 0 for a listener is unknown; what it fills is there, also where it is 0."""
    data = bytearray(280)
    data[0] = 10
    data[28:32] = struct.pack("=I", 128)
    decoded = info.decode_tcp_info(bytes(data), lambda: (7, 2))
    assert {f.name: v for f, v in zip(TcpInfo.FIELDS, decoded._values(), strict=True) if v is not None} == {
        "state": 10,
        "unacked": 0,
        "sacked": 128,
        "snd_cwnd": 0,
        "reordering": 0,
        "pacing_rate_bytes_per_s": 0,
        "max_pacing_rate_bytes_per_s": 0,
    }
