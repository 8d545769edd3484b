"""How often ``top`` looks at the descriptors of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockdiag.top import actions
from tests.unit.top.recorded_top import recorded_screen

if TYPE_CHECKING:
    import pytest


def test_searches_take_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that has closed is searched for in vain with each look: this program's own, if no other."""
    screen = recorded_screen()
    clock = [100.0]
    searched: list[set[int]] = []

    class Host:
        def owners(self, wanted: set[int]) -> tuple[dict[int, object], list[object]]:
            searched.append(set(wanted))
            clock[0] += 0.5
            return {}, []

    monkeypatch.setattr(actions.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(screen.actions.survey, "host", Host())
    facts = screen.facts
    facts.lacking = {1}
    screen.actions.look_up()
    facts.lacking = {2}
    screen.actions.look_up()
    clock[0] += 4.9
    screen.actions.look_up()
    assert searched == [{1}]
    # They are not forgotten meanwhile.
    facts.lacking.add(3)
    clock[0] += 0.2
    screen.actions.look_up()
    assert searched == [{1}, {2, 3}]
    facts.lacking = {4}
    screen.actions.look_up(now=True)
    assert searched[-1] == {4}
