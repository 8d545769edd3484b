"""Print every listening socket and the processes that hold it.

python examples/who_listens.py [CAPTURE]
"""

from __future__ import annotations

import sys

import sockdiag


def main(root: str = "") -> None:
    """List listeners, and report on standard error what could not be read."""
    host = sockdiag.open_system(root)
    for socket in host.sockets("state = listening", fields=("processes",)):
        if socket.processes is None:
            owners = "unknown"
        else:
            owners = ", ".join(f"{sockdiag.cell(owner.comm)}({owner.pid})" for owner in socket.processes) or "nobody"
        print(f"{socket.netid:5} {sockdiag.cell(socket.local):22} {owners}")
    for gap in host.gaps:
        print(f"could not read {gap.source}: {gap.reason}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
