"""The tree, what is built from it, and virtual environments to install that in."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]

# Where man-db and the shells look, below a prefix.
SHELLS = {
    "sockdiag.bash": "share/bash-completion/completions/sockdiag",
    "_sockdiag": "share/zsh/site-functions/_sockdiag",
    "sockdiag.fish": "share/fish/vendor_completions.d/sockdiag.fish",
}


class Dist(NamedTuple):
    """A wheel and a source distribution."""

    wheel: Path
    sdist: Path


def run(*words: str | Path, cwd: Path, status: int = 0, **variables: str) -> str:
    """Run a program far from the source tree and return its standard output; a failure shows all it wrote."""
    done = subprocess.run(
        words, cwd=cwd, env=clean_environment() | variables, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would lead a Python to the source tree."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "PYTEST"))
    }


def tracked() -> list[str]:
    """Return the paths of the tree's files: those that git has, or would take."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=PROJECT)
    return sorted({name for name in names.split("\0") if name and os.path.lexists(PROJECT / name)})


def shared_names() -> dict[str, Path]:
    """Return the files that belong below an installation's ``share/``, by their paths below the prefix."""
    found = {}
    for name in tracked():
        folder, _, rest = name.partition("/")
        if folder == "man":
            found[f"share/man/man{rest.rpartition('.')[2]}/{rest}"] = PROJECT / name
        elif folder == "completions":
            found[SHELLS[rest]] = PROJECT / name
        elif folder == "integrations":
            found[f"share/sockdiag/{name}"] = PROJECT / name
    return found


def shared_files() -> dict[str, bytes]:
    """Return what is in them."""
    return {name: path.read_bytes() for name, path in shared_names().items()}


def shared_programs() -> set[str]:
    """Return which of them are programs."""
    return {name for name, path in shared_names().items() if os.access(path, os.X_OK)}


def help_status(command: str) -> int:
    """Return the exit status of a command's --help: a monitoring plugin that judged nothing says UNKNOWN."""
    return 3 if command == "check" else 0


def modules() -> dict[str, bytes]:
    """Return the files of the package, without the generators, which are of use in the source tree alone."""
    names = [name for name in tracked() if name.startswith("sockdiag/") and not name.startswith("sockdiag/devtools/")]
    return {name: (PROJECT / name).read_bytes() for name in names}


def build(tree: Path, target: Path, *kinds: str) -> None:
    """Build distributions of *kinds* from a tree, without the network."""
    targets = [word for kind in kinds for word in ("-t", kind)]
    run(sys.executable, "-m", "hatchling", "build", "-d", target, *targets, cwd=tree)


def members(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel by their names."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def extract(sdist: Path, target: Path) -> Path:
    """Unpack a source distribution and return its one folder."""
    target.mkdir()
    run("tar", "-xf", sdist, cwd=target)
    (folder,) = target.iterdir()
    return folder


def environment(at: Path, *requirements: str | Path) -> Path:
    """Make a virtual environment with *requirements* and return its folder of programs."""
    run(sys.executable, "-m", "venv", at, cwd=at.parent)
    run(at / "bin" / "python", "-m", "pip", "install", "-q", *requirements, cwd=at.parent)
    return at / "bin"


def files_below(prefix: Path, names: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files with these names below a prefix that are there."""
    return {name: (prefix / name).read_bytes() for name in names if (prefix / name).is_file()}
