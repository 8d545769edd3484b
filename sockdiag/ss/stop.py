"""How the program ends before its tables are shown."""

from __future__ import annotations


class Stop(Exception):
    """End with this exit status; *message* goes to standard error first, and the usage text after it if *usage*."""

    def __init__(self, code: int, message: str = "", *, usage: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.usage = usage
