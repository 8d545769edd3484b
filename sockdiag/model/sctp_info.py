"""The state of an SCTP association or endpoint: ``struct sctp_info``, member by member in the kernel's order."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.record import BYTES, COUNT, COUNTER, GAUGE, ID, MS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# sctpi_state, and idiag_state of an association: enum sctp_state without its prefix
STATES = (
    "CLOSED",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "ESTABLISHED",
    "SHUTDOWN_PENDING",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECEIVED",
    "SHUTDOWN_ACK_SENT",
)


def _member(  # the declarations below read as a table
    name: str,
    wire: str,
    help: str,
    kernel: str,
    unit: str = COUNT,
    kind: str = GAUGE,
    words: tuple[str, ...] = (),
    base: int = 10,
) -> Any:
    return field(
        help,
        default=None,
        kernel=kernel,
        sources=(f"INET_DIAG_INFO.sctpi_{name}",),
        unit="" if kind == ID else unit,
        kind=kind,
        words=words,
        base=base,
        wire=wire,
    )


class SctpInfo(Record):
    """Members of ``struct sctp_info`` (364 bytes up to the last named one).

    Source: ``sctp_get_sctp_info()``, net/sctp/socket.c. For an endpoint without association only the last members, from
    ``s_autoclose``, are valid. The ``wire`` of the fields, taken together, is the layout of the struct; ``x`` is a
    byte of padding.
    """

    tag: int | None = _member("tag", "I", "Own verification tag.", "asoc->c.my_vtag", kind=ID, base=16)
    state: int | None = _member("state", "I", "Association state.", "asoc->state", kind=ID, words=STATES)
    rwnd_bytes: int | None = _member(
        "rwnd", "I", "Own receive window, as last announced to the peer.", "asoc->a_rwnd", BYTES
    )
    unackdata: int | None = _member("unackdata", "H", "Data chunks not acknowledged.", "asoc->unack_data")
    penddata: int | None = _member(
        "penddata", "H", "Data chunks received and out of order.", "sctp_tsnmap_pending(&asoc->peer.tsn_map)"
    )
    instrms: int | None = _member("instrms", "H", "Incoming streams.", "asoc->stream.incnt")
    outstrms: int | None = _member("outstrms", "H", "Outgoing streams.", "asoc->stream.outcnt")
    fragmentation_point: int | None = _member(
        "fragmentation_point", "I", "Not filled by any kernel so far: see maxseg.", "", BYTES
    )
    inqueue: int | None = _member("inqueue", "I", "Chunks in the receive queue.", "asoc->base.inqueue.in_chunk_list")
    outqueue: int | None = _member("outqueue", "I", "Chunks in the send queue.", "asoc->outqueue.out_chunk_list")
    overall_error: int | None = _member(
        "overall_error", "I", "Errors in a row, over all paths.", "asoc->overall_error_count"
    )
    max_burst: int | None = _member("max_burst", "I", "Limit of a burst, in packets.", "asoc->max_burst")
    maxseg: int | None = _member("maxseg", "I", "Largest message that is not fragmented.", "asoc->frag_point", BYTES)
    peer_rwnd_bytes: int | None = _member(
        "peer_rwnd", "I", "The peer's receive window, as the own sender reckons it.", "asoc->peer.rwnd", BYTES
    )
    peer_tag: int | None = _member(
        "peer_tag", "I", "The peer's verification tag.", "asoc->c.peer_vtag", kind=ID, base=16
    )
    peer_capable: int | None = _member(
        "peer_capable", "B", "What the peer can do, as bits.", "asoc->peer.*_capable", kind=ID
    )
    peer_sack: int | None = _member("peer_sack", "B", "The peer's SACK state, as bits.", "asoc->peer.sack_*", kind=ID)
    isacks: int | None = _member("isacks", "2xQ", "SACKs received.", "asoc->stats.isacks", kind=COUNTER)
    osacks: int | None = _member("osacks", "Q", "SACKs sent.", "asoc->stats.osacks", kind=COUNTER)
    opackets: int | None = _member("opackets", "Q", "Packets sent.", "asoc->stats.opackets", kind=COUNTER)
    ipackets: int | None = _member("ipackets", "Q", "Packets received.", "asoc->stats.ipackets", kind=COUNTER)
    rtxchunks: int | None = _member("rtxchunks", "Q", "Chunks retransmitted.", "asoc->stats.rtxchunks", kind=COUNTER)
    outofseqtsns: int | None = _member(
        "outofseqtsns", "Q", "Chunks received beyond the window.", "asoc->stats.outofseqtsns", kind=COUNTER
    )
    idupchunks: int | None = _member(
        "idupchunks", "Q", "Chunks received twice.", "asoc->stats.idupchunks", kind=COUNTER
    )
    gapcnt: int | None = _member("gapcnt", "Q", "Gap acknowledgements received.", "asoc->stats.gapcnt", kind=COUNTER)
    ouodchunks: int | None = _member(
        "ouodchunks", "Q", "Unordered chunks sent.", "asoc->stats.ouodchunks", kind=COUNTER
    )
    iuodchunks: int | None = _member(
        "iuodchunks", "Q", "Unordered chunks received.", "asoc->stats.iuodchunks", kind=COUNTER
    )
    oodchunks: int | None = _member("oodchunks", "Q", "Ordered chunks sent.", "asoc->stats.oodchunks", kind=COUNTER)
    iodchunks: int | None = _member("iodchunks", "Q", "Ordered chunks received.", "asoc->stats.iodchunks", kind=COUNTER)
    octrlchunks: int | None = _member(
        "octrlchunks", "Q", "Control chunks sent.", "asoc->stats.octrlchunks", kind=COUNTER
    )
    ictrlchunks: int | None = _member(
        "ictrlchunks", "Q", "Control chunks received.", "asoc->stats.ictrlchunks", kind=COUNTER
    )
    p_address: Endpoint | None = field(
        "Address of the primary path.",
        default=None,
        kernel="asoc->peer.primary_path->ipaddr",
        sources=("INET_DIAG_INFO.sctpi_p_address",),
        kind=ID,
        of=Endpoint,
        wire="128s",
    )
    p_state: int | None = _member("p_state", "i", "State of the primary path.", "primary_path->state", kind=ID)
    p_cwnd_bytes: int | None = _member(
        "p_cwnd", "I", "Congestion window of the primary path.", "primary_path->cwnd", BYTES
    )
    p_srtt_ms: int | None = _member("p_srtt", "I", "Smoothed round-trip time.", "primary_path->srtt", MS)
    p_rto_ms: int | None = _member("p_rto", "I", "Retransmission timeout.", "jiffies_to_msecs(primary_path->rto)", MS)
    p_hbinterval_ms: int | None = _member(
        "p_hbinterval", "I", "Interval of heartbeats.", "jiffies_to_msecs(primary_path->hbinterval)", MS
    )
    p_pathmaxrxt: int | None = _member(
        "p_pathmaxrxt", "I", "Retransmissions until the path counts as failed.", "primary_path->pathmaxrxt"
    )
    p_sackdelay_ms: int | None = _member(
        "p_sackdelay", "I", "Delay of SACKs.", "jiffies_to_msecs(primary_path->sackdelay)", MS
    )
    p_sackfreq: int | None = _member("p_sackfreq", "I", "Packets after which a SACK is sent.", "primary_path->sackfreq")
    p_ssthresh_bytes: int | None = _member("p_ssthresh", "I", "Slow start threshold.", "primary_path->ssthresh", BYTES)
    p_partial_bytes_acked: int | None = _member(
        "p_partial_bytes_acked",
        "I",
        "Bytes acknowledged since the window grew.",
        "primary_path->partial_bytes_acked",
        BYTES,
    )
    p_flight_size_bytes: int | None = _member(
        "p_flight_size", "I", "Bytes in flight on the primary path.", "primary_path->flight_size", BYTES
    )
    p_error: int | None = _member("p_error", "H", "Errors in a row on the primary path.", "primary_path->error_count")
    s_autoclose_s: int | None = _member(
        "s_autoclose", "2xI", "Idle seconds after which the association is closed; 0: never.", "sp->autoclose", ""
    )
    s_adaptation_ind: int | None = _member(
        "s_adaptation_ind", "I", "Adaptation layer indication.", "sp->adaptation_ind", kind=ID
    )
    s_pd_point: int | None = _member("s_pd_point", "I", "Partial delivery point.", "sp->pd_point", BYTES)
    s_nodelay: int | None = _member("s_nodelay", "B", "1: SCTP_NODELAY.", "sp->nodelay", kind=ID)
    s_disable_fragments: int | None = _member(
        "s_disable_fragments", "B", "1: SCTP_DISABLE_FRAGMENTS.", "sp->disable_fragments", kind=ID
    )
    s_v4mapped: int | None = _member(
        "s_v4mapped", "B", "1: IPv4 addresses are given as v4-mapped.", "sp->v4mapped", kind=ID
    )
    s_frag_interleave: int | None = _member(
        "s_frag_interleave", "B", "Level of SCTP_FRAGMENT_INTERLEAVE.", "sp->frag_interleave", kind=ID
    )
    s_type: int | None = _member(
        "s_type", "I", "Style: 0 UDP (one to many), 1 UDP high bandwidth, 2 TCP.", "sp->type", kind=ID
    )
