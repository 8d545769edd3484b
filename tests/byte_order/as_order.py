"""Run sockdiag, or its ss, on a captured system as a machine of the given byte order does.

Arguments: ``little`` or ``big``, ``ss`` or ``sockdiag``, the captured system, the command line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.transport import Request


def main() -> int:
    """Run the program; the byte order is set before any of it is imported."""
    sys.byteorder, program, root, *words = sys.argv[1:]  # type: ignore[assignment]
    if program == "sockdiag":
        from sockdiag.cli.main import run as run_sockdiag

        return run_sockdiag(["sockdiag", *words, "--root", root])

    from sockdiag.kernel.sock_diag import AF_INET6
    from sockdiag.sources.capture.transport import CaptureTransport
    from sockdiag.ss.main import run as run_ss

    class Captured(CaptureTransport):
        """The tables of IPv6 sockets have files of their own, which ss does not know."""

        __slots__ = ()

        def dump(self, request: Request) -> Iterator[bytes]:
            inet6 = request.name.startswith("inet_diag") and request.payload[0] == AF_INET6
            return super().dump(request._replace(name=f"{request.name}6") if inet6 else request)

    return run_ss(["ss", *words], Captured(root))


sys.exit(main())
