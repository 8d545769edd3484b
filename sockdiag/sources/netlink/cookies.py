"""Remember the sockets of a long answer, to go on after them if it has to be asked for again."""

from __future__ import annotations

from sockdiag.kernel.byte_order import U32, U64, low_first, units
from sockdiag.kernel.inet_diag import MSG_ATTRIBUTES, MSG_COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# One word in the order in which memory is cast.
_BYTES = bytearray(4)
_WORD = memoryview(_BYTES).cast("I")


class Cookies:
    """The cookies of inet_diag messages, eight bytes each: only an answer that fails needs more of them."""

    __slots__ = ("_high", "_low")

    def __init__(self) -> None:
        self._low = bytearray()
        self._high = bytearray()

    def __len__(self) -> int:
        return len(self._low) >> 2

    def add_alike(self, data: bytes) -> bool:
        """Add those of messages of one length, two strided slices; return False if they are not of one length."""
        length = U32.unpack_from(data)[0]
        if length < MSG_ATTRIBUTES or length & 3 or len(data) % length:
            return False
        words, step = units(data, "I"), length >> 2
        lengths = words[::step].tolist()
        if lengths.count(length) != len(lengths):
            return False
        at = MSG_COOKIE >> 2
        self._low += words[at::step].tobytes()
        self._high += words[at + 1 :: step].tobytes()
        return True

    def add(self, messages: Iterable[bytes]) -> None:
        """Add those of any messages that are long enough to have one."""
        for message in messages:
            if len(message) >= MSG_ATTRIBUTES:
                number = cookie_of(message)
                _WORD[0] = number & 0xFFFFFFFF
                self._low += _BYTES
                _WORD[0] = number >> 32
                self._high += _BYTES

    def all(self) -> set[int]:
        """Return them."""
        pairs = zip(memoryview(self._low).cast("I"), memoryview(self._high).cast("I"), strict=True)
        return {low | high << 32 for low, high in pairs}


def cookie_of(message: bytes) -> int:
    """Return the cookie of a message, of at least MSG_ATTRIBUTES bytes."""
    return low_first(U64.unpack_from(message, MSG_COOKIE)[0])
