"""Congestion controls that are modules, and what they tell of a connection."""

from __future__ import annotations

import socket
import struct

import pytest

from sockdiag.model.query import INET
from tests.kernels.guest.seen import need_module, row, same_as_ss

pytestmark = pytest.mark.usefixtures("own_netns")

TCP_CONGESTION, TCP_CC_INFO = 13, 26
# Members of the union tcp_cc_info, by algorithm and its field of the model.
INFOS = {
    "vegas": ("vegas", "=IIII", ("enabled", "rttcnt", "rtt_us", "minrtt_us")),
    "dctcp": ("dctcp", "=HHIII", ("enabled", "ce_state", "alpha", "ab_ecn_bytes", "ab_tot_bytes")),
    "bbr": ("bbr", "=QIII", ("bw_bytes_per_s", "min_rtt_us", "pacing_gain", "cwnd_gain")),
    # Others give the struct of vegas.
    "illinois": ("vegas", "=IIII", ("enabled", "rttcnt", "rtt_us", "minrtt_us")),
    "yeah": ("vegas", "=IIII", ("enabled", "rttcnt", "rtt_us", "minrtt_us")),
}


@pytest.mark.parametrize("algorithm", INFOS)
def test_info(algorithm: str) -> None:
    """A congestion control module's name and numbers are those of getsockopt(TCP_CC_INFO), and ss prints the same."""
    need_module(f"tcp_{algorithm}")
    name, layout, members = INFOS[algorithm]
    with socket.socket() as listener, socket.socket() as client:
        for sock in (listener, client):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, algorithm.encode())
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            for _ in range(20):
                client.send(bytes(20000))
                server.recv(20000, socket.MSG_WAITALL)
            for sock in (client, server):
                before = sock.getsockopt(socket.IPPROTO_TCP, TCP_CC_INFO, 64)
                inet = row("tcp", sock, INET).inet
                assert before == sock.getsockopt(socket.IPPROTO_TCP, TCP_CC_INFO, 64)
                assert inet is not None
                assert inet.congestion == algorithm
                info = getattr(inet, name)
                told = struct.unpack_from(layout, before)
                assert [getattr(info, member) for member in members] == list(told)
            same_as_ss("-tniO", "state", "established")
