"""The file of -F."""

from __future__ import annotations

import os

from sockdiag.ss.stop import Stop


def read(path: str) -> bytes:
    """Return the content of the file; standard input if its name begins with ``-``.

    Raises:
        Stop: it cannot be read.
    """
    standard_input = path.startswith("-")
    try:
        with open(0 if standard_input else path, "rb", closefd=not standard_input) as file:
            return file.read()
    except OSError as error:
        raise Stop(255, f"fopen filter file: {os.strerror(error.errno or 0)}") from None
