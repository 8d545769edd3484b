"""Fields that only IP sockets have beyond addresses and queues: options, congestion control, keys."""

from __future__ import annotations

from sockdiag.kernel.inet_diag import SOCKOPT_NAMES
from sockdiag.model.address import Endpoint
from sockdiag.model.congestion import BbrInfo, DctcpInfo, VegasInfo
from sockdiag.model.record import BYTES, FLAGS, ID, LABEL, SECRET, Record, field
from sockdiag.model.ulp import UlpInfo


class MemInfo(Record):
    """``struct inet_diag_meminfo``, the forerunner of SKMEMINFO. Source: ``inet_sk_diag_fill()``."""

    rmem: int | None = field(
        "Receive queue memory, overhead included.",
        default=None,
        unit=BYTES,
        wire="I",
        kernel="sk_rmem_alloc_get(sk)",
        sources=("INET_DIAG_MEMINFO.idiag_rmem",),
    )
    wmem: int | None = field(
        "Memory of the TCP write queue.",
        default=None,
        unit=BYTES,
        wire="I",
        kernel="sk->sk_wmem_queued",
        sources=("INET_DIAG_MEMINFO.idiag_wmem",),
    )
    fmem: int | None = field(
        "Memory charged to the protocol and not yet used.",
        default=None,
        unit=BYTES,
        wire="I",
        kernel="sk->sk_forward_alloc",
        sources=("INET_DIAG_MEMINFO.idiag_fmem",),
    )
    tmem: int | None = field(
        "Memory of sent data still in the qdisc, the driver or the peer's queue.",
        default=None,
        unit=BYTES,
        wire="I",
        kernel="sk_wmem_alloc_get(sk)",
        sources=("INET_DIAG_MEMINFO.idiag_tmem",),
    )


class Md5Key(Record):
    """One TCP-MD5 key of a socket (``struct tcp_diag_md5sig``); visible only with CAP_NET_ADMIN."""

    address: str = field(
        "Peer address that it is for.", kind=ID, kernel="key->addr", sources=("INET_DIAG_MD5SIG.tcpm_addr",)
    )
    prefixlen: int = field(
        "Bits of the address that count.",
        kind=ID,
        kernel="key->prefixlen",
        sources=("INET_DIAG_MD5SIG.tcpm_prefixlen",),
    )
    key: bytes = field(
        "The key itself: a secret, shown only by sockdiag ss.",
        kind=SECRET,
        kernel="key->key",
        sources=("INET_DIAG_MD5SIG.tcpm_key",),
    )


class InetAttrs(Record):
    """Attributes of an inet_diag answer that are not fields of the socket itself. None: the kernel did not send it."""

    tos: int | None = field(
        "Type of service, IP_TOS; on an IPv6 socket that of its IPv4 packets.",
        default=None,
        kind=ID,
        kernel="inet->tos",
        sources=("INET_DIAG_TOS",),
    )
    tclass: int | None = field(
        "Traffic class, IPV6_TCLASS.", default=None, kind=ID, kernel="np->tclass", sources=("INET_DIAG_TCLASS",)
    )
    class_id: int | None = field(
        "net_cls class of its cgroup; without one, the socket's priority.",
        default=None,
        kind=ID,
        kernel="sock_cgroup_classid(&sk->sk_cgrp_data), sk->sk_priority",
        sources=("INET_DIAG_CLASS_ID",),
    )
    v6only: bool | None = field(
        "IPV6_V6ONLY; reported for listening and unconnected IPv6 sockets.",
        default=None,
        kind=LABEL,
        kernel="ipv6_only_sock(sk)",
        sources=("INET_DIAG_SKV6ONLY",),
    )
    sockopt: int | None = field(
        "Socket options that are on.",
        default=None,
        kind=FLAGS,
        words=SOCKOPT_NAMES,
        kernel="inet->inet_flags",
        sources=("INET_DIAG_SOCKOPT",),
    )
    congestion: str | None = field(
        "Congestion control algorithm.",
        default=None,
        kind=LABEL,
        kernel="icsk->icsk_ca_ops->name",
        sources=("INET_DIAG_CONG",),
    )
    vegas: VegasInfo | None = field(
        "State of a delay-based algorithm.", default=None, optional=True, of=VegasInfo, sources=("INET_DIAG_VEGASINFO",)
    )
    dctcp: DctcpInfo | None = field(
        "State of DCTCP.", default=None, optional=True, of=DctcpInfo, sources=("INET_DIAG_DCTCPINFO",)
    )
    bbr: BbrInfo | None = field(
        "State of BBR.", default=None, optional=True, of=BbrInfo, sources=("INET_DIAG_BBRINFO",)
    )
    ulp: UlpInfo | None = field(
        "Upper layer protocol; read with tcp_info.",
        default=None,
        optional=True,
        of=UlpInfo,
        needs="tcp_info",
        kernel="icsk->icsk_ulp_ops",
        sources=("INET_DIAG_ULP_INFO",),
    )
    md5_keys: tuple[Md5Key, ...] | None = field(
        "TCP-MD5 keys; read with tcp_info, visible only with CAP_NET_ADMIN.",
        default=None,
        optional=True,
        of=Md5Key,
        needs="tcp_info",
        kernel="tp->md5sig_info",
        sources=("INET_DIAG_MD5SIG",),
    )
    meminfo: MemInfo | None = field(
        "Memory, where the kernel lacks SKMEMINFO or it was not requested.",
        default=None,
        of=MemInfo,
        sources=("INET_DIAG_MEMINFO",),
    )
    locals: tuple[Endpoint, ...] | None = field(
        "Own addresses of an SCTP endpoint or association.",
        default=None,
        of=Endpoint,
        sources=("INET_DIAG_LOCALS",),
    )
    peers: tuple[Endpoint, ...] | None = field(
        "The peer's addresses of an SCTP association; null: it is an endpoint.",
        default=None,
        of=Endpoint,
        sources=("INET_DIAG_PEERS",),
    )
    bpf_storage: bytes | None = field(
        "BPF storage of the socket, as the kernel sent it.",
        default=None,
        kind=ID,
        sources=("INET_DIAG_SK_BPF_STORAGES",),
    )
