"""No two classes of the package share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sockdiag"


def classes() -> dict[str, set[str]]:
    """Return the modules that define each class, by its name without a leading underscore.

    A module may define a class twice: once for the type checker.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].add(path.relative_to(PACKAGE).as_posix())
    return found


def test_class_names_are_unique() -> None:
    """A class name has one meaning, also among those that are private to a module."""
    shared = {name: places for name, places in classes().items() if len(places) > 1}
    assert not shared, "\n".join(f"{name}: {', '.join(sorted(places))}" for name, places in sorted(shared.items()))
