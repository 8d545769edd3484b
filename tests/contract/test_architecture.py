"""Imports go down the layers, and what touches the operating system stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "sockdiag"

# Who may open files and sockets of the system, and why.
OS_PLACES = {
    "__main__.py": "occupies standard streams that are closed",
    "sources/system/proc_root.py": "the only opener of /proc and /sys",
    "sources/system/captured_tree.py": "opens files below a captured root without leaving it",
    "sources/system/transport.py": "the only netlink socket",
    "sources/capture/archive.py": "reads archives of captures",
    "sources/capture/transport.py": "reads the netlink answers of a capture",
    "sources/capture/recording.py": "writes captures",
    "sources/redaction/mapping_file.py": "keeps the mapping of a redacted capture",
    "sources/capture/output.py": "gives a capture its name when it is whole",
    "sources/recordings/folder.py": "opens segments of recordings, and locks their folder",
    "sources/recordings/writer.py": "writes segments of recordings",
    "cli/config.py": "reads default options",
    "top/export.py": "writes what the user exports",
    "cli/ignored.py": "reads lists of what diff leaves out",
    "sources/system/folders.py": "follows paths so that no other user decides where they lead",
    "sources/system/rpcbind.py": "reads the names of RPC programs",
    "check/state_file.py": "what a run leaves for the next one",
    "metrics/textfile.py": "replaces the file of a textfile collector",
    "sources/system/detached.py": "gives a child that may hang /dev/null for its streams",
    "sources/tracefs/mount.py": "finds or mounts tracefs",
    "sources/tracefs/instance.py": "reads and writes files of tracefs below its folder",
    "sources/tracefs/tasks.py": "opens perf events",
}
OPENERS = {("os", "open"), ("io", "open")}

HEAVY = {
    "typer": {"cli/typer_app.py"},
    "pyroute2": {"sources/netlink/routes.py"},
    "psutil": {"sources/process/details.py"},
    "tabulate": {"render/table.py", "cli/fleet.py"},
    "prometheus_client": {"metrics/serve.py"},
    "rich": {"top/app.py"},
    "textual": {"top/app.py"},
    "click": set(),
}

# C modules below the standard library's, which take the time that docs/rejected.md gives less than those to import.
C_MODULES = {"_socket", "_signal", "_collections", "_operator", "_weakref"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_imports_go_down() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


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
def test_private_modules_stay_in_their_folder(path: Path) -> None:
    """What begins with an underscore is imported by the modules beside it only."""
    folder = ".".join(("sockdiag", *path.relative_to(PACKAGE).parts[:-1]))
    for name in imports(path):
        if name.startswith("sockdiag."):
            for i, part in enumerate(parts := name.split(".")):
                if part.startswith("_") and part != "__version__":
                    assert ".".join(parts[:i]) == folder, name


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_private_modules_of_python_have_a_reason(path: Path) -> None:
    """They are of the listed ones, and where they are imported a comment says why; names private in them may be missing."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    optional = {id(child) for node in ast.walk(tree) if isinstance(node, ast.Try) for child in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {(node.module or "").partition(".")[0]}
        else:
            continue
        private = {module for module in modules if module.startswith("_") and module != "__future__"}
        assert private <= C_MODULES
        if private:
            lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
            assert any("docs/rejected.md" in line for line in lines), f"{relative(path)}:{node.lineno}"
        if private and any(alias.name.startswith("_") and alias.name not in private for alias in node.names):
            assert id(node) in optional, f"{relative(path)}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_are_of_readable_size(path: Path) -> None:
    """No module is longer than 600 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_folders_have_no_drawers() -> None:
    """No module is named for holding whatever is left."""
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "misc"}
