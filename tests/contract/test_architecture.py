"""Imports go down the layers, and what touches the operating system stays where it belongs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "sockdiag"

# Lower layers first. A module may import its own layer and those before it.
LAYERS = [
    ("errors", "progress", "typed"),
    "kernel",
    "model",
    ("sources", "filter", "analysis"),
    "judging",
    "rules",
    "render",
    ("survey", "check", "metrics", "cli", "ss", "__main__"),
    "devtools",
]
RANK = {name: i for i, layer in enumerate(LAYERS) for name in ([layer] if isinstance(layer, str) else layer)}

# Siblings of one rank that must not know each other.
STRANGERS = {
    ("analysis", "sources"),
    ("filter", "sources"),
    ("sources", "analysis"),
    ("sources", "filter"),
    ("ss", "cli"),
    ("rules", "sources"),
    ("judging", "sources"),
    ("check", "ss"),
    ("metrics", "ss"),
    ("survey", "ss"),
    ("ss", "survey"),
    ("ss", "check"),
    ("ss", "metrics"),
    ("check", "metrics"),
    ("metrics", "check"),
}

# Who may open files and sockets of the system, and why.
OS_PLACES = {
    "__main__.py": "occupies standard streams that are closed",
    "sources/system/proc_root.py": "the only opener of /proc and /sys",
    "sources/system/captured_root.py": "opens files below a captured root without leaving it",
    "sources/system/transport.py": "the only netlink socket",
    "sources/capture/archive.py": "unpacks captures",
    "sources/capture/transport.py": "reads the netlink answers of a capture",
    "sources/capture/recording.py": "writes captures",
    "check/state_file.py": "what a run leaves for the next one",
    "metrics/textfile.py": "replaces the file of a textfile collector",
    "sources/system/detached.py": "gives a child that may hang /dev/null for its streams",
}
OPENERS = {("os", "open"), ("io", "open")}

HEAVY = {
    "typer": {"cli/typer_app.py"},
    "pyroute2": {"sources/netlink/rtnetlink_qdisc.py"},
    "psutil": {"cli/commands/memory.py"},
    "tabulate": {"render/table.py"},
    "prometheus_client": {"metrics/serve.py"},
    "rich": set(),
    "click": set(),
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def layer_of(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_down(path: Path) -> None:
    """A module imports only its own layer and those below it."""
    name = relative(path)
    mine = layer_of(name)
    if mine == "__init__":
        return
    for imported in imports(path):
        parts = imported.split(".")
        if parts[0] != "sockdiag" or len(parts) < 2 or parts[1] == "__version__":
            continue
        theirs = parts[1]
        assert RANK[theirs] <= RANK[mine], f"{name} imports {imported}"
        assert (mine, theirs) not in STRANGERS, f"{name} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_heavy_packages_stay_where_they_are_used(path: Path) -> None:
    """Each runtime dependency is imported by the one module that is good for it."""
    for imported in imports(path):
        package = imported.split(".")[0]
        if package in HEAVY:
            assert relative(path) in HEAVY[package], f"{relative(path)} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_system_is_opened_in_its_places_only(path: Path) -> None:
    """open() and os.open() are called in the listed modules only."""
    name = relative(path)
    if name in OS_PLACES or name.startswith(
        ("devtools", "sources/namespaces/", "sources/system/forked", "sources/netlink/tcp_info_guard", "ss/")
    ):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name):
            assert function.id != "open", f"{name}:{node.lineno} opens a file"
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            assert (function.value.id, function.attr) not in OPENERS, f"{name}:{node.lineno} opens a file"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_are_of_readable_size(path: Path) -> None:
    """No module is longer than 600 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_folders_have_no_drawers() -> None:
    """No module is named for holding whatever is left."""
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "misc"}
