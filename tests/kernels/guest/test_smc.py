"""SMC sockets: sock_diag lists the TCP connections that they fall back to, under inodes that no descriptor has."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys

import pytest

from tests.kernels.guest.seen import need_module, rows, same_as_ss

pytestmark = pytest.mark.usefixtures("own_netns")

AF_SMC = 43


def open_smc() -> socket.socket:
    """Make an SMC socket; Python has no addresses of its family, but IPv4's are its own."""
    return socket.socket(AF_SMC, socket.SOCK_STREAM, 0)


def test_fallback() -> None:
    """An SMC listener's TCP socket is listed without an owner, and `protocols` counts the SMC socket itself."""
    need_module("smc")
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        listener = open_smc()
    except OSError as error:
        pytest.skip(f"this kernel: socket(AF_SMC): {error.strerror}")
    with listener:
        address = (
            struct.pack("=H", socket.AF_INET) + struct.pack("!H", 27501) + socket.inet_aton("127.0.0.1") + bytes(8)
        )
        assert libc.bind(listener.fileno(), address, len(address)) == 0
        assert libc.listen(listener.fileno(), 5) == 0
        with socket.create_connection(("127.0.0.1", 27501)):
            listening = [one for one in rows("tcp", "owners") if one.state == "LISTEN" and one.local.port == 27501]
            assert len(listening) == 1
            assert listening[0].inode != os.fstat(listener.fileno()).st_ino
            assert not listening[0].processes
            command = [sys.executable, "-m", "sockdiag", "protocols", "--json"]
            shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            counted = {one["name"]: one["sockets"] for one in shown["protocols"]}
            assert counted["SMC"] >= 1
            command = [sys.executable, "-m", "sockdiag", "inspect", f"{os.getpid()}/{listener.fileno()}", "-n"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert "Traceback" not in done.stderr
            same_as_ss("-tna")
