"""What family, type and protocol select."""

from __future__ import annotations

import pytest

from sockdiag.kernel.proto_ops import PROTO_NAMES, proto_name, proto_ops, socket_state
from sockdiag.kernel.socket_paths import create_path, receive_path
from sockdiag.model.query import TABLES


@pytest.mark.parametrize(
    ("netid", "family", "kind", "ops", "proto"),
    [
        ("tcp", "AF_INET", "SOCK_STREAM", "inet_stream_ops", "TCP"),
        ("tcp", "AF_INET6", "SOCK_STREAM", "inet6_stream_ops", "TCPv6"),
        ("udp", "AF_INET", "SOCK_DGRAM", "inet_dgram_ops", "UDP"),
        ("udplite", "AF_INET6", "SOCK_DGRAM", "inet6_dgram_ops", "UDPLITEv6"),
        ("raw", "AF_INET6", "SOCK_RAW", "inet6_sockraw_ops", "RAWv6"),
        ("icmp", "AF_INET", "SOCK_DGRAM", "inet_sockraw_ops", "PING"),
        ("mptcp", "AF_INET", "SOCK_STREAM", "mptcp_stream_ops", "MPTCP"),
        ("unix", "AF_UNIX", "SOCK_STREAM", "unix_stream_ops", "UNIX-STREAM"),
        ("unix", "AF_UNIX", "SOCK_DGRAM", "unix_dgram_ops", "UNIX"),
        ("unix", "AF_UNIX", "SOCK_SEQPACKET", "unix_seqpacket_ops", "UNIX"),
        ("netlink", "AF_NETLINK", "SOCK_RAW", "netlink_ops", "NETLINK"),
        ("packet", "AF_PACKET", "SOCK_RAW", "packet_ops", "PACKET"),
        ("vsock", "AF_VSOCK", None, None, "AF_VSOCK"),
        ("other", "AF_ALG", "SOCK_SEQPACKET", None, None),
    ],
)
def test_ops_and_proto(netid: str, family: str, kind: str | None, ops: str | None, proto: str | None) -> None:
    """proto_ops and struct proto of each kind of socket."""
    assert proto_ops(netid, family, kind) == ops
    assert proto_name(netid, family, kind) == proto


def test_every_table_has_a_name() -> None:
    """No table is left out."""
    assert set(PROTO_NAMES) == set(TABLES)


@pytest.mark.parametrize(
    ("netid", "state", "expected"),
    [
        ("tcp", "LISTEN", "SS_UNCONNECTED"),
        ("tcp", "CLOSE", "SS_UNCONNECTED"),
        ("tcp", "SYN_SENT", "SS_CONNECTING"),
        ("tcp", "ESTABLISHED", "SS_CONNECTED"),
        ("tcp", "CLOSE_WAIT", "SS_CONNECTED"),
        ("tcp", None, None),
        ("udp", "ESTABLISHED", "SS_UNCONNECTED"),
        ("unix", "ESTABLISHED", "SS_CONNECTED"),
        ("unix", "LISTEN", "SS_UNCONNECTED"),
        ("netlink", "ESTABLISHED", "SS_UNCONNECTED"),
    ],
)
def test_socket_state(netid: str, state: str | None, expected: str | None) -> None:
    """connect(2) of a datagram socket leaves the struct socket unconnected."""
    assert socket_state(netid, state) == expected


@pytest.mark.parametrize("netid", TABLES)
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_paths(netid: str, family: str) -> None:
    """Every table has what creates and what feeds it; a counter is named MIB.Name or by the rows of a table."""
    path = create_path(netid, family, accepted=False)
    assert path is not None
    assert path.startswith("socket(2)")
    stations = receive_path(netid, family, listening=False)
    if netid != "dccp":
        assert stations
    for where, counters in stations:
        assert where
        for name in counters:
            assert name.partition(".")[0] in {
                "dev",
                "softnet_stat",
                "Ip",
                "Ip6",
                "Tcp",
                "TcpExt",
                "Udp",
                "Udp6",
                "UdpLite",
                "UdpLite6",
                "Sctp",
            }


def test_listener_path_ends_in_its_queues() -> None:
    """A listener is fed by other queues than a connection."""
    names = [name for _where, counters in receive_path("tcp", "AF_INET", listening=True) for name in counters]
    assert "TcpExt.ListenOverflows" in names
    assert "TcpExt.TCPBacklogDrop" not in names
