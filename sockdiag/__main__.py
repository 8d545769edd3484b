"""`python -m sockdiag`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program on this process's arguments and exit."""
    from sockdiag.cli.main import run

    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
