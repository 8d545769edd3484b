"""TIPC sockets, which ss lists from tipc_diag."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading

import pytest

from tests.differential.pair import run
from tests.kernels.guest.seen import need_module, same_as_ss

pytestmark = pytest.mark.usefixtures("own_netns")

TYPE = 18888


def addresses() -> None:
    """Give this node an address of its own, without which names are not found."""
    subprocess.run(["tipc", "node", "set", "address", "1.1.1"], capture_output=True, check=False)


@pytest.mark.parametrize("options", ["--tipc -na", "--tipc -naep --tipcinfo", "--tipc -n", "-f tipc -nl", "-na"])
def test_ss(options: str) -> None:
    """`sockdiag ss --tipc` prints the bytes of ss for TIPC listeners, connections and unconnected sockets."""
    need_module("tipc")
    addresses()
    with contextlib.ExitStack() as kept:
        listener = kept.enter_context(socket.socket(socket.AF_TIPC, socket.SOCK_SEQPACKET))
        listener.bind((socket.TIPC_ADDR_NAMESEQ, TYPE, 10, 20, socket.TIPC_NODE_SCOPE))
        listener.listen(3)
        client = kept.enter_context(socket.socket(socket.AF_TIPC, socket.SOCK_SEQPACKET))
        # connect(2) returns when the other end has accepted.
        accepting = threading.Thread(target=lambda: kept.enter_context(listener.accept()[0]), daemon=True)
        accepting.start()
        client.connect((socket.TIPC_ADDR_NAME, TYPE, 15, 0))
        accepting.join(30)
        client.send(b"unread")
        named = kept.enter_context(socket.socket(socket.AF_TIPC, socket.SOCK_RDM))
        named.bind((socket.TIPC_ADDR_NAMESEQ, TYPE + 1, 1, 1, socket.TIPC_NODE_SCOPE))
        kept.enter_context(socket.socket(socket.AF_TIPC, socket.SOCK_DGRAM))
        shown = run(("ss",), ["--tipc", "-Hna"], {"PATH": "/usr/bin:/usr/sbin"}).out.splitlines()
        if not shown:
            pytest.skip("this kernel: no module that lists TIPC sockets")
        assert len(shown) >= 5
        same_as_ss(*options.split())
