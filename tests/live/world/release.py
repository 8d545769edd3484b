"""Which kernel runs: what it must list depends on that."""

from __future__ import annotations

import os


def kernel_since(*release: int) -> bool:
    """Return whether the kernel is of this release, as 6, 8, or a later one."""
    return tuple(int(part) for part in os.uname().release.split(".")[: len(release)]) >= release
