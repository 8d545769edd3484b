"""Wait for what other programs do in their own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.live.world.namespace import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_for(condition: Callable[[], object], limit_s: float = 60) -> bool:
    """Ask again and again until a condition holds; tell whether it did."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except RemoteError:
            pass  # whoever should answer is not there yet
        time.sleep(0.3)
    return bool(condition())
