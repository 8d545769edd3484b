"""What the effects of sysctls are worked out from."""

from __future__ import annotations

from sockdiag.kernel.sock import TCP_RTO_MAX_MS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.sysctl import Sysctls

    # Number or numbers, their unit, the sentence.
    Effect = tuple[int | tuple[int, ...] | None, str, str]
    Vector = tuple[int, ...]


class Known:
    """What the effects are worked out from.

    Args:
        sysctls: what was read.
        page_size: bytes of a page, where known.
        kernel: version, where known.
    """

    __slots__ = ("kernel", "page_size", "sysctls")

    def __init__(self, sysctls: Sysctls, page_size: int | None, kernel: tuple[int, int] | None) -> None:
        self.sysctls = sysctls
        self.page_size = page_size
        self.kernel = kernel

    def ipv4(self, name: str) -> int | None:
        """Return another sysctl of net.ipv4, None where it is unknown."""
        return self.sysctls.number(f"net.ipv4.{name}")

    def amount(self, pages: int) -> str:
        """Say an amount of pages, in bytes where the size of a page is known."""
        return f"{pages} pages" if self.page_size is None else f"{pages * self.page_size} bytes"

    def in_bytes(self, pages: Vector) -> Vector | None:
        """Return pages as bytes where the size of a page is known."""
        return None if self.page_size is None else tuple(p * self.page_size for p in pages)

    @property
    def rto_max_ms(self) -> int:
        """Longest retransmission timeout."""
        return self.ipv4("tcp_rto_max_ms") or TCP_RTO_MAX_MS
