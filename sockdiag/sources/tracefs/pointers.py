"""What /proc prints for pointers that tracepoints give as they are.

/proc/net shows a hash of each pointer, and so does the text of a trace, unless its option says otherwise. A second, small instance
is printed both ways, which pairs the two.

Source: ``pointer()``, lib/vsprintf.c; the option hash-ptr, Linux 5.12.
"""

from __future__ import annotations

from re import compile as regex

from sockdiag.errors import SourceError
from sockdiag.sources.tracefs.instance import TraceInstance

# Text of what fits is some 300 lines per CPU.
_BUFFER_KIB = 16
_OPTION = "options/hash-ptr"
# A pointer that fills this part of what fits is left out once its pair is known, so that a flood, also one in another network
# namespace, leaves room for others; as many as a filter has room for.
_BUSY = 20
_MOST_LEFT_OUT = 24


class PointerHashes:
    """Pairs the pointers of one tracepoint with what /proc prints for them.

    Args:
        event: the tracepoint.
        condition: the kernel's filter.
        name: the field that is a pointer.

    Raises:
        SourceError: this kernel does not offer it.
    """

    def __init__(self, event: str, condition: str, name: str) -> None:
        self._pattern = regex(rb"\b%b=([0-9a-f]+)" % name.encode("ascii"))
        self._event, self._condition, self._name = event, condition, name
        self._left_out: list[int] = []
        self._instance = TraceInstance(_BUFFER_KIB)
        try:
            # What comes when it is full is dropped: the text must not change between the two readings.
            self._instance.write("options/overwrite", "0")
            self._instance.write(_OPTION, "1")
            self._instance.enable(event, condition)
        except BaseException:
            self._instance.close()
            raise

    def read(self) -> dict[int, int]:
        """Return the hash of each pointer that was reported since the last time, as far as there was room."""
        instance = self._instance
        try:
            instance.write("tracing_on", "0")
            hashed = self._pattern.findall(instance.text("trace"))
            instance.write(_OPTION, "0")
            plain = self._pattern.findall(instance.text("trace"))
            instance.write(_OPTION, "1")
            instance.write("trace", "")
            same = len(hashed) == len(plain)
            if same:
                self._leave_out(plain)
            instance.write("tracing_on", "1")
        except SourceError:
            return {}
        if not same:
            return {}
        return {int(pointer, 16): int(shown, 16) for pointer, shown in zip(plain, hashed, strict=True)}

    def _leave_out(self, seen: list[bytes]) -> None:
        """Have the kernel's filter leave out the pointers that come most often: their pairs never change."""
        counts: dict[bytes, int] = {}
        for pointer in seen:
            counts[pointer] = counts.get(pointer, 0) + 1
        busy = sorted((pointer for pointer in counts if counts[pointer] >= _BUSY), key=lambda one: -counts[one])
        new = [int(pointer, 16) for pointer in busy[: _MOST_LEFT_OUT - len(self._left_out)]]
        if new:
            self._left_out += new
            others = [f"{self._name} != {pointer}" for pointer in self._left_out]
            condition = [f"({self._condition})"] if self._condition else []
            self._instance.write(f"events/{self._event}/filter", " && ".join([*condition, *others]))

    def close(self) -> None:
        """Remove the instance."""
        self._instance.close()
