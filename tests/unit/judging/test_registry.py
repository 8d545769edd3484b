"""The list of rules is complete."""

from __future__ import annotations

import re
from pathlib import Path

from sockdiag.cli.catalog import COMMANDS
from sockdiag.judging.registry import RULES

FOLDER = Path(__file__).parents[3] / "sockdiag" / "rules"


def test_every_module_is_a_rule() -> None:
    """A module without a leading underscore is a rule, and is listed."""
    assert sorted(RULES.values()) == sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))


def test_commands_that_rules_name_exist() -> None:
    """What a rule tells the reader to run is there."""
    named = {found for path in FOLDER.glob("*.py") for found in re.findall(r'["\s]sockdiag ([a-z]+)', path.read_text())}
    assert "trace" in named
    assert named <= {*COMMANDS, "ss"}
