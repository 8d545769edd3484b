"""The part of the campaign that `make test` runs: conditions that are marked quick, and what holds of all of them."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.scenarios import host
from tests.live.scenarios.campaign import Mode, Run, examine
from tests.live.scenarios.registry import conditions
from tests.live.scenarios.starter import Starter
from tests.needs import refuse

_AT_ONCE = 6
_ROUNDS = ((Mode("risk", 0), Mode("doctor", 0)), (Mode("risk", 1), Mode("doctor", 1)))
_ALL = conditions()
_QUICK = [one for one in _ALL.values() if one.quick]


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Run]]:
    """Examine the quick conditions."""
    with (
        host.nobody_else(changes=False),
        contextlib.closing(Starter()) as starter,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        found = pool.map(lambda one: examine(one, starter, 1, _ROUNDS), _QUICK)
        return dict(zip((one.name for one in _QUICK), found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.name for one in _QUICK])
def test_what_is_said_is_true(name: str, runs: dict[str, list[Run]]) -> None:
    """No false alarm on what is healthy; what is wrong is told, with its cause and its culprit."""
    found = runs[name]
    if found[0].said == "impossible":
        refuse(found[0].told[0])
    assert [run for run in found if run.valid], found
    assert [(run.mode, run.wrong, run.told) for run in found if run.valid and run.wrong] == []


def test_half_of_the_conditions_are_healthy() -> None:
    """At least 180, half of them healthy; every kind that is not about losses alone has healthy ones."""
    healthy = [one for one in _ALL.values() if one.healthy]
    assert len(_ALL) >= 180
    assert abs(len(healthy) - len(_ALL) / 2) < len(_ALL) / 10
    losses_alone = {"checksums", "UDP refused"}
    assert {one.kind for one in healthy} >= {one.kind for one in _ALL.values()} - losses_alone
