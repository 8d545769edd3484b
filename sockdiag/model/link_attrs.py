"""What only packet and XDP sockets have: both work below IP, on one device."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, FLAGS, ID, LABEL, MS, Record, field


class PacketRing(Record):
    """Geometry of a ring that a packet socket shares with its owner (PACKET_RX_RING, PACKET_TX_RING).

    Source: ``pdiag_put_ring()``, net/packet/diag.c. The kernel does not report how full a ring is.
    """

    block_size: int = field(
        "Size of a block.",
        unit=BYTES,
        header="BLOCK-SIZE",
        kernel="ring->pg_vec_pages",
        sources=("packet_diag_ring.pdr_block_size",),
    )
    block_nr: int = field(
        "Blocks.", unit=COUNT, header="BLOCKS", kernel="ring->pg_vec_len", sources=("packet_diag_ring.pdr_block_nr",)
    )
    frame_size: int = field(
        "Size of a frame.",
        unit=BYTES,
        header="FRAME-SIZE",
        kernel="ring->frame_size",
        sources=("packet_diag_ring.pdr_frame_size",),
    )
    frame_nr: int = field(
        "Frames in all.",
        unit=COUNT,
        header="FRAMES",
        kernel="ring->frame_max + 1",
        sources=("packet_diag_ring.pdr_frame_nr",),
    )
    retire_tmo: int = field(
        "TPACKET_V3: time after which a block that is not full is handed to the owner.",
        unit=MS,
        header="RETIRE-TMO",
        kernel="ring->prb_bdqc.interval_ktime",
        sources=("packet_diag_ring.pdr_retire_tmo",),
    )
    sizeof_priv: int = field(
        "TPACKET_V3: the owner's own area in each block.",
        unit=BYTES,
        header="SIZEOF-PRIV",
        kernel="ring->prb_bdqc.blk_sizeof_priv",
        sources=("packet_diag_ring.pdr_sizeof_priv",),
    )
    features: int = field(
        "TPACKET_V3 features.",
        kind=FLAGS,
        words=("RXHASH",),
        header="FEATURES",
        kernel="ring->prb_bdqc.feature_req_word",
        sources=("packet_diag_ring.pdr_features",),
    )


class PacketFanout(Record):
    """The group of sockets among which the kernel spreads the packets (PACKET_FANOUT).

    Source: ``pdiag_put_fanout()``, net/packet/diag.c: id and type << 16 in one word; the flags are not sent.
    """

    id: int = field(
        "Number of the group, unique in its namespace.",
        kind=ID,
        header="FANOUT-ID",
        kernel="po->fanout->id",
        sources=("PACKET_DIAG_FANOUT",),
    )
    type: int = field(
        "How a socket is chosen: 0 HASH, 1 LB, 2 CPU, 3 ROLLOVER, 4 RND, 5 QM, 6 CBPF, 7 EBPF.",
        kind=ID,
        header="FANOUT-TYPE",
        kernel="po->fanout->type",
        sources=("PACKET_DIAG_FANOUT",),
    )


class PacketMembership(Record):
    """One membership of a packet socket (PACKET_ADD_MEMBERSHIP). Source: ``pdiag_put_mclist()``, net/packet/diag.c."""

    ifindex: int = field(
        "Device.", kind=ID, header="IFINDEX", kernel="packet_mclist.ifindex", sources=("packet_diag_mclist.pdmc_index",)
    )
    count: int = field(
        "How often it was joined.",
        unit=COUNT,
        header="COUNT",
        kernel="packet_mclist.count",
        sources=("packet_diag_mclist.pdmc_count",),
    )
    type: int = field(
        "0 MULTICAST, 1 PROMISC, 2 ALLMULTI, 3 UNICAST.",
        kind=ID,
        header="TYPE",
        kernel="packet_mclist.type",
        sources=("packet_diag_mclist.pdmc_type",),
    )
    address: str = field(
        "Hardware address, such as 01:00:5e:00:00:01; empty where the type has none.",
        kind=ID,
        header="ADDRESS",
        kernel="packet_mclist.addr",
        sources=("packet_diag_mclist.pdmc_addr",),
    )


class BpfInstruction(Record):
    """One instruction of a classic BPF program (struct sock_filter)."""

    code: int = field("Operation.", kind=ID, header="CODE", kernel="sock_filter.code", sources=("PACKET_DIAG_FILTER",))
    jt: int = field(
        "Instructions to skip if true.", kind=ID, header="JT", kernel="sock_filter.jt", sources=("PACKET_DIAG_FILTER",)
    )
    jf: int = field(
        "Instructions to skip if false.", kind=ID, header="JF", kernel="sock_filter.jf", sources=("PACKET_DIAG_FILTER",)
    )
    k: int = field("Operand.", kind=ID, header="K", kernel="sock_filter.k", sources=("PACKET_DIAG_FILTER",))


class PacketAttrs(Record):
    """Details of an AF_PACKET socket.

    Source: ``sk_diag_fill()``, net/packet/diag.c; ``packet_seq_show()``, net/packet/af_packet.c.
    """

    ifindex: int | None = field(
        "Device that it is bound to; 0 is all devices, 4294967295 one that was deleted.",
        default=None,
        kind=ID,
        header="IFINDEX",
        kernel="po->ifindex",
        sources=("packet_diag_info.pdi_index", "/proc/net/packet: Iface"),
    )
    running: bool | None = field(
        "It receives packets: bound to a protocol, and its device is up.",
        default=None,
        kind=LABEL,
        header="RUNNING",
        kernel="PACKET_SOCK_RUNNING of po->flags",
        sources=("packet_diag_info.pdi_flags", "/proc/net/packet: R"),
    )
    version: int | None = field(
        "Ring format: 0 TPACKET_V1, 1 TPACKET_V2, 2 TPACKET_V3.",
        default=None,
        kind=ID,
        header="VERSION",
        kernel="po->tp_version",
        sources=("packet_diag_info.pdi_version",),
    )
    copy_thresh: int | None = field(
        "PACKET_COPY_THRESH: packets longer than a ring frame are also queued whole if it is not 0.",
        default=None,
        unit=BYTES,
        header="COPY-THRESH",
        kernel="po->copy_thresh",
        sources=("packet_diag_info.pdi_copy_thresh",),
    )
    timestamp: int | None = field(
        "PACKET_TIMESTAMP: source of the time stamps, a mask of SOF_TIMESTAMPING_….",
        default=None,
        kind=FLAGS,
        words=("TX_HARDWARE", "TX_SOFTWARE", "RX_HARDWARE", "RX_SOFTWARE", "SOFTWARE", "SYS_HARDWARE", "RAW_HARDWARE"),
        header="TIMESTAMP",
        kernel="po->tp_tstamp",
        sources=("packet_diag_info.pdi_tstamp",),
    )
    reserve: int | None = field(
        "PACKET_RESERVE: room kept in front of each packet of the ring.",
        default=None,
        unit=BYTES,
        header="RESERVE",
        kernel="po->tp_reserve",
        sources=("packet_diag_info.pdi_reserve",),
    )
    flags: int | None = field(
        "Options of the socket.",
        default=None,
        kind=FLAGS,
        words=("RUNNING", "AUXDATA", "ORIGDEV", "VNETHDR", "LOSS"),
        header="FLAGS",
        kernel="po->flags, po->has_vnet_hdr, po->tp_loss",
        sources=("packet_diag_info.pdi_flags",),
    )
    rx_ring: PacketRing | None = field(
        "Receive ring.", default=None, optional=True, of=PacketRing, header="RX-RING", sources=("PACKET_DIAG_RX_RING",)
    )
    tx_ring: PacketRing | None = field(
        "Send ring.", default=None, optional=True, of=PacketRing, header="TX-RING", sources=("PACKET_DIAG_TX_RING",)
    )
    fanout: PacketFanout | None = field(
        "Fanout group.", default=None, optional=True, of=PacketFanout, header="FANOUT", sources=("PACKET_DIAG_FANOUT",)
    )
    memberships: tuple[PacketMembership, ...] | None = field(
        "Multicast, promiscuous and all-multicast memberships.",
        default=None,
        optional=True,
        of=PacketMembership,
        header="MEMBERSHIPS",
        kernel="po->mclist",
        sources=("PACKET_DIAG_MCLIST",),
    )
    filter: tuple[BpfInstruction, ...] | None = field(
        "Classic BPF program that chooses packets; visible only with CAP_NET_ADMIN.",
        default=None,
        of=BpfInstruction,
        header="FILTER",
        kernel="sk->sk_filter->prog->orig_prog",
        sources=("PACKET_DIAG_FILTER",),
    )
    refs: int | None = field(
        "References that the kernel holds to the socket.",
        default=None,
        unit=COUNT,
        header="REFS",
        kernel="sk->sk_refcnt",
        sources=("/proc/net/packet: RefCnt",),
    )


class XdpUmem(Record):
    """Memory of an XDP socket's frames. Source: ``xsk_diag_put_umem()``, net/xdp/xsk_diag.c."""

    id: int = field(
        "Number of the memory area; sockets that share it show the same.",
        kind=ID,
        header="UMEM-ID",
        kernel="umem->id",
        sources=("xdp_diag_umem.id",),
    )
    size: int = field("Size.", unit=BYTES, header="SIZE", kernel="umem->size", sources=("xdp_diag_umem.size",))
    num_pages: int = field(
        "Pages.", unit=COUNT, header="PAGES", kernel="umem->npgs", sources=("xdp_diag_umem.num_pages",)
    )
    chunk_size: int = field(
        "Size of a frame.",
        unit=BYTES,
        header="CHUNK-SIZE",
        kernel="umem->chunk_size",
        sources=("xdp_diag_umem.chunk_size",),
    )
    headroom: int = field(
        "Room in front of each packet.",
        unit=BYTES,
        header="HEADROOM",
        kernel="umem->headroom",
        sources=("xdp_diag_umem.headroom",),
    )
    ifindex: int = field(
        "Device; 0 is none.",
        kind=ID,
        header="IFINDEX",
        kernel="umem->netdev->ifindex",
        sources=("xdp_diag_umem.ifindex",),
    )
    queue_id: int = field(
        "Queue of that device.", kind=ID, header="QUEUE", kernel="umem->queue_id", sources=("xdp_diag_umem.queue_id",)
    )
    flags: int = field(
        "Options.", kind=FLAGS, words=("ZEROCOPY",), header="FLAGS", kernel="umem->zc", sources=("xdp_diag_umem.flags",)
    )
    refs: int = field(
        "Sockets that use it.", unit=COUNT, header="REFS", kernel="umem->users", sources=("xdp_diag_umem.refs",)
    )


class XdpStats(Record):
    """Losses of an XDP socket. Source: ``xsk_diag_put_stats()``, net/xdp/xsk_diag.c; XDP_STATISTICS."""

    rx_dropped: int = field(
        "Received packets dropped for other reasons than a full ring.",
        unit=COUNT,
        kind=COUNTER,
        header="RX-DROPPED",
        kernel="xs->rx_dropped",
        sources=("xdp_diag_stats.n_rx_dropped",),
    )
    rx_invalid: int = field(
        "Invalid descriptors in the fill ring.",
        unit=COUNT,
        kind=COUNTER,
        header="RX-INVALID",
        kernel="xskq_nb_invalid_descs(xs->pool->fq)",
        sources=("xdp_diag_stats.n_rx_invalid",),
    )
    rx_full: int = field(
        "Received packets dropped because the rx ring was full.",
        unit=COUNT,
        kind=COUNTER,
        header="RX-FULL",
        kernel="xs->rx_queue_full",
        sources=("xdp_diag_stats.n_rx_full",),
    )
    fill_ring_empty: int = field(
        "Times that the kernel found no frame in the fill ring.",
        unit=COUNT,
        kind=COUNTER,
        header="FILL-EMPTY",
        kernel="xskq_nb_queue_empty_descs(xs->pool->fq)",
        sources=("xdp_diag_stats.n_fill_ring_empty",),
    )
    tx_invalid: int = field(
        "Invalid descriptors in the tx ring.",
        unit=COUNT,
        kind=COUNTER,
        header="TX-INVALID",
        kernel="xskq_nb_invalid_descs(xs->tx)",
        sources=("xdp_diag_stats.n_tx_invalid",),
    )
    tx_ring_empty: int = field(
        "Times that the kernel found nothing to send in the tx ring.",
        unit=COUNT,
        kind=COUNTER,
        header="TX-EMPTY",
        kernel="xskq_nb_queue_empty_descs(xs->tx)",
        sources=("xdp_diag_stats.n_tx_ring_empty",),
    )


class XdpAttrs(Record):
    """Details of an AF_XDP socket. Source: ``xsk_diag_fill()``, net/xdp/xsk_diag.c."""

    ifindex: int | None = field(
        "Device that it is bound to; 0 is none.",
        default=None,
        kind=ID,
        header="IFINDEX",
        kernel="xs->dev->ifindex",
        sources=("xdp_diag_info.ifindex",),
    )
    queue_id: int | None = field(
        "Queue of that device.",
        default=None,
        kind=ID,
        header="QUEUE",
        kernel="xs->queue_id",
        sources=("xdp_diag_info.queue_id",),
    )
    rx_entries: int | None = field(
        "Size of the rx ring.",
        default=None,
        optional=True,
        unit=COUNT,
        header="RX-ENTRIES",
        kernel="xs->rx->nentries",
        sources=("XDP_DIAG_RX_RING",),
    )
    tx_entries: int | None = field(
        "Size of the tx ring.",
        default=None,
        optional=True,
        unit=COUNT,
        header="TX-ENTRIES",
        kernel="xs->tx->nentries",
        sources=("XDP_DIAG_TX_RING",),
    )
    umem: XdpUmem | None = field(
        "Memory of the frames.",
        default=None,
        optional=True,
        of=XdpUmem,
        header="UMEM",
        kernel="xs->umem",
        sources=("XDP_DIAG_UMEM",),
    )
    fill_entries: int | None = field(
        "Size of the umem's fill ring.",
        default=None,
        unit=COUNT,
        header="FILL-ENTRIES",
        kernel="xs->pool->fq->nentries",
        sources=("XDP_DIAG_UMEM_FILL_RING",),
    )
    completion_entries: int | None = field(
        "Size of the umem's completion ring.",
        default=None,
        unit=COUNT,
        header="COMPLETION-ENTRIES",
        kernel="xs->pool->cq->nentries",
        sources=("XDP_DIAG_UMEM_COMPLETION_RING",),
    )
    stats: XdpStats | None = field("Losses.", default=None, of=XdpStats, header="STATS", sources=("XDP_DIAG_STATS",))
