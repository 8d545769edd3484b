"""`list --where` shows what judging every socket here would, though the kernel leaves out what it can."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.filter.where import compile_where

if TYPE_CHECKING:
    from tests.live.conftest import World

EXPRESSIONS = (
    "sport = 1 or sport > 1000",
    "dst 127.0.0.0/8 and state = established",
    "src [::1] or netid = unix",
    "not dst 127.0.0.1 and recv_q > 0",
    "fwmark 0 and sport < 40000",
    "(state = listening or state = close-wait) and not sport = 0",
    "skmem.rmem_alloc > 0 and dport > 0",
    "dev lo or fill > 10%",
)


def listed(world: World, *words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "sockdiag", "list", "--ndjson", *words]
    return [json.loads(line) for line in world.namespace.run(command).stdout.splitlines()]


def of_the_world(netid: str, cookie: str | None) -> bool:
    """Leave out netlink, where the sockets that ask are listed too."""
    return netid != "netlink" and cookie is not None


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_where_shows_what_passes(world: World, text: str) -> None:
    """The rows are those of the unfiltered list that pass."""
    where = compile_where(text)
    keys = {
        (row["netid"], row["cookie"])
        for row in listed(world, "--where", text)
        if of_the_world(row["netid"], row["cookie"])
    }
    expected = {key for key in world.namespace.call(passing, text) if of_the_world(*key)}
    assert keys == expected
    assert where.bytecode() is not None or "or" in text
    assert keys


def passing(text: str) -> set[tuple[str, str]]:
    """Judge every socket of this namespace one by one, with all that could be asked for."""
    from sockdiag.model.batch import all_sockets
    from sockdiag.model.query import INET, SKMEM
    from sockdiag.sources.system.machine import this_system
    from sockdiag.survey.survey import Survey

    survey = Survey(this_system())
    where = compile_where(text)
    sockets = all_sockets(survey.batches(survey.query([SKMEM, INET])))
    return {(s.netid, f"{s.cookie:x}") for s in sockets if s.cookie is not None and where.match(s)}
