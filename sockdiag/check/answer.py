"""An answer of ``check``: a plugin status and its text, and what to do once the text has arrived."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _nothing() -> None:
    """Do nothing: there is no baseline to keep."""


class CheckAnswer:
    """One answer.

    Attributes:
        status: the plugin status.
        text: the text to write.
        arrived: to be called when the text has been written. Keeps the baseline for the next run; until then the next run
            reports the same losses again.
        lost: to be called instead if the text could not be written.
    """

    __slots__ = ("arrived", "lost", "status", "text")

    def __init__(
        self, status: int, text: str, arrived: Callable[[], None] = _nothing, lost: Callable[[], None] = _nothing
    ) -> None:
        self.status = status
        self.text = text
        self.arrived = arrived
        self.lost = lost
