"""No module imports another one that imports it, not for types or within a function either."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imports() -> dict[str, set[str]]:
    """Return what each module of the package imports of it, anywhere in its text."""
    modules = {name_of(path): path for path in (PROJECT / "sockdiag").rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                # ``from package import name`` imports a module where the name is one.
                wholes = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                targets |= {whole if whole in modules else node.module for whole in wholes.values()}
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        found[name] = {target for target in targets if target in modules and target != name}
    return found


def test_no_import_cycles() -> None:
    """The modules can be put in an order in which each imports earlier ones only."""
    graph = imports()
    assert len(graph) > 300
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None
