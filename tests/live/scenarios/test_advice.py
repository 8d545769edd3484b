"""What findings advise ends what they found, with the kernel's own counters as ground truth."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios import advice, cgroups, load
from tests.live.scenarios.judged import follow
from tests.live.scenarios.suite import (
    ask,
)
from tests.live.world.namespace import Namespace, netns
from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("case", advice.CASES, ids=lambda case: case[0].__name__)
def test_advice_ends_the_loss(case: tuple[Callable[[], None], Callable[[], None], str, str]) -> None:
    """What the finding advises is done, and the finding and the loss are gone."""
    make, apply, code, words = case
    with netns() as namespace:
        namespace.call(make)
        document, _status = ask(namespace, "doctor", "--interval", "1")
        found = [f for f in document["findings"] if f["code"] == code and f["verdict"] != "recovered"]
        assert found, document["findings"]
        assert any(words in f"{a['action']} {a['command']} {a['why']}" for f in found for a in f["advice"]), found
        namespace.call(apply)
        time.sleep(0.5)
        before = namespace.call(load.losses)
        document, _status = ask(namespace, "doctor", "--interval", "1")
        after = namespace.call(load.losses)
    assert not [f for f in document["findings"] if f["code"] == code and f["verdict"] not in ("recovered", "ok")]
    assert {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0)} == {}


@pytest.mark.parametrize(("make", "code"), advice.CGROUP_CASES, ids=lambda v: getattr(v, "__name__", v))
def test_advised_command_ends_the_loss_in_a_cgroup(make: Callable[[], None], code: str) -> None:
    """The command that the finding advises is run, and the finding and the loss are gone."""
    if cgroups.missing():
        refuse(cgroups.missing())
    namespace = Namespace()
    try:
        namespace.call(make)
        follow(namespace, code, {})
    finally:
        namespace.close()
        cgroups.remove(namespace.pid)
