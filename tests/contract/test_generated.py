"""Man pages, completions and tables of the rules are what the declarations give."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.spec import Command, flag
from sockdiag.devtools import man, rule_tables
from sockdiag.devtools.gen import PROJECT, stale
from sockdiag.judging.case import Compared
from sockdiag.judging.registry import load as load_rule
from sockdiag.render.table import STYLES, styles

if TYPE_CHECKING:
    import pytest


def test_generated_files_are_current() -> None:
    """`make gen` would change nothing."""
    assert stale() == []


def test_a_new_option_makes_them_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that a command gets is missing from its page and from the completions of every shell."""
    command = load("protocols")
    monkeypatch.setattr(command, "options", (*command.options, flag("brand_new", "Do what is new.")))
    assert {path.name for path in stale()} == {
        "sockdiag-protocols.1",
        "sockdiag.bash",
        "_sockdiag",
        "sockdiag.fish",
    }


def test_a_new_command_makes_them_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does a command; its page is missing altogether."""
    module = ModuleType("brand_new")
    module.COMMAND = Command(print, name="brand")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brand_new", module)
    monkeypatch.setitem(COMMANDS, "brand", ("brand_new", "What is new?"))
    assert {path.name for path in stale()} == {
        "sockdiag.1",
        "sockdiag-brand.1",
        "sockdiag.bash",
        "_sockdiag",
        "sockdiag.fish",
    }


def test_a_declaration_of_a_rule_makes_them_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sysctl or an earlier field that a rule reads from now on is missing from what the others know of the rules."""
    module = load_rule("ORPHANS")
    compared = (Compared(("tcp",), ("skmem.optmem",)),)
    monkeypatch.setattr(module, "RULE", module.RULE._replace(sysctls=(*module.RULE.sysctls, "net.core.optmem_max")))
    assert {path.name for path in stale()} == {"declared.py"}
    assert rule_tables.page().index('"net.core.optmem_max"') > rule_tables.page().index('"fs.file-nr"')
    monkeypatch.undo()
    monkeypatch.setattr(module, "RULE", module.RULE._replace(compared=compared))
    assert {path.name for path in stale()} == {"declared.py"}


def test_completions_depend_on_no_release() -> None:
    """Each table style that is completed is one of the tabulate that is installed, the oldest that is admitted too."""
    assert set(STYLES) <= set(styles())


def test_what_nothing_makes_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a command that is gone is reported, too."""
    pages = man.pages()
    gone = pages.pop("sockdiag-protocols.1")
    assert gone
    monkeypatch.setattr(man, "pages", lambda: pages)
    assert stale() == [PROJECT / "man" / "sockdiag-protocols.1"]
