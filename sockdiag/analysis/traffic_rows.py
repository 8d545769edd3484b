"""The records of traffic: rates of sockets and of groups, and connections that ended."""

from __future__ import annotations

from sockdiag.analysis.grouping import Grouped
from sockdiag.model.record import BYTES, BYTES_PER_S, COUNT, COUNT_PER_S, LABEL, RATIO, US, Record, field
from sockdiag.model.socket import Socket


class Traffic(Record):
    """A socket and what it transferred during the interval."""

    socket: Socket = field("The socket, as the second sample shows it.", of=Socket)
    in_bytes_per_s: float | None = field("Payload received, per second.", unit=BYTES_PER_S, header="IN")
    out_bytes_per_s: float | None = field(
        "Payload sent per second, retransmissions not included.", unit=BYTES_PER_S, header="OUT"
    )
    in_packets_per_s: float | None = field(
        "Segments received per second, acknowledgements included.", unit=COUNT_PER_S, header="PKTS-IN"
    )
    out_packets_per_s: float | None = field(
        "Segments sent per second, acknowledgements and retransmissions included.", unit=COUNT_PER_S, header="PKTS-OUT"
    )
    retransmits_per_s: float | None = field("Segments retransmitted per second.", unit=COUNT_PER_S, header="RETRANS")
    retransmit_ratio: float | None = field(
        "Share of the data segments sent that were retransmissions; null if none was sent.",
        unit=RATIO,
        header="RETRANS%",
    )
    rtt_us: int | None = field(
        "Smoothed round-trip time, as last measured.",
        unit=US,
        header="RTT",
        kernel="tp->srtt_us >> 3",
        sources=("INET_DIAG_INFO.tcpi_rtt",),
    )
    drops_per_s: float | None = field(
        "Packets that a socket without connections dropped, per second.", unit=COUNT_PER_S, header="DROPS/S"
    )
    in_bytes: int | None = field(
        "Payload received in order during the interval.",
        unit=BYTES,
        kernel="tp->bytes_received",
        sources=("INET_DIAG_INFO.tcpi_bytes_received",),
    )
    out_bytes: int | None = field(
        "Payload sent during the interval, each byte once.",
        unit=BYTES,
        kernel="tp->bytes_sent - tp->bytes_retrans",
        sources=("INET_DIAG_INFO.tcpi_bytes_sent", "INET_DIAG_INFO.tcpi_bytes_retrans"),
    )
    in_packets: int | None = field(
        "Segments received during the interval.",
        unit=COUNT,
        kernel="tp->segs_in",
        sources=("INET_DIAG_INFO.tcpi_segs_in",),
    )
    out_packets: int | None = field(
        "Segments sent during the interval.",
        unit=COUNT,
        kernel="tp->segs_out",
        sources=("INET_DIAG_INFO.tcpi_segs_out",),
    )
    out_data_packets: int | None = field(
        "Part of them that carried data.",
        unit=COUNT,
        kernel="tp->data_segs_out",
        sources=("INET_DIAG_INFO.tcpi_data_segs_out",),
    )
    retransmits: int | None = field(
        "Segments retransmitted during the interval.",
        unit=COUNT,
        kernel="tp->total_retrans",
        sources=("INET_DIAG_INFO.tcpi_total_retrans",),
    )
    drops: int | None = field(
        "Packets dropped during the interval.", unit=COUNT, header="DROPS-NOW", kernel="sk->sk_drops"
    )
    began: bool | None = field(
        "It was not in the first sample: all that it ever transferred counts.", kind=LABEL, header="BEGAN"
    )
    zero_window: bool | None = field(
        "The peer takes no more data now: the window that it advertised is closed.",
        kind=LABEL,
        header="ZERO-WINDOW",
        kernel="tp->snd_wnd == 0",
        sources=("INET_DIAG_INFO.tcpi_snd_wnd",),
    )
    stuck: bool | None = field(
        "Data waited in the send queue in both samples, and the peer acknowledged nothing in between.",
        kind=LABEL,
        header="STUCK",
        kernel="tp->bytes_acked",
        sources=("INET_DIAG_INFO.tcpi_bytes_acked", "inet_diag_msg.idiag_wqueue"),
    )


class TrafficGroup(Grouped):
    """A group of sockets and what they transferred during the interval."""

    sockets: int = field("Sockets in the second sample.", unit=COUNT)
    in_bytes_per_s: float | None = field("Payload received, per second.", unit=BYTES_PER_S, header="IN")
    out_bytes_per_s: float | None = field(
        "Payload sent per second, retransmissions not included.", unit=BYTES_PER_S, header="OUT"
    )
    in_packets_per_s: float | None = field("Segments received per second.", unit=COUNT_PER_S, header="PKTS-IN")
    out_packets_per_s: float | None = field("Segments sent per second.", unit=COUNT_PER_S, header="PKTS-OUT")
    retransmits_per_s: float | None = field("Segments retransmitted per second.", unit=COUNT_PER_S, header="RETRANS")
    retransmit_ratio: float | None = field(
        "Share of the data segments sent that were retransmissions; null if none was sent.",
        unit=RATIO,
        header="RETRANS%",
    )
    rtt_us: int | None = field("Median of the round-trip times of the connections.", unit=US, header="RTT")
    rtt_max_us: int | None = field("Longest of them.", unit=US, header="RTT-MAX")
    drops_per_s: float | None = field(
        "Packets that sockets without connections dropped, per second.", unit=COUNT_PER_S, header="DROPS/S"
    )
    in_bytes: int | None = field("Payload received during the interval.", unit=BYTES)
    out_bytes: int | None = field("Payload sent during the interval, each byte once.", unit=BYTES)
    in_packets: int | None = field("Segments received during the interval.", unit=COUNT)
    out_packets: int | None = field("Segments sent during the interval.", unit=COUNT)
    out_data_packets: int | None = field("Part of them that carried data.", unit=COUNT)
    retransmits: int | None = field("Segments retransmitted during the interval.", unit=COUNT)
    drops: int | None = field("Packets dropped during the interval.", unit=COUNT, header="DROPS-NOW")
    began: int = field("Connections that were not in the first sample.", unit=COUNT, header="BEGAN")
    ended: int = field("Connections that ended during the interval; not among the others.", unit=COUNT)
    resets: int | None = field("Those of them that were reset by either end, refused, or timed out.", unit=COUNT)
    ended_in_bytes: int | None = field("Payload that they received until their end.", unit=BYTES)
    ended_out_bytes: int | None = field("Payload that they sent until their end.", unit=BYTES)
    zero_windows: int = field("Connections whose peer takes no more data now.", unit=COUNT, header="ZERO-WIN")
    stuck: int = field("Connections whose send queue did not move during the interval.", unit=COUNT, header="STUCK")
    send_q: int = field("Bytes in the send queues of the connections.", unit=BYTES, header="SEND-Q")
    unknown: int = field("Sockets whose counters could not be read; not in the sums.", unit=COUNT)


# The amounts of a row or a group, in the order in which they are measured.
AMOUNTS = ("in_bytes", "out_bytes", "in_packets", "out_packets", "out_data_packets", "retransmits", "drops")


class EndedConnection(Record):
    """A connection that ended during the interval, or had become a stub without counters by the second sample."""

    socket: Socket = field(
        "The socket, as the first sample shows it; of one that also began during the interval, as it ended.", of=Socket
    )
    began: bool = field("It also began during the interval.", kind=LABEL)
    in_bytes: int | None = field(
        "Payload received during the interval until its end; a FIN of the peer may count as a byte. Null if the kernel "
        "did not report the end.",
        unit=BYTES,
        kernel="tp->bytes_received",
        sources=("SKNLGRP_INET_TCP_DESTROY", "SKNLGRP_INET6_TCP_DESTROY"),
    )
    out_bytes: int | None = field(
        "Payload sent during the interval until its end, each byte once.",
        unit=BYTES,
        kernel="tp->bytes_sent - tp->bytes_retrans",
        sources=("SKNLGRP_INET_TCP_DESTROY", "SKNLGRP_INET6_TCP_DESTROY"),
    )
    reset: bool | None = field(
        "It did not end by a FIN of this end that the peer acknowledged: reset by either end, refused, or timed out.",
        kind=LABEL,
        kernel="tp->bytes_acked",
        sources=("SKNLGRP_INET_TCP_DESTROY", "SKNLGRP_INET6_TCP_DESTROY"),
    )


class TrafficTotals(Record):
    """The traffic of all sockets together."""

    sockets: int = field("Sockets in the second sample.", unit=COUNT)
    active: int = field("Those of them that sent, received or dropped something.", unit=COUNT)
    rows: int = field("Rows of sockets, before any were left out.", unit=COUNT)
    began: int = field("Connections that were not in the first sample.", unit=COUNT)
    ended: int = field("Connections that ended during the interval.", unit=COUNT)
    resets: int | None = field("Those of them that were reset by either end, refused, or timed out.", unit=COUNT)
    ended_in_bytes: int | None = field("Payload that they received until their end.", unit=BYTES)
    ended_out_bytes: int | None = field("Payload that they sent until their end.", unit=BYTES)
    in_bytes_per_s: float | None = field("Payload received, per second.", unit=BYTES_PER_S)
    out_bytes_per_s: float | None = field("Payload sent, per second.", unit=BYTES_PER_S)
