"""Standard output as bytes, standard error, and the exception that ends the program."""

from __future__ import annotations

import os


class Stop(Exception):
    """End the program with this exit status before its tables are shown.

    Args:
        code: the exit status.
        message: goes to standard error first.
        usage: the usage text follows on standard error.
        help: the usage text goes to standard output.
    """

    def __init__(self, code: int, message: str = "", *, usage: bool = False, help: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.usage = usage
        self.help = help


class OutputError(Stop):
    """Standard output takes no more."""


def write(text: str, fd: int = 1) -> None:
    """Write *text*, one byte per character.

    Raises:
        OutputError: the disk is full.
    """
    data = memoryview(text.encode("latin-1", "replace"))
    while data:
        try:
            data = data[os.write(fd, data) :]
        except OSError as error:
            raise OutputError(1, f"ss: write error: {os.strerror(error.errno or 0)}") from None


def complain(text: str) -> None:
    """Write to standard error, if it is there."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        os.write(2, data)
    except OSError:
        return


def bytes_text(data: bytes) -> str:
    """Keep bytes as text, one character per byte."""
    return data.decode("latin-1")


def safe_text(data: bytes) -> str:
    r"""Keep the bytes of a name as text; for a terminal, escape what could break a line or steer it (``render.escape``)."""
    text = bytes_text(data)
    if not _escapes():
        return text
    from sockdiag.render.escape import printable  # start-up: most output goes into pipes

    return bytes_text(printable(data).encode())


def _escapes() -> bool:
    wanted = os.environ.get("SOCKDIAG_SS_ESCAPE")
    return wanted == "always" or (wanted != "never" and os.isatty(1))
