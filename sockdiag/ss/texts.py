"""Texts of values that repeat, each made once."""

from __future__ import annotations

from struct import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sockdiag.ss.names import Names

# So many different ports, and making the texts of all of them at once costs less.
_MANY = 2048


class Texts(dict):  # type: ignore[type-arg]
    """Text of each value met so far, and the longest of them.

    Args:
        make: prints a value.
    """

    __slots__ = ("_make", "longest")

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make
        self.longest = 0

    def __missing__(self, key: object) -> str:
        text = self[key] = self._make(key)
        if len(text) > self.longest:
            self.longest = len(text)
        return text


class Ports(Texts):
    """Texts of ports in network byte order.

    Args:
        names: prints them.
    """

    __slots__ = ("_names", "_numbers", "_whole")

    def __init__(self, names: Names) -> None:
        super().__init__(names.network_port)
        self._names = names
        # Texts of the ports that no service has a name for, once there are many.
        self._numbers: dict[int, str] = {}
        self._whole = False

    def __missing__(self, key: object) -> str:
        if len(self) < _MANY:
            return super().__missing__(key)
        if not self._whole:
            self._whole = True
            low, high = (1, 65535) if self._names.numeric else self._names.ephemeral()
            ports = range(max(low, 1), min(high, 65535) + 1)
            if self._names.protocol != "raw" or self._names.numeric:
                keys = unpack(f"={len(ports)}H", pack(f">{len(ports)}H", *ports))
                self._numbers = dict(zip(keys, map(str, ports), strict=True))
        text = self._numbers.get(key)  # type: ignore[call-overload]
        if text is None:
            return super().__missing__(key)
        self[key] = text
        if len(text) > self.longest:
            self.longest = len(text)
        return text
