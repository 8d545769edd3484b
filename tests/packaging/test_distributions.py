"""The wheel and the source distribution hold what belongs in them, byte for byte, and nothing else."""

from __future__ import annotations

import csv
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

from sockdiag import __version__
from tests.packaging.built import (
    PROJECT,
    Dist,
    build,
    extract,
    members,
    modules,
    shared_files,
    shared_programs,
    tracked,
)

if TYPE_CHECKING:
    from pathlib import Path

INFO = f"sockdiag-{__version__}.dist-info/"
DATA = f"sockdiag-{__version__}.data/data/"
SCRIPT = f"sockdiag-{__version__}.data/scripts/sockdiag"


def test_the_wheel(dist: Dist) -> None:
    """The wheel is the package, what goes to share/, and its metadata: no test, no generator."""
    files = members(dist.wheel)
    metadata = {name: files.pop(name) for name in sorted(files) if name.startswith(INFO)}
    assert sorted(metadata) == [INFO + name for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")]
    assert files.pop(SCRIPT) == (PROJECT / "packaging/sockdiag.script").read_bytes()
    assert files == modules() | {DATA + name: content for name, content in shared_files().items()}
    assert "sockdiag/py.typed" in files
    assert metadata[INFO + "licenses/LICENSE"] == (PROJECT / "LICENSE").read_bytes()
    listed = [row[0] for row in csv.reader(metadata[INFO + "RECORD"].decode().splitlines())]
    assert sorted(listed) == sorted([SCRIPT, *files, *metadata])


def test_programs_in_the_wheel(dist: Dist) -> None:
    """What is a program in the tree is one in the wheel."""
    with zipfile.ZipFile(dist.wheel) as archive:
        found = {entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & 0o111}
    assert found == {SCRIPT, *(DATA + name for name in shared_programs())}


def test_what_is_shared() -> None:
    """Something is, of each kind: an empty list would equal an empty folder."""
    names = list(shared_files())
    assert "share/man/man1/sockdiag.1" in names
    assert len([name for name in names if not name.startswith(("share/man/", "share/sockdiag/"))]) == 3
    assert all(
        name.startswith(("share/man/man1/", "share/man/man7/")) for name in names if name.startswith("share/man/")
    )


def test_the_source_distribution(dist: Dist) -> None:
    """The source distribution is the files that git has, as they are, with the metadata of the package."""
    with tarfile.open(dist.sdist) as archive:
        entries = {entry.name.partition("/")[2]: entry for entry in archive.getmembers()}
    assert sorted(entries) == sorted([*tracked(), "PKG-INFO"])
    for name, entry in entries.items():
        if name != "PKG-INFO":
            mode = os.lstat(PROJECT / name).st_mode
            assert (entry.issym(), entry.mode & 0o111 != 0) == (stat.S_ISLNK(mode), mode & 0o111 != 0), name


def test_a_wheel_from_the_source_distribution(dist: Dist, tmp_path: Path) -> None:
    """What the source distribution builds is the wheel that the tree builds."""
    tree = extract(dist.sdist, tmp_path / "tree")
    assert {name: (tree / name).read_bytes() for name in tracked() if (PROJECT / name).is_file()} == {
        name: (PROJECT / name).read_bytes() for name in tracked() if (PROJECT / name).is_file()
    }
    build(tree, tmp_path / "again", "wheel")
    assert (tmp_path / "again" / dist.wheel.name).read_bytes() == dist.wheel.read_bytes()
