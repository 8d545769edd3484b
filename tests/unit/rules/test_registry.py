"""The list of rules is complete."""

from __future__ import annotations

from pathlib import Path

from sockdiag.rules._registry import RULES

FOLDER = Path(__file__).parents[3] / "sockdiag" / "rules"


def test_every_module_is_a_rule() -> None:
    """A module without a leading underscore is a rule, and is listed."""
    assert sorted(RULES.values()) == sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))
