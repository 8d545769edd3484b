"""A clean checkout in a bare Debian 12 with no more than the README asks for: its two commands work as written."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.packaging.built import PROJECT
from tests.packaging.root import Root

if TYPE_CHECKING:
    from pathlib import Path

# `make test` as written takes as long as it takes outside; this part shows that its surroundings are there.
PART = "tests/unit/kernel tests/unit/model tests/contract/test_architecture.py tests/contract/test_generated.py"
# These make namespaces, mount over /proc, and change the root's mount.
LIVE = "tests/live/test_bad_surroundings.py tests/live/test_netns_live.py"


@pytest.fixture(scope="module")
def checkout(base: Path) -> Root:
    """Install what the README asks for and check out the last commit."""
    root = Root(base, "clean")
    root.install("python3", "python3-venv", "git", "make")
    at = root.folder / "root" / "sockdiag"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", PROJECT, at], check=True)
    return root


def test_make_run(checkout: Root) -> None:
    """`make run` installs the program and shows the overview."""
    shown = checkout.run("cd /root/sockdiag && make -s run")
    for heading in ("SOCKETS", "MEMORY of the whole host", "WORST", "LOST"):
        assert f"\n{heading}\n" in shown


def test_make_test(checkout: Root) -> None:
    """`make test` runs, without ss too: live tests are skipped then."""
    last = checkout.run(f"cd /root/sockdiag && make test ARGS='{PART} {LIVE}'").splitlines()[-1]
    assert " passed" in last
    assert " skipped" in last


def test_make_test_live(checkout: Root) -> None:
    """With ss none of them is skipped."""
    checkout.install("iproute2")
    last = checkout.run(f"cd /root/sockdiag && make test ARGS='{LIVE}'", CI="true").splitlines()[-1]
    assert " passed" in last
    assert " skipped" not in last
