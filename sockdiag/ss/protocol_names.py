"""Names of IP protocols. **Source:** /etc/protocols; Python's binding of the C library looks up by name only."""

from __future__ import annotations

_known: dict[int, str] = {}


def protocol_name(number: int) -> str | None:
    """Return the official name of a protocol number, or None."""
    if not _known:
        try:
            with open("/etc/protocols", encoding="latin-1") as file:
                lines = file.read().split("\n")
        except OSError:
            lines = []
        for line in lines:
            words = line.partition("#")[0].split()
            if len(words) > 1 and words[1].isdecimal():
                _known.setdefault(int(words[1]), words[0])
        _known.setdefault(-1, "")
    return _known.get(number)
