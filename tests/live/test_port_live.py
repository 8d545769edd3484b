"""What a port is used for: bind(2) is asked itself, in a network namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live import port_probes as probes

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

# What a closed connection leaves does not show its options.
UNSEEN = {"TIME_WAIT": 1, "TIME_WAIT with SO_REUSEADDR": 1}


@pytest.mark.parametrize("name", probes.SITUATIONS)
def test_bind_answers_as_foretold(empty_netns: Namespace, name: str) -> None:
    """Every combination of protocol, address and option; unknown only where the kernel shows no options."""
    rows = empty_netns.call(probes.compare, name)
    assert len(rows) == 2 * 3 * len(probes.ADDRESSES)
    assert [row for row in rows if row[3] not in (None, row[4])] == []
    unknown = [row for row in rows if row[3] is None]
    assert bool(unknown) == (name in UNSEEN), unknown
