"""Build the Debian package: lay out what it installs, add the packaging files, and let debhelper do the rest.

Needs ``dpkg-dev``, ``debhelper`` and ``dh-python``. The network is used by pip alone, for the libraries of
``vendored.txt``, whose hashes are checked. Equal commits give equal packages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import BytesHeaderParser
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

PROJECT = Path(__file__).parents[1]
PACKAGING = Path(__file__).parent
# Below the wheel's share/; Debian's zsh looks in a folder of its own.
ZSH = ("zsh/site-functions", "zsh/vendor-completions")

# Typer imports rich only for what sockdiag turns off.
OFF = {"rich"}

# A package of Debian's own, with -1, is newer.
REVISION = "0upstream1"


def run(*words: str | Path, cwd: Path = PROJECT) -> None:
    """Run a program; its failure is the end."""
    subprocess.run(words, cwd=cwd, check=True)


def epoch() -> str:
    """Return the time of the package: SOURCE_DATE_EPOCH, the commit's, or, outside a checkout, pyproject.toml's."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return commit.stdout.strip() or str(int((PROJECT / "pyproject.toml").stat().st_mtime))


def metadata(wheel: Path) -> Message:
    """Read the headers of a wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return BytesHeaderParser().parsebytes(archive.read(name))


def lay_out(wheel: Path, vendored: list[Path], tree: Path) -> None:
    """Unpack the package and its libraries into ``lib``, and what is shared into ``share``."""
    for archive in [wheel, *vendored]:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                # zipfile forgets which files are programs.
                Path(opened.extract(entry, tree / "lib")).chmod(0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
    (data,) = (tree / "lib").glob("*.data")
    shutil.move(data / "data" / "share", tree / "share")
    for left_over in [data, *(tree / "lib").glob("*.dist-info"), *(tree / "lib").glob("*/.*")]:
        shutil.rmtree(left_over)
    # The licences are in debian/copyright.
    for licence in (tree / "lib").rglob("LICENSE*"):
        licence.unlink()
    (tree / "share" / ZSH[0]).rename(tree / "share" / ZSH[1])


def control(wheel: Path, vendored: list[Path]) -> str:
    """Return debian/control with who answers for it, and the requirements that Debian has packages of."""
    here = {path.name.partition("-")[0].replace("_", "-") for path in vendored} | OFF
    depends = {f"python3 (>= {metadata(wheel)['Requires-Python'].removeprefix('>=')})"}
    suggests = set()
    for archive in [wheel, *vendored]:
        for requirement in metadata(archive).get_all("Requires-Dist", []):
            match = re.match(r"([\w.-]+)[^;]*?>=([\w.]+)[^;]*(; extra)?", requirement)
            if match is not None and (name := match[1].replace("_", "-")) not in here:
                (suggests if match[3] else depends).add(f"python3-{name} (>= {match[2]})")
    text = (PACKAGING / "debian" / "control").read_text(encoding="utf-8")
    text = text.replace("@DEPENDS@", ", ".join(sorted(depends))).replace("@SUGGESTS@", ", ".join(sorted(suggests)))
    return text.replace("@MAINTAINER@", maintainer())


def changelog(version: str, when: str) -> str:
    """Return debian/changelog, which says what packaging needs and points at what changed."""
    return (
        f"sockdiag ({version}-{REVISION}) unstable; urgency=medium\n\n"
        "  * Built from the source tree; /usr/share/doc/sockdiag/changelog.gz says\n    what changed.\n\n"
        f" -- {maintainer()}  {formatdate(int(when))}\n"
    )


def maintainer() -> str:
    """Return who answers for the package: DEBFULLNAME and DEBEMAIL, as for Debian's own tools."""
    name = os.environ.get("DEBFULLNAME", "sockdiag developers")
    return f"{name} <{os.environ.get('DEBEMAIL', 'sockdiag@example.org')}>"


def main() -> None:
    """Build the package into ``dist/``."""
    work = PROJECT / "build" / "deb"
    shutil.rmtree(work, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", work / "wheel")
    run(
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        PACKAGING / "vendored.txt",
        "-d",
        work / "vendored",
    )
    (wheel,) = (work / "wheel").iterdir()
    vendored = sorted((work / "vendored").iterdir())
    version = metadata(wheel)["Version"]
    tree = work / f"sockdiag-{version}"
    shutil.copytree(PACKAGING / "debian", tree / "debian")
    (tree / "debian" / "changelog").write_text(changelog(version, epoch()), encoding="utf-8")
    (tree / "debian" / "control").write_text(control(wheel, vendored), encoding="utf-8")
    lay_out(wheel, vendored, tree)
    (tree / "bin").mkdir()
    shutil.copy(PACKAGING / "sockdiag.start", tree / "bin" / "sockdiag")
    for name in ("README.md", "CHANGELOG.md", "docs"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2
        copy(PROJECT / name, tree / name)
    run("dpkg-buildpackage", "--build=binary", "--no-sign", cwd=tree)
    (package,) = work.glob("*.deb")
    (PROJECT / "dist").mkdir(exist_ok=True)
    for older in (PROJECT / "dist").glob("sockdiag_*.deb"):
        older.unlink()
    shutil.copy2(package, PROJECT / "dist" / package.name)


if __name__ == "__main__":
    main()
