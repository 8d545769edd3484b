"""Each command of this program that a rule advises is one that it takes."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import sockdiag.rules
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.quick import parse

FOLDER = Path(sockdiag.rules.__file__).parent
# A command, not a sentence that mentions one: it ends without a full stop.
_COMMAND = re.compile(r"sockdiag [a-z]+( .*)?[^.:,]")


def advised() -> list[tuple[str, str]]:
    """Return module and command line; what is filled in is 1."""
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Advice"):
                continue
            for node in ast.walk(call):
                text = ""
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                elif isinstance(node, ast.JoinedStr):
                    text = "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in node.values)
                found += [(path.stem, part) for part in text.split("; ") if _COMMAND.fullmatch(part)]
    return found


LINES = advised()


def test_there_are_some() -> None:
    """The search finds them, in many rules, and those of traces."""
    assert len({module for module, _line in LINES}) > 10
    assert len([line for _module, line in LINES if line.startswith("sockdiag trace ")]) >= 9


@pytest.mark.parametrize(("module", "line"), LINES)
def test_it_parses(module: str, line: str) -> None:
    """Command, options and values, and the filter of --where."""
    from sockdiag.filter.where import FilterContext, compile_where

    name, *words = shlex.split(line)[1:]
    assert name in COMMANDS, module
    args = parse(load(name), words)
    assert args is not None
    if "--where" in words:
        compile_where((words[words.index("--where") + 1],), FilterContext())


@pytest.mark.parametrize(("module", "line"), [one for one in LINES if one[1].startswith("sockdiag trace ")])
def test_a_trace_ends(module: str, line: str) -> None:
    """A trace that is advised stops by itself."""
    assert "--for" in shlex.split(line), module
