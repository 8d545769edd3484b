"""`python -m sockdiag`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the program on this process's arguments and exit."""
    from sockdiag.cli.main import run

    # A run is short and its records hold no cycles: looking for them is a tenth of the time of a long list.
    gc.disable()
    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
