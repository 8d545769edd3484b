"""All conditions of the campaign."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tests.live.scenarios.condition import CONDITIONS, Condition
from tests.live.scenarios.suite import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("readers", "acceptors", "streams", "messages", "refusals", "routes", "links", "limits", "servers", "outages")


def conditions() -> Mapping[str, Condition]:
    """Return all conditions by name."""
    for kind in KINDS:
        importlib.import_module(f"tests.live.scenarios.{kind}")
    older = {s.name: Condition(s.mechanism, s.make, s.verdict, codes=(s.code,) if s.code else (), missing=s.missing) for s in SCENARIOS}
    return {**older, **CONDITIONS}
