"""The inet_diag answers of tests/fixtures/layouts, with the exact result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from sockdiag.kernel.netlink import NLMSG_DONE
from sockdiag.model.address import Endpoint
from sockdiag.model.inet_attrs import InetAttrs, MemInfo
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket, Timer
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.system.transport import Request, messages
from tests.recorded import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path


HERE, AWAY, ANY = Endpoint("10.0.0.10", 22), Endpoint("10.0.0.99", 49153), Endpoint("0.0.0.0", 0)
HERE6, AWAY6, ANY6 = Endpoint("2001:db8::1", 80), Endpoint("2001:db8::2", 49374), Endpoint("::", 0)

tcp = partial(Socket, netid="tcp", family="AF_INET", type="SOCK_STREAM", protocol="TCP", source="netlink")


REQUEST = Request("layout", b"")
MEMORY = {
    "rmem_alloc": 512,
    "rcvbuf": 131072,
    "wmem_alloc": 2048,
    "sndbuf": 87040,
    "fwd_alloc": 8192,
    "wmem_queued": 1024,
    "optmem": 0,
    "backlog": 256,
    "drops": 3,
}
INFO_4_9 = TcpInfo(
    state=1,
    ca_state=0,
    retransmits=0,
    probes=0,
    backoff=0,
    options=7,
    snd_wscale=7,
    rcv_wscale=7,
    delivery_rate_app_limited=0,
    fastopen_client_fail=0,
    rto_us=204000,
    ato_us=40000,
    snd_mss=1448,
    rcv_mss=536,
    unacked=3,
    sacked=0,
    lost=0,
    retrans=0,
    fackets=0,
    last_data_sent_ms=120,
    last_data_recv_ms=116,
    last_ack_recv_ms=112,
    pmtu=1500,
    rcv_ssthresh_bytes=65483,
    rtt_us=31250,
    rttvar_us=1750,
    snd_ssthresh=7,
    snd_cwnd=10,
    advmss=1448,
    reordering=3,
    rcv_rtt_us=30000,
    rcv_space_bytes=65535,
    total_retrans=2,
    pacing_rate_bytes_per_s=250000,
    bytes_acked=123457,
    bytes_received=654321,
    segs_out=901,
    segs_in=902,
    notsent_bytes=77,
    min_rtt_us=29000,
    data_segs_in=801,
    data_segs_out=802,
    delivery_rate_bytes_per_s=333333,
)
INFO_4_19 = INFO_4_9._replace(
    busy_time_us=5000000,
    rwnd_limited_us=4000,
    sndbuf_limited_us=3000,
    delivered=800,
    delivered_ce=1,
    bytes_sent=130000,
    bytes_retrans=6543,
    dsack_dups=4,
    reord_seen=5,
)


def dumped(path: Path) -> list[bytes]:
    return [row for row in messages(REQUEST, path.read_bytes()) if row[4] != NLMSG_DONE]


def decoded(path: str) -> list[Socket]:
    rows = dumped(LAYOUTS / path)
    return [inet_diag.decode(row, "tcp", lambda _index: None, "layout") for row in rows]


def test_inet_diag_without_attributes() -> None:
    """2.6.32 sends what every message has, with the address of the socket for its cookie."""
    assert decoded("2.6.32/netlink/inet_diag_tcp.nl") == [
        tcp(
            state="LISTEN",
            local=Endpoint("0.0.0.0", 22),
            peer=ANY,
            recv_q=3,
            send_q=128,
            recv_q_unit="connections",
            uid=0,
            inode=9001,
            cookie=0xFFFF880012345680,
        ),
        tcp(
            state="ESTABLISHED",
            local=HERE,
            peer=AWAY,
            recv_q=32,
            send_q=1024,
            uid=1000,
            inode=9002,
            cookie=0xFFFF880012345E00,
            timer=Timer("retransmit", 210, 2),
        ),
    ]


@pytest.mark.parametrize(
    ("kernel", "cookie", "info", "inet", "mini"),
    [
        ("4.9", 0x1001, INFO_4_9, InetAttrs(tos=0, congestion="cubic"), ("TIME_WAIT", 0, 45000)),
        (
            "4.19",
            0x2001,
            INFO_4_19,
            InetAttrs(tos=16, class_id=0x10001, congestion="bbr"),
            ("FIN_WAIT2", 0x2003, 30000),
        ),
    ],
)
def test_inet_diag_with_attributes(
    kernel: str, cookie: int, info: TcpInfo, inet: InetAttrs, mini: tuple[str, int, int]
) -> None:
    """The tcp_info of that kernel, the members of later ones unknown; a mini-socket has neither it nor an owner."""
    meminfo = MemInfo(rmem=512, wmem=8192, fmem=1024, tmem=2048)
    assert decoded(f"{kernel}/netlink/inet_diag_tcp.nl") == [
        tcp(
            state="ESTABLISHED",
            local=HERE,
            peer=AWAY,
            recv_q=32,
            send_q=1024,
            uid=1000,
            inode=9002,
            cookie=cookie,
            shutdown=0,
            timer=Timer("keepalive", 7200000, 0),
            skmem=SkMem(**MEMORY),
            tcp_info=info,
            inet=inet._replace(meminfo=meminfo),
        ),
        tcp(
            state=mini[0],
            local=HERE,
            peer=AWAY._replace(port=49154),
            recv_q=0,
            send_q=0,
            inode=0,
            cookie=mini[1],
            timer=Timer("timewait", mini[2], 0),
        ),
    ]
    assert decoded(f"{kernel}/netlink/inet_diag_tcp6.nl") == [
        tcp(
            family="AF_INET6",
            state="ESTABLISHED",
            local=HERE6,
            peer=AWAY6,
            recv_q=0,
            send_q=0,
            uid=33,
            inode=9102,
            cookie=cookie + 1,
            shutdown=0,
            skmem=SkMem(**MEMORY),
            tcp_info=info,
            inet=InetAttrs(tos=0, tclass=0, congestion={"4.9": "reno", "4.19": "cubic"}[kernel], meminfo=meminfo),
        ),
    ]


def test_inet_diag_without_extensions() -> None:
    """What comes unasked: the shutdown mask, and of IPv6 the option."""
    listener = partial(tcp, state="LISTEN", send_q=128, recv_q_unit="connections", uid=0, shutdown=0)
    assert decoded("5.10/netlink/inet_diag_tcp.nl") == [
        listener(local=Endpoint("0.0.0.0", 22), peer=ANY, recv_q=3, inode=9001, cookie=0x3001)
    ]
    assert decoded("5.10/netlink/inet_diag_tcp6.nl") == [
        listener(
            family="AF_INET6",
            local=ANY6._replace(port=22),
            peer=ANY6,
            recv_q=0,
            inode=9004,
            cookie=0x3002,
            inet=InetAttrs(v6only=True),
        )
    ]
