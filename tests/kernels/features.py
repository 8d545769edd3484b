"""What a kernel can do of what sockdiag shows, tried inside a guest: ``python -m tests.kernels.features FILE``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.kernels.capture import EVENTS, TRACING

_SOCKETS = {
    "TCP": (socket.AF_INET, socket.SOCK_STREAM, 0),
    "MPTCP": (socket.AF_INET, socket.SOCK_STREAM, 262),
    "SCTP": (socket.AF_INET, socket.SOCK_STREAM, 132),
    "DCCP": (socket.AF_INET, 6, 33),
    "UDP-Lite": (socket.AF_INET, socket.SOCK_DGRAM, 136),
    "vsock": (40, socket.SOCK_STREAM, 0),
    "AF_XDP": (44, socket.SOCK_RAW, 0),
    "TIPC": (30, socket.SOCK_STREAM, 0),
    "SMC": (43, socket.SOCK_STREAM, 0),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 0),
}
_MODULES = (
    *("tcp_diag", "udp_diag", "raw_diag", "unix_diag", "netlink_diag", "af_packet_diag", "sctp_diag", "dccp_diag"),
    "dccp_ipv4",
    *("mptcp_diag", "vsock_diag", "xsk_diag", "smc_diag", "tipc", "tls", "sch_netem", "sch_fq", "sch_cake"),
    *("tcp_bbr", "tcp_dctcp", "tcp_vegas", "nf_conntrack", "e1000", "veth", "bridge", "bonding", "8021q", "tun"),
)


def main(path: Path) -> None:
    """Try, and write why not: an empty text where it works."""
    # Modules first: some protocols may not be loaded by those who ask for a socket of theirs.
    found = {f"module {name}": _module(name) for name in _MODULES}
    found |= {f"socket {name}": _socket(*arguments) for name, arguments in _SOCKETS.items()}
    if not (TRACING / "events").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=False)
    found |= {f"event {name}": "" if (TRACING / "events" / name).exists() else "absent" for name in EVENTS}
    path.write_text(json.dumps(found, indent=1) + "\n")


def _socket(family: int, kind: int, protocol: int) -> str:
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""


def _module(name: str) -> str:
    done = subprocess.run(["modprobe", name], capture_output=True, text=True, check=False)
    # What is built in has no module to load: modprobe knows that from the package's list, and succeeds.
    return "" if done.returncode == 0 or Path("/sys/module", name).exists() else "no module"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
