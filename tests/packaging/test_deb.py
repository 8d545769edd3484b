"""The Debian package installs, runs and goes away on a bare Debian 12."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from sockdiag import __version__
from sockdiag.cli.catalog import COMMANDS
from tests.needs import need
from tests.packaging.built import PROJECT, help_status, modules, run, shared_files, shared_programs
from tests.packaging.root import Root
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

BUILDERS = ("dpkg-buildpackage", "dh", "dh_python3", "lintian")
WORLD = FIXTURES / "6.18-world"
# Where Debian's zsh looks for what packages bring.
ZSH = ("share/zsh/site-functions/", "share/zsh/vendor-completions/")


@pytest.fixture(scope="module")
def package() -> Path:
    """Build the package."""
    need(*BUILDERS)
    run(sys.executable, PROJECT / "packaging" / "deb.py", cwd=PROJECT)
    (found,) = (PROJECT / "dist").glob("*.deb")
    return found


@pytest.fixture(scope="module")
def root(package: Path, base: Path) -> Root:
    """Install the package with what it depends on, and nothing else."""
    root = Root(base, "deb")
    root.put(package, f"root/{package.name}")
    shutil.copytree(WORLD, root.folder / "root" / "world", symlinks=True)
    root.install(f"/root/{package.name}")
    return root


def test_lintian(package: Path) -> None:
    """Lintian finds neither an error nor a warning."""
    assert run("lintian", "--allow-root", "--fail-on", "error,warning", package, cwd=package.parent) == ""


def test_contents(package: Path, tmp_path: Path) -> None:
    """The package holds the modules and the shared files of the tree, byte for byte; man pages are compressed."""
    run("dpkg-deb", "-x", package, tmp_path, cwd=tmp_path)
    for name, content in modules().items():
        assert (tmp_path / "usr/lib/sockdiag" / name).read_bytes() == content, name
    for name, content in shared_files().items():
        path = tmp_path / "usr" / name.replace(*ZSH)
        if name.startswith("share/man/"):
            run("gzip", "-d", f"{path}.gz", cwd=tmp_path)
        assert path.read_bytes() == content, name
        assert os.access(path, os.X_OK) == (name in shared_programs()), name
    inside = {entry.name for entry in (tmp_path / "usr/lib/sockdiag").iterdir()}
    assert inside == {"sockdiag", "typer", "annotated_doc"}
    assert [path.name for path in (tmp_path / "usr/bin").iterdir()] == ["sockdiag"]


def test_again(package: Path, tmp_path: Path) -> None:
    """The same commit gives the same package, byte for byte, whatever the user's umask."""
    first = package.read_bytes()
    run("sh", "-c", f'umask 077; exec "{sys.executable}" "{PROJECT}/packaging/deb.py"', cwd=tmp_path, TZ="Asia/Tokyo")
    assert package.read_bytes() == first


def test_the_program(root: Root) -> None:
    """The program is in PATH, and says of a captured system what the tree says."""
    assert root.run("sockdiag --version") == f"sockdiag {__version__}\n"
    for words in (["states"], ["list"], ["memory", "--table", "grid"]):
        shown = root.run(f"cd /root && sockdiag {' '.join(words)} --root world")
        assert shown == invoke(*words, "--root", str(WORLD)).text
    document = json.loads(root.run("sockdiag list --json --netid netlink"))
    assert document["sockets"]


def test_its_libraries(root: Root) -> None:
    """Help and advice come from the typer that is carried, queueing disciplines from Debian's pyroute2."""
    for name in COMMANDS:
        done = root.attempt(f"sockdiag {name} --help")
        assert (done.returncode, done.stdout.partition("\n")[0][: len(name) + 16]) == (
            help_status(name),
            f"Usage: sockdiag {name}",
        )
    wrong = root.attempt("sockdiag sates")
    assert (wrong.returncode, "did you mean 'states'?" in wrong.stderr) == (2, True)
    document = json.loads(root.run("sockdiag path --json"))
    assert [gap for gap in document["gaps"] if "import" in gap["reason"]] == []
    assert root.run("python3 -c 'import tabulate, psutil, pyroute2'") == ""
    assert root.attempt("python3 -c 'import typer'").returncode == 1


SCRAPE = """
import time, urllib.request
for _ in range(100):
    try:
        text = urllib.request.urlopen("http://127.0.0.1:PORT/metrics", timeout=20).read().decode()
    except OSError:
        time.sleep(0.1)
    else:
        raise SystemExit(not (text.startswith("# HELP sockdiag_") and "sockdiag_sockets{" in text))
raise SystemExit(2)
"""


def test_what_it_suggests(root: Root) -> None:
    """Debian's prometheus_client serves the metrics; without it the command says what it needs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = f"sockdiag metrics --listen 127.0.0.1:{port}"
    assert "prometheus_client" in root.attempt(serve).stderr
    root.install("python3-prometheus-client")
    root.run(f"{serve} & python3 -c '{SCRAPE.replace('PORT', str(port))}'")


def test_ss(root: Root) -> None:
    """A symlink called ss is ss."""
    shown = root.run("ln -s /usr/bin/sockdiag /usr/local/bin/ss && cd /root && PROC_ROOT=world/proc ss -tan")
    assert shown == root.run("cd /root && PROC_ROOT=world/proc sockdiag ss -tan")
    assert len(shown.splitlines()) > 1


def test_byte_code(root: Root) -> None:
    """Every module is compiled when the package is installed: no start compiles any."""
    listed = root.run("cd /usr/lib/sockdiag && find . -name '*.py' -o -name '*.pyc'").split()
    sources = {name for name in listed if name.endswith(".py")}
    folder = "__pycache__/"
    assert {name.replace(folder, "").partition(".cpython-")[0] + ".py" for name in listed if folder in name} == sources


def test_nothing_of_the_user_leads_it_astray(root: Root) -> None:
    """Modules in the working folder or in PYTHONPATH are not imported."""
    script = "mkdir -p /tmp/w && cd /tmp/w && echo 'raise SystemExit(9)' | tee os.py sockdiag.py gc.py >typer.py && "
    assert root.run(script + "PYTHONPATH=/tmp/w sockdiag --version") == f"sockdiag {__version__}\n"


def test_man_pages_and_completions(root: Root) -> None:
    """man-db and each shell find what is theirs."""
    root.install("man-db", "bash-completion", "zsh", "fish")
    for name in shared_files():
        if name.startswith("share/man/"):
            page, _, section = name.rpartition("/")[2].rpartition(".")
            assert root.run(f"man --where {section} {page}") == f"/usr/{name}.gz\n"
    assert "sockdiag - " in root.run("man sockdiag | cat")
    assert root.run(
        "bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader sockdiag;"
        " COMP_WORDS=(sockdiag stat); COMP_CWORD=1; _sockdiag; echo ${COMPREPLY[*]}'"
    ).startswith("states")
    assert root.run("zsh -c 'autoload -U compinit; compinit -u -D; print $_comps[sockdiag]'") == "_sockdiag\n"
    assert root.run("fish -c 'complete -C \"sockdiag stat\"'").startswith("states\t")


def test_purge(root: Root) -> None:
    """Nothing of it is left when it is purged: last, since it ends what the other tests look at."""
    root.run("sockdiag check > /dev/null || true; test -e /var/lib/sockdiag/check.state")
    root.run("apt-get purge -y -q sockdiag && rm -f /usr/local/bin/ss")
    left = root.run(
        "find / -xdev -iname '*sockdiag*' -not -path '/root/*' -not -path '/tmp/*' -not -path '/var/cache/man/*'"
    )
    assert left == ""
    assert root.attempt("dpkg -s sockdiag").returncode == 1
