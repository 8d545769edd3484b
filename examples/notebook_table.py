"""Show the sockets that hold most memory as a table in a notebook.

In a Jupyter notebook, ``SocketTable("state = established")`` as the last line of a cell draws the table. Run as a
program, this prints the HTML.

    python examples/notebook_table.py [CAPTURE]
"""

from __future__ import annotations

import sys

from tabulate import tabulate

import sockdiag


class SocketTable:
    """The sockets with most memory in their queues; a notebook calls ``_repr_html_`` to draw it."""

    def __init__(self, where: str = "", root: str = "", rows: int = 10) -> None:
        sockets = sockdiag.open_system(root).sockets(where)
        self.sockets = sorted(sockets, key=held, reverse=True)[:rows]

    def _repr_html_(self) -> str:
        headings = ["netid", "state", "local", "peer", "receive buffer", "used"]
        return tabulate(map(row, self.sockets), headings, tablefmt="html")


def held(socket: sockdiag.Socket) -> int:
    """Return the bytes that a socket's receive and send queues hold; 0 where that is unknown."""
    memory = socket.skmem
    return 0 if memory is None else (memory.rmem_alloc or 0) + (memory.wmem_queued or 0)


def row(socket: sockdiag.Socket) -> list[str]:
    """Return the cells of a row."""
    memory = socket.skmem
    words = (None, None) if memory is None else (memory.rcvbuf, memory.rmem_alloc)
    return [sockdiag.cell(v) for v in (socket.netid, socket.state, socket.local, socket.peer, *words)]


if __name__ == "__main__":
    print(SocketTable(root=sys.argv[1] if len(sys.argv) > 1 else "", rows=3)._repr_html_())
