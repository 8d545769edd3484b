"""Write all TCP sockets as CSV: one row per socket, the fields as the commands name them.

python examples/export_csv.py [CAPTURE] > sockets.csv
"""

from __future__ import annotations

import csv
import sys

import sockdiag

FIELDS = ("state", "local", "peer", "recv_q", "send_q", "inode", "uid")


def main(root: str = "") -> None:
    """Write the rows; what is unknown stays empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(FIELDS)
    for socket in sockdiag.open_system(root, netids=["tcp"]).sockets():
        values = (getattr(socket, name) for name in FIELDS)
        writer.writerow("" if value is None else sockdiag.cell(value) for value in values)


if __name__ == "__main__":
    main(*sys.argv[1:])
