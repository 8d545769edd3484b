"""What looks have seen of sockets: of those with something to show, of the last looks, and the most ever."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sockdiag.top import history
from sockdiag.top.history import LookHistory

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


def look(
    levels: Mapping[Any, tuple[int, int, int]],
    earlier: Mapping[Any, tuple[int, int, int]] = {},
    place: int | None = None,
) -> Any:
    part = SimpleNamespace(netns=None, levels=levels, earlier=earlier, seconds=1.0)
    return SimpleNamespace(parts=[part], loss_per_s=0.0, bytes_per_s=None, place=place)


def test_queues_and_drops_look_by_look() -> None:
    seen = LookHistory()
    seen.add(look({}))
    seen.add(look({7: (5, 0, 3)}, {7: (0, 0, 1)}))
    seen.add(look({}))
    followed = seen.of((None, 7))
    assert followed is not None
    assert [list(kept) for kept in followed.queues()] == [[0, 5, 0], [0, 0, 0], [0, 2, 0]]
    assert followed.most == [5, 0, 2]
    assert seen.of((None, 8)) is None


def test_largest_value_is_kept_longer_than_its_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_KEPT", 4)
    seen = LookHistory()
    seen.add(look({7: (900, 0, 0)}))
    for _ in range(6):
        seen.add(look({7: (1, 0, 0)}))
    followed = seen.of((None, 7))
    assert followed is not None
    assert list(followed.recv_q) == [1, 1, 1, 1]
    assert followed.most[0] == 900


def test_those_that_have_been_idle_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_FOLLOWED", 3)
    seen = LookHistory()
    for key in (1, 2, 3):
        seen.add(look({key: (1, 0, 0)}))
    seen.add(look({3: (1, 0, 0)}))
    seen.add(look({4: (1, 0, 0)}))
    assert [key for key in range(1, 5) if seen.of((None, key))] == [2, 3, 4]
    # All are busy: a newer one is not followed.
    seen.add(look(dict.fromkeys((2, 3, 4), (1, 0, 0))))
    seen.add(look(dict.fromkeys((2, 3, 4, 5), (1, 0, 0))))
    assert [key for key in range(1, 6) if seen.of((None, key))] == [2, 3, 4]


def test_memory_has_a_bound() -> None:
    """However many sockets come and go with something in their queues."""
    seen = LookHistory()
    tracemalloc.start()
    try:
        for number in range(450):
            seen.add(look({(number, key): (1000 + key, 0, 0) for key in range(40)}))
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 15e6


def test_rewinding_forgets_later_moments() -> None:
    seen = LookHistory()
    for place in range(6):
        seen.add(look({7: (place, 0, 0)}, place=place))
    seen.rewind(3)
    followed = seen.of((None, 7))
    assert followed is not None
    assert list(followed.recv_q) == [0, 1, 2]
    assert len(seen.loss) == 3
    seen.rewind(8)
    assert len(seen.loss) == 3
