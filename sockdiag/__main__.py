"""`python -m sockdiag`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the program on this process's arguments and exit."""
    _occupy_standard_streams()
    # A run is short and its records hold no cycles; searching for cycles takes a tenth of the time of a long list.
    gc.disable()
    try:
        from sockdiag.cli.main import run

        status = run(sys.argv)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _occupy_standard_streams() -> None:
    # open() returns the lowest free descriptor: if a stream was closed (>&-), the answer would go into a netlink socket.
    # This descriptor takes no writes, so writing fails as it should.
    while (fd := os.open("/dev/null", os.O_RDONLY)) <= 2:
        pass
    os.close(fd)


if __name__ == "__main__":
    main()
