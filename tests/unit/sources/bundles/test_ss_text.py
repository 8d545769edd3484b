"""Text of ss: what each column and word is, and what is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.socket import Owner, Socket, Timer
from sockdiag.sources.bundles.ss_text import is_ss, parse_ss
from sockdiag.sources.bundles.text_cells import printed_ms
from tests.needs import refuse

HEADER = "Netid State  Recv-Q Send-Q Local Address:Port     Peer Address:Port    Process\n"
FULL = (
    HEADER
    + """tcp   ESTAB  5      7      10.0.0.1:22        10.0.0.2:40000 users:(("sshd",pid=7,fd=3),("a ) b",pid=8,fd=4)) timer:(on,1.250ms,3) uid:5 ino:99 sk:1f cgroup:/system.slice/ssh.service -->
\t skmem:(r10,rb131072,t0,tb87040,f1,w2,o3,bl4,d5) ts sack cubic wscale:7,8 rto:204 backoff:3 rtt:0.25/0.125 ato:40 mss:1448 pmtu:1500 rcvmss:536 advmss:1448 cwnd:10 ssthresh:7 bytes_sent:100 bytes_acked:90 bytes_received:80 segs_out:9 segs_in:8 data_segs_out:7 data_segs_in:6 send 463360000bps lastsnd:4 lastrcv:5 lastack:6 pacing_rate 926720000bps delivery_rate 8000bps delivered:3 app_limited busy:12ms rwnd_limited:4ms(33.3%) unacked:2 retrans:1/4 lost:1 sacked:1 rcv_rtt:1.5 rcv_space:14480 rcv_ssthresh:64088 notsent:11 minrtt:0.125 snd_wnd:0
"""
)


def only(text: str) -> Socket:
    tables = parse_ss(text.encode(), "ss.txt")
    assert tables.errors == []
    ((socket,),) = tables.sockets.values()
    return socket


def test_every_column_and_word() -> None:
    socket = only(FULL)
    assert (socket.netid, socket.family, socket.state, socket.source) == ("tcp", "AF_INET", "ESTABLISHED", "ss")
    assert (socket.local, socket.peer) == (Endpoint("10.0.0.1", 22), Endpoint("10.0.0.2", 40000))
    assert (socket.recv_q, socket.send_q, socket.recv_q_unit) == (5, 7, "bytes")
    assert socket.processes == (Owner(7, b"sshd", 3), Owner(8, b"a ) b", 4))
    assert socket.timer == Timer("retransmit", 1250, 3)
    assert (socket.uid, socket.inode, socket.cookie) == (5, 99, 0x1F)
    assert (socket.cgroup, socket.shutdown) == ("/system.slice/ssh.service", 1)
    assert socket.skmem is not None
    assert socket.skmem._values() == (10, 131072, 0, 87040, 1, 2, 3, 4, 5)
    assert socket.inet is not None
    assert socket.inet.congestion == "cubic"
    info = socket.tcp_info
    assert info is not None
    assert (info.options, info.snd_wscale, info.rcv_wscale) == (7, 7, 8)
    assert (info.rto_us, info.backoff, info.rtt_us, info.rttvar_us, info.ato_us) == (204_000, 3, 250, 125, 40_000)
    assert (info.snd_mss, info.pmtu, info.snd_cwnd, info.snd_ssthresh) == (1448, 1500, 10, 7)
    assert (info.bytes_sent, info.bytes_acked, info.bytes_received) == (100, 90, 80)
    assert (info.pacing_rate_bytes_per_s, info.delivery_rate_bytes_per_s) == (115_840_000, 1000)
    assert info.delivery_rate_app_limited == 1
    assert (info.busy_time_us, info.rwnd_limited_us) == (12_000, 4_000)
    assert (info.unacked, info.retrans, info.total_retrans, info.lost, info.sacked) == (2, 1, 4, 1, 1)
    assert (info.rcv_rtt_us, info.min_rtt_us, info.notsent_bytes, info.snd_wnd_bytes) == (1500, 125, 11, 0)
    assert (info.last_data_sent_ms, info.last_data_recv_ms, info.last_ack_recv_ms) == (4, 5, 6)
    assert info.retransmits == 3


def test_what_is_left_out_is_zero_where_it_would_be_printed_and_else_unknown() -> None:
    info = only(FULL).tcp_info
    assert info is not None
    # Known to this ss, as bytes_sent shows; not printed because they are 0.
    assert (info.bytes_retrans, info.dsack_dups, info.sndbuf_limited_us) == (0, 0, 0)
    # No version prints them, or this one may not know them.
    assert (info.ca_state, info.probes, info.rcv_ooopack, info.rehash) == (None, None, None, None)


def test_without_options_the_rest_is_unknown() -> None:
    socket = only("State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nLISTEN 3 128 [::1]:80 [::]:*\n")
    assert (socket.netid, socket.family, socket.local) == ("tcp", "AF_INET6", Endpoint("::1", 80))
    assert (socket.recv_q, socket.send_q, socket.recv_q_unit) == (3, 128, "connections")
    assert (socket.uid, socket.inode, socket.cookie, socket.timer, socket.skmem) == (None,) * 5
    assert (socket.tcp_info, socket.processes) == (None, None)


@pytest.mark.parametrize(
    ("local", "family", "end"),
    [
        ("*:80", "AF_INET6", Endpoint("::", 80)),
        ("[::]:80", "AF_INET6", Endpoint("::", 80)),
        ("0.0.0.0:80", "AF_INET", Endpoint("0.0.0.0", 80)),
        ("127.0.0.53%lo:53", "AF_INET", Endpoint("127.0.0.53", 53, "lo")),
        ("[fe80::1]%eth0:53", "AF_INET6", Endpoint("fe80::1", 53, "eth0")),
        ("[fe80::1%eth0]:53", "AF_INET6", Endpoint("fe80::1", 53, "eth0")),
        ("[::ffff:10.0.0.1]:53", "AF_INET6", Endpoint("::ffff:10.0.0.1", 53)),
        ("0.0.0.0:domain", "AF_INET", Endpoint("0.0.0.0", 53)),
        ("0.0.0.0:no-such-service", "AF_INET", Endpoint("0.0.0.0", None)),
    ],
)
def test_addresses(local: str, family: str, end: Endpoint) -> None:
    if local.endswith(":domain") and not Path("/etc/services").exists():
        refuse("needs /etc/services, of netbase")
    peer = "*:*" if local[0] == "*" else "[::]:*" if family == "AF_INET6" else "0.0.0.0:*"
    socket = only(f"udp UNCONN 0 0 {local} {peer}\n")
    assert (socket.family, socket.local) == (family, end)


def test_addresses_of_an_old_ss() -> None:
    tables = parse_ss(b"tcp LISTEN 0 128 *:22 *:*\ntcp LISTEN 0 128 :::22 :::*\n", "ss.txt")
    assert [(s.family, s.local) for s in tables.sockets["tcp"]] == [
        ("AF_INET", Endpoint("0.0.0.0", 22)),
        ("AF_INET6", Endpoint("::", 22)),
    ]


def test_one_table_without_its_name_is_told_by_its_states() -> None:
    head = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
    assert only(head + "UNCONN 0 0 0.0.0.0:53 0.0.0.0:*\n").netid == "udp"
    assert only(head + "ESTAB 0 0 10.0.0.1:53 10.0.0.2:9\n").netid == "tcp"


def test_unix_sockets() -> None:
    text = HEADER + (
        'u_str LISTEN 3 4 /run/my app.sock 12 * 0 users:(("app",pid=5,fd=6)) <->\n'
        "u_dgr UNCONN 8 0 @name 13 * 14 -->\n"
        "u_seq ESTAB 0 0 * 15 * 16\n"
    )
    one, two, three = parse_ss(text.encode(), "ss.txt").sockets["unix"]
    assert (one.local, one.recv_q, one.send_q, one.recv_q_unit) == (Endpoint(b"/run/my app.sock"), 3, 4, "connections")
    assert one.processes == (Owner(5, b"app", 6),)
    assert one.unix is not None
    assert one.unix.peer_inode is None
    assert (two.local, two.type, two.state, two.shutdown) == (Endpoint(b"\0name"), "SOCK_DGRAM", "CLOSE", 1)
    assert two.unix is not None
    assert two.unix.peer_inode == 14
    assert (three.local, three.inode, three.type) == (NOWHERE, 15, "SOCK_SEQPACKET")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("", 0), ("200ms", 200), ("9.876ms", 9876), ("12sec", 12_000), ("1min59sec", 119_000), ("119min", 7_140_000)],
)
def test_times(text: str, ms: int) -> None:
    assert printed_ms(text) == ms


@pytest.mark.parametrize(
    "row",
    [
        "tcp ESTAB x 0 1.2.3.4:1 1.2.3.4:2",
        "tcp ESTAB 0 0 1.2.3.4 1.2.3.4:2",
        "tcp ESTAB 0 0 1.2.3.4:70000 1.2.3.4:2",
        "tcp NOSTATE 0 0 1.2.3.4:1 1.2.3.4:2",
        "tcp ESTAB 0 0 1.2.3.4:1 1.2.3.4:2 ino:x sk:1",
        "u_str ESTAB 0 0 nothing",
    ],
)
def test_a_malformed_row_costs_that_row(row: str) -> None:
    tables = parse_ss(f"tcp LISTEN 0 1 1.2.3.4:5 0.0.0.0:*\n{row}\n".encode(), "ss.txt")
    assert len(tables.sockets["tcp"]) == 1
    (error,) = tables.errors
    assert str(error).startswith("ss.txt:2: ")


def test_recognised_by_its_contents() -> None:
    assert is_ss(HEADER.encode())
    assert is_ss(b"State Recv-Q Send-Q Local Address:Port Peer Address:Port\n")
    assert is_ss(b"tcp LISTEN 0 1 1.2.3.4:5 0.0.0.0:*\n")
    assert is_ss(b"LISTEN 0 1 1.2.3.4:5 0.0.0.0:*\n")
    assert not is_ss(b"Proto Recv-Q Send-Q Local Address\n")
    assert not is_ss(b"\x1f\x8b\x08\0")
