"""Compare the TCP sockets of two captures: which came, which went, and which changed their state.

python examples/compare_captures.py BEFORE AFTER
"""

from __future__ import annotations

import sys

import sockdiag


def connections(root: str) -> dict[str, str]:
    """Return the state of each TCP socket by its two ends."""
    capture = sockdiag.open_system(root, netids=["tcp"])
    return {f"{sockdiag.cell(s.local)} {sockdiag.cell(s.peer)}": s.state or "unknown" for s in capture.sockets()}


def main(before: str, after: str) -> None:
    """Print the differences, one line per socket."""
    old, new = connections(before), connections(after)
    for ends in sorted(old.keys() | new.keys()):
        if ends not in old:
            print(f"+ {ends} {new[ends]}")
        elif ends not in new:
            print(f"- {ends} {old[ends]}")
        elif old[ends] != new[ends]:
            print(f"  {ends} {old[ends]} -> {new[ends]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
