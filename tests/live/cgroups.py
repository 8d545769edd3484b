"""Cgroups that tests make, named as systemd and container runtimes name theirs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.needs import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator


def writable_cgroup() -> Path | None:
    """Return the root of a cgroup hierarchy that processes can be moved in: v2, or the freezer of v1."""
    for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/freezer")):
        if (root / "cgroup.procs").exists() and os.access(root, os.W_OK):
            return root
    return None


@contextlib.contextmanager
def cgroup(path: str) -> Iterator[Path]:
    """Make a cgroup and those above it, for a while; the processes in it must have ended by then."""
    root = writable_cgroup()
    if root is None:
        refuse("no cgroup hierarchy is writable")
        raise AssertionError
    folder = root / path
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        for place in made:
            place.rmdir()
