"""The screen of ``top`` on a recorded system, with what it asks for done at once instead of in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sockdiag.model.fields import find
from sockdiag.model.socket import Socket
from sockdiag.render.suspects import Whereabouts
from sockdiag.sources.capture.transport import captured_system
from sockdiag.survey.survey import Survey
from sockdiag.top.actions import Actions
from sockdiag.top.choosing import ColumnChoice
from sockdiag.top.screen import Screen
from sockdiag.top.tabs import _SOCKET_COLUMNS, SOCKETS, TabFacts
from sockdiag.top.watch import Watch
from tests.recorded import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.fields import FieldEntry


class AtOnce:
    """Does in the caller's thread what the thread of looks would do."""

    def __init__(self, watch: Watch, screen: Screen, actions: Actions) -> None:
        self.watch = watch
        self.frozen = False
        self.looks = 0
        self._screen = screen
        self._actions = actions

    def ask(self, job: Callable[[], Any]) -> None:
        answer = job()
        if answer is not None:
            answer(self._screen)

    def refresh(self) -> None:
        look = self.watch.look()
        self.looks += 1
        self._actions.prepare(look)
        self._screen.show(look)


def _parse(text: str) -> list[FieldEntry]:
    return [
        find(Socket, name) for name in (*_SOCKET_COLUMNS[: 99 * text.startswith("+")], *text.lstrip("+").split(","))
    ]


def recorded_screen(fixture: str = "reports/6.18-busy", *, ascii_only: bool = False) -> Screen:
    survey = Survey(captured_system(str(FIXTURES / fixture)))
    facts = TabFacts(Whereabouts())
    actions = Actions(survey, facts)
    screen = Screen(facts, actions, "web1", 2.0, ascii_only=ascii_only)
    at_once = AtOnce(Watch(survey, 2.0), screen, actions)
    actions.session = at_once  # type: ignore[assignment]
    screen.choice = ColumnChoice(facts, screen, screen.views[SOCKETS], _parse, actions.need)
    at_once.refresh()
    return screen


def drawn(screen: Screen, width: int = 100, height: int = 30) -> str:
    lines = screen.lines(width, height)
    screen.actions.look_up(now=True)
    if screen.look is not None:
        lines = screen.lines(width, height)
    return "\n".join("".join(text for text, _style in line) for line in lines)
