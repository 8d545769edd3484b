"""What holds of all conditions of the campaign."""

from __future__ import annotations

from tests.live.scenarios.registry import conditions


def test_half_of_the_conditions_are_healthy() -> None:
    """At least 180, half of them healthy; every kind that is not about losses alone has healthy ones."""
    known = conditions().values()
    healthy = [one for one in known if one.healthy]
    assert len(known) >= 180
    assert abs(len(healthy) - len(known) / 2) < len(known) / 10
    losses_alone = {"checksums", "UDP refused"}
    assert {one.kind for one in healthy} >= {one.kind for one in known} - losses_alone
