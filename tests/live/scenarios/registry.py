"""All conditions of the campaign."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tests.live.scenarios.condition import CONDITIONS, Condition
from tests.live.scenarios.suite import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

# A module of conditions for each kind.
KINDS = (
    "readers",
    "acceptors",
    "streams",
    "messages",
    "refusals",
    "routes",
    "links",
    "limits",
    "servers",
    "outages",
    "rarities",
)
# They change while one looks.
FRESH = frozenset(
    [
        "udp_filling",
        "peer_vanishes",
        "peer6_vanishes",
        "last_ack_unanswered",
        "accept_queue_overflow",
        "accept_queue_overflow_v6",
    ]
)
# A finding of severity info names them.
LOW = frozenset({"last_ack_unanswered"})
# Why they may be missed.
WHY = {
    "connections_given_up": "in an interval in which none is given up, the connections that still wait are all there is to see",
    "retransmission_fails": "a retransmission that fails is counted when it is tried, and between two tries the peer is merely silent",
}


def conditions() -> Mapping[str, Condition]:
    """Return all conditions by name."""
    for kind in KINDS:
        importlib.import_module(f"tests.live.scenarios.{kind}")
    older = [
        Condition(
            s.mechanism,
            s.make,
            s.verdict,
            also=s.also,
            codes=(s.code,) if s.code else (),
            says="" if s.code else ".",
            severity="low" if s.name in LOW else "",
            fresh=s.name in FRESH,
            missing=s.missing,
            why=WHY.get(s.name, ""),
        )
        for s in SCENARIOS
    ]
    return {**{one.name: one for one in older}, **CONDITIONS}
