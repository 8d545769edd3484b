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
# What nobody serves is stalled, whatever room is left; other verdicts that are right follow.
LABELS = {
    "udp_half_full": ("stalled", "at_risk"),
    "accept_queue_half": ("stalled", "at_risk"),
    "udp_nobody_listens": ("dropping",),
    "udp_filling": ("at_risk", "dropping", "stalled"),
    "unix_listener_full": ("stalled", "at_risk"),
    "unix_dgram_unread": ("stalled", "at_risk"),
    "packet_ring": ("ok", "unknown"),
}
CODES = {"udp_half_full": "UDP_RECEIVE_BUFFER_FULL", "accept_queue_half": "ACCEPT_QUEUE_FULL"}
# A finding of severity info names them.
LOW = frozenset({"last_ack_unanswered"})


def conditions() -> Mapping[str, Condition]:
    """Return all conditions by name."""
    for kind in KINDS:
        importlib.import_module(f"tests.live.scenarios.{kind}")
    older = []
    for s in SCENARIOS:
        verdict, *also = LABELS.get(s.name, (s.verdict,))
        code = CODES.get(s.name, s.code)
        older.append(
            Condition(
                s.mechanism,
                s.make,
                verdict,
                also=tuple(also),
                codes=(code,) if code else (),
                says="." if not code else "",
                severity="low" if s.name in LOW else "",
                fresh=s.name in FRESH,
                missing=s.missing,
            )
        )
    return {**{one.name: one for one in older}, **CONDITIONS}
