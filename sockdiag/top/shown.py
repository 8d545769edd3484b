"""What the thread that reads the system sees of the screen."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.socket import Socket
    from sockdiag.top.detail import Detail
    from sockdiag.top.look import Look
    from sockdiag.top.prompt import Prompt


class Shown(Protocol):
    """The screen, as answers change it.

    Attributes:
        look: the look that is shown.
        detail: the row that is open.
        message: shown in the last line until the next key.
        prompt: what the user is asked for.
        tab: the tab that is shown.
    """

    look: Look | None
    detail: Detail | None
    message: str
    prompt: Prompt | None
    tab: str

    def go(self, tab: str) -> None:
        """Show another tab."""

    def rebuild(self) -> None:
        """Make the rows of the tab anew."""

    def redraw(self) -> None:
        """Do nothing but be drawn again."""

    def open(self, socket: Socket) -> None:
        """Open a socket."""
